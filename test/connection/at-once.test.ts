import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/connection/at-once.js';

describe('atOnce', () => {
  it('takes what is there as true or false', () => {
    expect([true, false, 1, 0, '', {}, undefined].map((answer) => atOnce(answer, 'It'))).toEqual([
      true,
      false,
      true,
      false,
      false,
      true,
      false,
    ]);
  });

  it('takes no promise, whatever it resolves with, and says where to ask instead', async () => {
    const rejected = Promise.reject(new Error('no'));
    for (const answer of [Promise.resolve(false), rejected])
      expect(() => atOnce(answer, 'The function of where')).toThrow(
        /^The function of where gave a promise.* Ask in each before it/,
      );
    await expect(rejected).rejects.toThrow('no');
  });
});
