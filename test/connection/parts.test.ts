import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { observe, type SluiceEvent } from 'sluice';
import { Ring } from '../../src/connection/ring.js';
import { StatusCell } from '../../src/connection/status-cell.js';
import { type Runnable, Trampoline } from '../../src/connection/trampoline.js';
import { virtualClock } from '../../src/testing/virtual-clock.js';

describe('Ring', () => {
  it('behaves like an array used from both ends', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constantFrom('push', 'unshift'), value: fc.integer() }),
      fc.record({ do: fc.constantFrom('shift', 'pop', 'peek', 'clear'), value: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ring = new Ring<number>();
        const model: number[] = [];
        for (const { do: verb, value } of steps) {
          if (verb === 'push') {
            ring.push(value);
            model.push(value);
          } else if (verb === 'unshift') {
            ring.unshift(value);
            model.unshift(value);
          } else if (verb === 'shift') expect(ring.shift()).toBe(model.shift());
          else if (verb === 'pop') expect(ring.pop()).toBe(model.pop());
          else if (verb === 'peek') expect(ring.peek()).toBe(model[0]);
          else expect(ring.clear()).toEqual(model.splice(0));
          expect(ring.length).toBe(model.length);
        }
      }),
    );
  });
});

/** A clock whose turns the test takes one by one. */
function handClock() {
  const deferred: (() => void)[] = [];
  const yielded: (() => void)[] = [];
  const clock = {
    ...virtualClock(),
    nowMs: 0,
    elapsed: () => clock.nowMs,
    defer: (work: () => void) => void deferred.push(work),
    yield: (work: () => void) => void yielded.push(work),
  };
  return { clock, deferred, yielded };
}

/** Delivers so many, each of which takes so long; says how long that was. */
function deliver(trampoline: Trampoline, clock: { nowMs: number }, count: number, costMs: number): number {
  const fromMs = clock.nowMs;
  let left = count;
  do {
    clock.nowMs += costMs;
    left -= 1;
  } while (trampoline.mayContinue() && left > 0);
  return clock.nowMs - fromMs;
}

describe('Trampoline', () => {
  it('runs in a later turn, in order, and once for several schedulings', () => {
    const clock = virtualClock();
    const trampoline = new Trampoline(clock);
    const log: string[] = [];
    const work = (name: string): Runnable => ({ isDue: false, run: () => void log.push(name) });
    const [a, b] = [work('a'), work('b')];
    trampoline.schedule(a);
    trampoline.schedule(b);
    trampoline.schedule(a);
    expect(log).toEqual([]);
    clock.advance(0);
    expect(log).toEqual(['a', 'b']);
    trampoline.schedule(a);
    clock.advance(0);
    expect(log).toEqual(['a', 'b', 'a']);
  });

  it('goes on with the others after one that threw', () => {
    const clock = virtualClock();
    const trampoline = new Trampoline(clock);
    const log: string[] = [];
    const throws = {
      isDue: false,
      run: () => {
        throw new Error('a bug');
      },
    };
    trampoline.schedule(throws);
    trampoline.schedule({ isDue: false, run: () => void log.push('other') });
    expect(() => clock.advance(0)).toThrow('a bug');
    clock.advance(0);
    expect(log).toEqual(['other']);
    trampoline.schedule({ isDue: false, run: () => void log.push('later') });
    clock.advance(0);
    expect(log).toEqual(['other', 'later']);
  });

  it('leaves timers their turn once a turn has lasted long enough', () => {
    const { clock, deferred, yielded } = handClock();
    const trampoline = new Trampoline(clock);
    let runs = 0;
    const busy: Runnable = {
      isDue: false,
      run: () => {
        while (trampoline.mayContinue()) {
          runs += 1;
          clock.nowMs += 1;
        }
        trampoline.schedule(busy);
      },
    };
    trampoline.schedule(busy);
    deferred.shift()?.();
    expect(trampoline.isExhausted).toBe(true);
    expect(runs).toBeLessThan(50);
    expect(deferred).toEqual([]);
    const before = runs;
    yielded.shift()?.();
    expect(runs).toBeGreaterThan(before);
  });

  it('leaves timers their turn every 100 ms where each delivery takes 10', () => {
    const { clock, deferred, yielded } = handClock();
    const trampoline = new Trampoline(clock);
    const turnsMs: number[] = [];
    const slow: Runnable = {
      isDue: false,
      run() {
        turnsMs.push(deliver(trampoline, clock, 64, 10));
        trampoline.schedule(slow);
      },
    };
    trampoline.schedule(slow);
    deferred.shift()?.();
    for (let turn = 0; turn < 5; turn += 1) yielded.shift()?.();
    // How long they take it does not know at first.
    expect(Math.max(...turnsMs.slice(1))).toBeLessThan(100);
  });

  describe.each([16, 48, 80, 10_000])('after %i quick deliveries of a flow', (quickly) => {
    it('holds timers up no longer for a slow one', () => {
      const { clock, deferred, yielded } = handClock();
      const trampoline = new Trampoline(clock);
      const flow = (costMs: number, atOnce: number): Runnable => ({
        isDue: false,
        run() {
          deliver(trampoline, clock, atOnce, costMs);
          trampoline.schedule(this);
        },
      });
      trampoline.schedule(flow(0.001, quickly));
      trampoline.schedule(flow(5, 64));
      let longestMs = 0;
      for (let turn = 0; turn < 20; turn += 1) {
        const fromMs = clock.nowMs;
        (yielded.shift() ?? deferred.shift())?.();
        longestMs = Math.max(longestMs, clock.nowMs - fromMs);
      }
      expect(longestMs).toBeLessThan(100);
    });

    it('holds timers up no longer for a slow one that comes straight from its transport', () => {
      const { clock, yielded } = handClock();
      const trampoline = new Trampoline(clock);
      deliver(trampoline, clock, quickly, 0.001);
      yielded.shift()?.();
      expect(deliver(trampoline, clock, 64, 5)).toBeLessThan(100);
    });
  });
});

describe('StatusCell', () => {
  it('tells the status of now, then each change, and refuses a step off the legal walk (OBS-02)', () => {
    const cell = new StatusCell('rig');
    const seen: string[] = [];
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    cell.to('connecting');
    cell.status$.subscribe((status) => seen.push(status));
    cell.to('connecting');
    cell.to('connected');
    stop();
    expect(seen).toEqual(['connecting', 'connected']);
    expect(events).toMatchObject([
      { from: 'idle', to: 'connecting' },
      { from: 'connecting', to: 'connected' },
    ]);
    expect(() => cell.to('connecting')).toThrow(/no step from connected to connecting/);
  });
});
