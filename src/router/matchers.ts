// One file for all: each of these only names its arguments, and they are read and chosen together.
import type {
  AndMatcher,
  Condition,
  FieldMatcher,
  HeaderMatcher,
  KeyMatcher,
  NotMatcher,
  OrMatcher,
  Scalar,
  TopicMatcher,
  ValueTest,
} from './matcher.js';
import type { TopicSyntax } from './topic-pattern.js';

/**
 * Matches the message's topic against a pattern. Without a wildcard it is looked up, not tried.
 *
 * @example
 * import { topic } from 'sluice';
 * topic('orders/+/created');
 * topic('orders.#', { syntax: 'amqp' });
 * @see topicPattern
 */
export function topic(pattern: string, options: { readonly syntax?: TopicSyntax } = {}): TopicMatcher {
  return { kind: 'topic', pattern, syntax: options.syntax ?? 'mqtt' };
}

/**
 * Matches the first value of a header as text, whatever the case of its name. Default test: it is there.
 *
 * @example
 * import { header, oneOf } from 'sluice';
 * header('type', 'trade');
 * header('type', oneOf('trade', 'quote'));
 * @see headerText
 */
export function header(name: string, test?: string | ValueTest): HeaderMatcher {
  return { kind: 'header', name, test: testOf(test) };
}

/**
 * Matches a field of the payload. `path` goes down by dots, also into arrays (`items.0.price`). Default test: it is there.
 *
 * @example
 * import { field, greaterThan, oneOf } from 'sluice';
 * field('symbol', oneOf('A', 'B'));
 * field('order.total', greaterThan(100));
 * @param test a value it has to equal, or a test such as {@link oneOf}
 */
export function field(path: string, test?: Scalar | ValueTest): FieldMatcher {
  return { kind: 'field', path, test: testOf(test) };
}

/**
 * Matches the message's key. Default test: it has one.
 *
 * @example
 * import { key } from 'sluice';
 * key('customer-7');
 */
export function key(test?: string | ValueTest): KeyMatcher {
  return { kind: 'key', test: testOf(test) };
}

/**
 * Matches when all conditions do. It is as fast as its fastest: one exact matcher in it is enough to be looked up.
 *
 * @example
 * import { and, field, greaterThan, topic } from 'sluice';
 * and(topic('orders/eu'), field('total', greaterThan(100)));
 */
export function and<I = unknown>(...all: readonly Condition<I>[]): AndMatcher<I> {
  return { kind: 'and', all };
}

/**
 * Matches when at least one condition does. It is looked up when all of them can be.
 *
 * @example
 * import { header, or, topic } from 'sluice';
 * or(topic('trades/#'), header('type', 'trade'));
 */
export function or<I = unknown>(...any: readonly Condition<I>[]): OrMatcher<I> {
  return { kind: 'or', any };
}

/**
 * Matches when the condition does not. It is tried on each message, so it goes best into an {@link and}.
 *
 * @example
 * import { and, header, not, topic } from 'sluice';
 * and(topic('orders/#'), not(header('test')));
 */
export function not<I = unknown>(condition: Condition<I>): NotMatcher<I> {
  return { kind: 'not', condition };
}

function testOf(given: Scalar | ValueTest | undefined): ValueTest {
  if (given === undefined) return { test: 'exists' };
  return typeof given === 'object' && given !== null ? given : { test: 'equals', value: given };
}
