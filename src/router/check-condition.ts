import type { AnyCondition, AnyWhen, SequenceMatcher, ValueTest } from './matcher.js';
import { regexFault } from './regex-cost.js';
import { topicPatternFault } from './topic-pattern.js';

/** Deepest nesting of `and`, `or` and `not`. */
const MAX_DEPTH = 32;
const FORBIDDEN = new Set(['__proto__', 'prototype', 'constructor']);

const MATCHER_KEYS: Readonly<Record<string, readonly string[]>> = {
  topic: ['pattern', 'syntax'],
  header: ['name', 'test'],
  field: ['path', 'test'],
  key: ['test'],
  and: ['all'],
  or: ['any'],
  not: ['condition'],
  sequence: ['first', 'second', 'withinMs', 'maxKeys', 'keyOf'],
};

const TEST_KEYS: Readonly<Record<string, readonly string[]>> = {
  equals: ['value'],
  oneOf: ['values'],
  between: ['min', 'max'],
  greaterThan: ['bound'],
  lessThan: ['bound'],
  exists: [],
  pattern: ['regex'],
};

/**
 * Says what is wrong with a rule's `when`, `undefined` when nothing is. Everything is looked at, also types: rules may have
 * been loaded from text.
 *
 * @internal
 */
export function whenFault(when: AnyWhen | undefined): string | undefined {
  if (isObject(when) && when.kind === 'sequence') {
    return shapeFault(when, 'kind', MATCHER_KEYS) ?? sequenceFault(when as SequenceMatcher<never>);
  }
  return conditionFault(when as AnyCondition | undefined, 0);
}

function conditionFault(condition: AnyCondition | undefined, depth: number): string | undefined {
  if (typeof condition === 'function') return undefined;
  if (!isObject(condition)) return `'when' must be a matcher, such as topic('orders/+'), or a function`;
  if (depth > MAX_DEPTH) return `'when' is nested deeper than ${MAX_DEPTH}`;
  if ((condition.kind as string) === 'sequence')
    return 'a sequence stands alone; put the other conditions into its first and second';
  const misshapen = shapeFault(condition, 'kind', MATCHER_KEYS);
  if (misshapen !== undefined) return misshapen;
  switch (condition.kind) {
    case 'topic':
      return topicPatternFault(condition.pattern, condition.syntax ?? 'mqtt');
    case 'header':
      if (typeof condition.name !== 'string' || condition.name === '') return 'the header has no name';
      return testFault(condition.test, 'a header');
    case 'key':
      return testFault(condition.test, 'a key');
    case 'field':
      return pathFault(condition.path) ?? testFault(condition.test, undefined);
    case 'not':
      return conditionFault(condition.condition, depth + 1);
    case 'and':
      return partsFault(condition.all, 'and', depth);
    case 'or':
      return partsFault(condition.any, 'or', depth);
  }
}

function partsFault(parts: readonly AnyCondition[], kind: string, depth: number): string | undefined {
  if (!Array.isArray(parts) || parts.length === 0) return `'${kind}' needs at least one condition`;
  for (const part of parts as readonly AnyCondition[]) {
    if (Array.isArray(part)) return `'${kind}' got an array: give it its conditions one by one`;
    const fault = conditionFault(part, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function sequenceFault(sequence: SequenceMatcher<never>): string | undefined {
  const { withinMs, maxKeys, keyOf } = sequence;
  if (typeof withinMs !== 'number' || !(withinMs > 0)) return `'withinMs' of a sequence must be a number above 0`;
  if (!Number.isInteger(maxKeys) || maxKeys < 1) return `'maxKeys' of a sequence must be a whole number from 1`;
  if (keyOf !== undefined && typeof keyOf !== 'function') return `'key' of a sequence must be a function`;
  return conditionFault(sequence.first, 1) ?? conditionFault(sequence.second, 1);
}

function pathFault(path: unknown): string | undefined {
  if (typeof path !== 'string' || path === '') return 'the field has no path';
  const names = path.split('.');
  if (names.includes('')) return `the field path '${path}' has an empty name`;
  const forbidden = names.find((name) => FORBIDDEN.has(name));
  return forbidden === undefined ? undefined : `the field path must not go through '${forbidden}'`;
}

function testFault(test: ValueTest, textOf: string | undefined): string | undefined {
  if (Array.isArray(test)) return 'the test is an array: give its values one by one to oneOf()';
  if (test instanceof RegExp) return 'a regular expression is made with pattern()';
  if (!isObject(test)) return 'the test must be made by equals, oneOf, between, greaterThan, lessThan or exists';
  const misshapen = shapeFault(test, 'test', TEST_KEYS);
  if (misshapen !== undefined) return misshapen;
  if (test.test === 'exists') return undefined;
  if (test.test === 'pattern')
    return test.regex instanceof RegExp ? regexFault(test.regex) : 'a regular expression is made with pattern()';
  const constants = constantsOf(test);
  if (!Array.isArray(constants) || constants.length === 0) return `'${test.test}' needs at least one value`;
  const isRange = test.test !== 'equals' && test.test !== 'oneOf';
  for (const constant of constants as unknown[]) {
    const type = typeof constant;
    if (Array.isArray(constant)) return `'${test.test}' got an array: give it its values one by one`;
    if (textOf !== undefined && type !== 'string') return `${textOf} is text, '${test.test}' got ${type}`;
    if (isRange ? !isOrdered(constant) : !isScalar(constant)) return `'${test.test}' cannot compare with ${type}`;
    if (Number.isNaN(constant)) return `'${test.test}' got NaN, which equals nothing`;
  }
  if (test.test === 'between' && (typeof test.min === 'string') !== (typeof test.max === 'string'))
    return `'between' needs two texts or two numbers`;
  if (test.test === 'between' && !(test.min <= test.max)) return `'between' is empty: its min is above its max`;
  return undefined;
}

function constantsOf(test: Exclude<ValueTest, { test: 'exists' | 'pattern' }>): unknown {
  switch (test.test) {
    case 'equals':
      return [test.value];
    case 'oneOf':
      return test.values;
    case 'between':
      return [test.min, test.max];
    default:
      return [test.bound];
  }
}

function shapeFault(
  given: object,
  tag: 'kind' | 'test',
  shapes: Readonly<Record<string, readonly string[]>>,
): string | undefined {
  const kind = (given as Record<string, unknown>)[tag];
  const known = typeof kind === 'string' && Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
  if (known === undefined) return `'${tag}' must be one of ${Object.keys(shapes).join(', ')}`;
  const unknown = Object.keys(given).find((name) => name !== tag && !known.includes(name));
  return unknown === undefined ? undefined : `'${String(kind)}' has an unknown key '${unknown.slice(0, 32)}'`;
}

function isObject(value: unknown): value is Record<string, unknown> & { kind?: unknown } {
  return typeof value === 'object' && value !== null;
}

function isOrdered(value: unknown): boolean {
  return ['string', 'number', 'bigint'].includes(typeof value);
}

function isScalar(value: unknown): boolean {
  return value === null || isOrdered(value) || typeof value === 'boolean';
}
