import { describe, expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';
import { MemoryPipe } from '../../src/links/memory-pipe.js';

describe('MemoryPipe', () => {
  function pipe(): {
    readonly pipe: MemoryPipe;
    readonly out: string[];
    pass(name: string): void;
    at(ms: number): void;
  } {
    const clock = virtualClock({ seed: 3 });
    const out: string[] = [];
    const made = new MemoryPipe(clock);
    return {
      pipe: made,
      out,
      pass: (name) => made.pass(() => out.push(`${name}@${clock.elapsed()}`)),
      at: (ms) => clock.advance(ms - clock.elapsed()),
    };
  }

  it('runs at once while nothing is in the way', () => {
    const { pipe: made, out, pass } = pipe();
    pass('a');
    expect(out).toEqual(['a@0']);
    expect(made.isClear).toBe(true);
  });

  it('delays, and keeps the order when the delay shrinks', () => {
    const { pipe: made, out, pass, at } = pipe();
    made.slow(10, 0);
    pass('a');
    made.slow(0, 0);
    pass('b');
    expect(made.isClear).toBe(false);
    at(9);
    expect(out).toEqual([]);
    at(10);
    expect(out).toEqual(['a@10', 'b@10']);
    expect(made.isClear).toBe(true);
  });

  it('spreads by up to the jitter and keeps the order', () => {
    const { pipe: made, out, pass, at } = pipe();
    made.slow(10, 100);
    for (let name = 0; name < 20; name += 1) pass(String(name));
    at(200);
    expect(out.map((one) => one.split('@')[0])).toEqual(Array.from({ length: 20 }, (_, name) => String(name)));
    const times = out.map((one) => Number(one.split('@')[1]));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...times)).toBeLessThanOrEqual(110);
    expect(new Set(times).size).toBeGreaterThan(1);
  });

  it('holds everything until it is let go, and forgets it when it is cleared', () => {
    const { pipe: made, out, pass, at } = pipe();
    made.hold(true);
    pass('a');
    at(1_000);
    expect(out).toEqual([]);
    made.hold(false);
    expect(out).toEqual(['a@1000']);
    made.hold(true);
    pass('b');
    made.clear();
    made.hold(false);
    at(2_000);
    expect(out).toEqual(['a@1000']);
    expect(made.isClear).toBe(true);
  });

  it('puts what is passed from within behind what waits', () => {
    const { pipe: made, out, pass } = pipe();
    made.hold(true);
    made.pass(() => pass('c'));
    pass('b');
    made.hold(false);
    expect(out).toEqual(['b@0', 'c@0']);
  });
});
