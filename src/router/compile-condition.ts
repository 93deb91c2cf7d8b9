import { atOnce } from '../connection/at-once.js';
import { headerText } from '../message/headers.js';
import type { Message } from '../message/message.js';
import type { AnyCondition, Ordered, Scalar, ValueTest } from './matcher.js';
import { MAX_REGEX_INPUT } from './regex-cost.js';
import { topicPattern } from './topic-pattern.js';

/** A condition made ready. @internal */
export type Predicate = (message: Message<unknown>) => boolean;

/** Takes a value out of a message; `undefined` when there is none. @internal */
export type Reading = (message: Message<unknown>) => unknown;

/** Makes a checked condition ready. @internal */
export function compileCondition(condition: AnyCondition): Predicate {
  if (typeof condition === 'function')
    return (message) => atOnce((condition as Predicate)(message), 'The function of when');
  switch (condition.kind) {
    case 'topic': {
      const pattern = topicPattern(condition.pattern, condition.syntax);
      return (message) => pattern.matches(message.topic);
    }
    case 'not': {
      const inner = compileCondition(condition.condition);
      return (message) => !inner(message);
    }
    case 'and':
      return everyOf(condition.all.map(compileCondition));
    case 'or': {
      const any = condition.any.map(compileCondition);
      return (message) => any.some((predicate) => predicate(message));
    }
    default: {
      const read = readingOf(condition);
      const test = compileTest(condition.test);
      return (message) => test(read(message));
    }
  }
}

/** @internal */
export function everyOf(all: readonly Predicate[]): Predicate {
  const [only] = all;
  if (only !== undefined && all.length === 1) return only;
  return (message) => all.every((predicate) => predicate(message));
}

/** How to get at what a header, field or key matcher looks at. @internal */
export function readingOf(
  matcher: { readonly kind: 'header'; readonly name: string } | { kind: 'field'; path: string } | { kind: 'key' },
): Reading {
  switch (matcher.kind) {
    case 'header':
      return (message) => headerText(message.headers, matcher.name);
    case 'key':
      return (message) => message.key;
    case 'field':
      return fieldReading(matcher.path);
  }
}

function fieldReading(path: string): Reading {
  const names = path.split('.');
  const [only] = names as [string];
  if (names.length === 1) return (message) => step(message.payload, only);
  return (message) => {
    let value = message.payload;
    for (const name of names) value = step(value, name);
    return value;
  };
}

// What is inherited counts, as getters of classes and defaults of generated messages do; methods do not.
function step(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const found = (value as Record<string, unknown>)[name];
  return typeof found === 'function' ? undefined : found;
}

function compileTest(test: ValueTest): (value: unknown) => boolean {
  switch (test.test) {
    case 'equals':
      return (value) => value === test.value;
    case 'oneOf': {
      const values = new Set<unknown>(test.values);
      return (value) => values.has(value);
    }
    case 'exists':
      return (value) => value !== undefined;
    case 'between':
      return (value) => isLike(value, test.min) && value >= test.min && value <= test.max;
    case 'greaterThan':
      return (value) => isLike(value, test.bound) && value > test.bound;
    case 'lessThan':
      return (value) => isLike(value, test.bound) && value < test.bound;
    case 'pattern':
      return (value) => typeof value === 'string' && value.length <= MAX_REGEX_INPUT && test.regex.test(value);
  }
}

/** Text is compared with text, numbers with numbers: `'9' > 10` is an accident, not a match. */
function isLike(value: unknown, bound: Ordered): value is Ordered {
  if (typeof bound === 'string') return typeof value === 'string';
  return typeof value === 'number' || typeof value === 'bigint';
}

/** The values a test accepts, when they can be listed and so looked up. @internal */
export function listedValues(test: ValueTest): readonly Scalar[] | undefined {
  if (test.test === 'equals') return [test.value];
  return test.test === 'oneOf' ? test.values : undefined;
}
