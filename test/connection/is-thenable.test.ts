import { expect, it } from 'vitest';
import { isThenable } from '../../src/connection/is-thenable.js';

it('takes what has a function then for a promise, and nothing else', () => {
  const like = { then: () => undefined };
  expect([Promise.resolve(), like].map(isThenable)).toEqual([true, true]);
  expect([undefined, null, 'then', {}, { then: true }, () => like].map(isThenable)).toEqual(Array(6).fill(false));
});
