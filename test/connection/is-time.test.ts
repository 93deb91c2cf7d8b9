import { expect, it } from 'vitest';
import { isTime } from '../../src/connection/is-time.js';

it('takes what a Date can name', () => {
  expect([0, -1, 1.5, Date.now(), 8.64e15, -8.64e15].map(isTime)).toEqual([true, true, true, true, true, true]);
  for (const none of [8.64e15 + 2, 1e300, -Infinity, NaN, undefined]) expect(isTime(none)).toBe(false);
});
