import { describe, expect, it } from 'vitest';
import type { Clock } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { TurnStamp } from '../../src/links/memory-turn-stamp.js';

describe('TurnStamp', () => {
  it('looks at the clock once for a burst, and again in the next turn', () => {
    const clock = virtualClock({ startMs: 1_000 });
    const stamps = new TurnStamp();
    expect(stamps.read(clock)).toBe(1_000);
    clock.jump(500);
    expect(stamps.read(clock)).toBe(1_000);
    clock.advance(10);
    expect(stamps.read(clock)).toBe(1_510);
  });

  it('looks again after some messages, however long the turn lasts', () => {
    const clock = virtualClock({ startMs: 1_000 });
    const stamps = new TurnStamp();
    stamps.read(clock);
    clock.jump(500);
    const read = Array.from({ length: 20 }, () => stamps.read(clock));
    expect(new Set(read)).toEqual(new Set([1_000, 1_500]));
  });

  it('looks at another clock at once', () => {
    const stamps = new TurnStamp();
    const at = (now: number): Clock => ({ ...virtualClock(), now: () => now });
    expect([stamps.read(at(1)), stamps.read(at(2))]).toEqual([1, 2]);
  });
});
