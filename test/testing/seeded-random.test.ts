import { describe, expect, it } from 'vitest';
import { seededRandom } from 'sluice/testing';

const draw = (seed: number, count: number): number[] => Array.from({ length: count }, seededRandom(seed));

describe('seededRandom', () => {
  it('repeats itself by its seed, and only by it', () => {
    expect(draw(7, 20)).toEqual(draw(7, 20));
    expect(draw(7, 20)).not.toEqual(draw(8, 20));
  });

  it('stays from 0 to below 1 and spreads evenly, for any seed', () => {
    for (const seed of [0, 1, -1, 2 ** 31, 2 ** 40 + 3]) {
      const many = draw(seed, 10_000);
      expect(many.every((value) => value >= 0 && value < 1)).toBe(true);
      const tenths = Array.from(
        { length: 10 },
        (_, at) => many.filter((value) => Math.floor(value * 10) === at).length,
      );
      expect(Math.min(...tenths)).toBeGreaterThan(850);
      expect(Math.max(...tenths)).toBeLessThan(1_150);
    }
  });
});
