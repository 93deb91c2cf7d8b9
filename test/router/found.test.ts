import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Found } from '../../src/router/found.js';

describe('Found', () => {
  it('holds each rule once and ascending, also when it was filled before', () => {
    const found = new Found();
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 40 }), (rules) => {
        found.count = 0;
        for (const rule of rules) found.add(rule);
        found.settle();
        expect(found.toArray()).toEqual([...new Set(rules)].toSorted((a, b) => a - b));
      }),
    );
  });
});
