// One file for all: each of these only names its arguments, and they are read and chosen together.
import type { Ordered, Scalar, ValueTest } from './matcher.js';

/**
 * The value is exactly this: same type, same value.
 *
 * @example
 * import { equals, field } from 'sluice';
 * field('symbol', equals('A'));
 * @see oneOf
 */
export function equals(value: Scalar): ValueTest {
  return { test: 'equals', value };
}

/**
 * The value is exactly one of these. However many they are, it is one look-up.
 *
 * @example
 * import { field, oneOf } from 'sluice';
 * field('symbol', oneOf('A', 'B'));
 * @see equals
 */
export function oneOf(...values: readonly Scalar[]): ValueTest {
  return { test: 'oneOf', values };
}

/**
 * The value lies between the two, both included. Text is compared by code units.
 *
 * @example
 * import { between, field } from 'sluice';
 * field('total', between(100, 200));
 * @see greaterThan
 */
export function between(min: Ordered, max: Ordered): ValueTest {
  return { test: 'between', min, max };
}

/**
 * The value is greater than the bound.
 *
 * @example
 * import { field, greaterThan } from 'sluice';
 * field('total', greaterThan(100));
 * @see lessThan
 */
export function greaterThan(bound: Ordered): ValueTest {
  return { test: 'greaterThan', bound };
}

/**
 * The value is less than the bound.
 *
 * @example
 * import { field, lessThan } from 'sluice';
 * field('total', lessThan(0));
 * @see greaterThan
 */
export function lessThan(bound: Ordered): ValueTest {
  return { test: 'lessThan', bound };
}

/**
 * There is a value; `null` is one.
 *
 * @example
 * import { exists, field } from 'sluice';
 * field('approvedBy', exists());
 */
export function exists(): ValueTest {
  return { test: 'exists' };
}
