import { describe, expect, it } from 'vitest';
import { between, equals, exists, greaterThan, lessThan, oneOf } from 'sluice';

describe('value tests', () => {
  it('are plain data', () => {
    expect([equals('a'), oneOf(1, null), between(1, 2), greaterThan(1n), lessThan('b'), exists()]).toEqual([
      { test: 'equals', value: 'a' },
      { test: 'oneOf', values: [1, null] },
      { test: 'between', min: 1, max: 2 },
      { test: 'greaterThan', bound: 1n },
      { test: 'lessThan', bound: 'b' },
      { test: 'exists' },
    ]);
  });
});
