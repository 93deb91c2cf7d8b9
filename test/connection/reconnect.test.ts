import { describe, expect, it } from 'vitest';
import type { Clock } from 'sluice';
import { seededRandom } from 'sluice/testing';
import { RECONNECT } from '../../src/connection/reconnect.js';

describe('the waits between tries', () => {
  it('bring a thousand clients back within 5 s and not all at once, after whatever time (G10, REC-07)', () => {
    const random = seededRandom(11);
    const clock = { random } as unknown as Clock;
    for (const downMs of [100, 3_000, 60_000]) {
      const backMs = Array.from({ length: 1_000 }, () => {
        let [at, tries] = [0, 0];
        while (at < downMs) at += RECONNECT.delayMs((tries += 1), clock);
        return at - downMs;
      }).sort((a, b) => a - b);
      expect(backMs.at(-1)).toBeLessThanOrEqual(4_000);
      expect(backMs[900]! - backMs[100]!).toBeGreaterThan(200);
    }
    expect(RECONNECT.tries).toBe(Infinity);
  });

  it('are never below 100 ms', () => {
    const waits = Array.from({ length: 50 }, (_, at) => RECONNECT.delayMs(at + 1, { random: () => 0 } as never));
    expect(Math.min(...waits)).toBe(100);
  });
});
