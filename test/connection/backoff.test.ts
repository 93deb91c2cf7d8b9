import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoff, systemClock, type Clock } from 'sluice';

const drawing = (random: number): Clock => ({ ...systemClock, random: () => random });

describe('backoff', () => {
  it('doubles from 500 ms up to 30 s', () => {
    const { delayMs, tries, stableMs } = backoff({ jitter: 'none' });
    const waits = [1, 2, 3, 6, 7, 8, 1_000].map((failed) => delayMs(failed, systemClock));
    expect(waits).toEqual([500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000]);
    expect([tries, stableMs]).toEqual([undefined, 30_000]);
  });

  it('draws each wait between minMs and the longest, so that clients spread out (REC-07)', () => {
    const { delayMs } = backoff();
    expect(delayMs(1, drawing(0))).toBe(100);
    expect(delayMs(1, drawing(0.5))).toBe(300);
    expect(delayMs(8, drawing(1))).toBe(30_000);
  });

  it('never waits less than minMs nor more than maxMs, whatever the options', () => {
    const options = fc.record({
      initialMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
      factor: fc.double({ min: 1, max: 10, noNaN: true }),
      maxMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
      minMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
    });
    fc.assert(
      fc.property(
        options,
        fc.integer({ min: 1, max: 1e6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (given, n, r) => {
          const waitMs = backoff(given).delayMs(n, drawing(r));
          expect(waitMs).toBeLessThanOrEqual(given.maxMs);
          expect(waitMs).toBeGreaterThanOrEqual(Math.min(given.minMs, given.initialMs, given.maxMs));
        },
      ),
    );
  });

  it.each([{ factor: 0.5 }, { initialMs: -1 }, { tries: 0 }, { tries: 1.5 }, { jitter: 'some' as 'full' }])(
    'refuses %o',
    (options) => {
      expect(() => backoff(options)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    },
  );
});
