import fc from 'fast-check';
import { expect } from 'vitest';
import {
  and,
  between,
  exists,
  field,
  greaterThan,
  header,
  key,
  not,
  oneOf,
  or,
  topic,
  type Condition,
  type Message,
  type When,
} from 'sluice';
import { virtualClock } from 'sluice/testing';
import { compileRules, type AnyRule, type RouteMatch, type RuleMatcher } from '../../src/router/compile-rules.js';

import { recorder, type MessageFields } from './message.js';

const { message } = recorder();
const to: AnyRule['to'] = (source) => source;

/** Rules `r0`, `r1` ... with these conditions, each handing its messages on. */
export function rulesOf(...conditions: When<never>[]): AnyRule[] {
  return conditions.map((when, at) => ({ name: `r${at}`, when, to }));
}

/** The same made ready for one subscription. */
export function compiled(match: RouteMatch, ...conditions: When<never>[]): RuleMatcher {
  return compileRules('route', rulesOf(...conditions), match).start(virtualClock());
}

/** The text with which the rules are refused, `accepted` when they are not. */
export function refusal(rules: unknown, match: RouteMatch = 'first'): string {
  try {
    compileRules('route', rules as AnyRule[], match);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
  return 'accepted';
}

const topics = fc.constantFrom('a', 'b', 'a/b', 'a/b/c', 'b/c', '$a/b');
const texts = fc.constantFrom('x', 'y', 'z');
const test = fc.oneof(
  texts.map((value) => oneOf(value)),
  fc.array(texts, { minLength: 1, maxLength: 3 }).map((values) => oneOf(...values)),
  fc.constant(exists()),
  fc.constant(greaterThan('x')),
  fc.constant(between('x', 'y')),
);
/** Conditions of every kind, over few values so that they meet. */
export const conditions: fc.Memo<Condition<never>> = fc.memo((depth) => {
  const leaf = fc.oneof(
    fc.oneof(topics, fc.constantFrom('a/+', 'a/#', '+/b', '#', '+/+')).map((each) => topic(each)),
    fc.constantFrom('#', 'a/b', '*').map((each) => topic(each, { syntax: 'amqp' })),
    test.map((each) => header('type', each)),
    test.map((each) => header('Type', each)),
    test.map((each) => key(each)),
    test.map((each) => field('f', each)),
    test.map((each) => field('g.h', each)),
    texts.map((value) => (each: Message<never>) => (each.payload as { f?: string }).f === value),
  );
  if (depth <= 1) return leaf;
  const inner = conditions();
  return fc.oneof(
    { weight: 3, arbitrary: leaf },
    { weight: 1, arbitrary: fc.array(inner, { minLength: 1, maxLength: 3 }).map((all) => and(...all)) },
    { weight: 1, arbitrary: fc.array(inner, { minLength: 1, maxLength: 3 }).map((any) => or(...any)) },
    { weight: 1, arbitrary: inner.map((each) => not(each)) },
  );
});
/** What tells messages apart for {@link conditions}. */
export const messages = fc.record({
  topic: topics,
  type: fc.option(texts, { nil: undefined }),
  key: fc.option(texts, { nil: undefined }),
  f: fc.option(texts, { nil: undefined }),
  h: fc.option(texts, { nil: undefined }),
});

/** A message of such a description. */
export function made({
  topic: name,
  type,
  key: k,
  f,
  h,
}: typeof messages extends fc.Arbitrary<infer M> ? M : never): Message<unknown> {
  const fields: MessageFields = { topic: name, key: k, ...(type === undefined ? {} : { headers: { type } }) };
  return message({ f, g: { h } }, fields);
}
