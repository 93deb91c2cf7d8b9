import { afterEach, describe, expect, it, vi } from 'vitest';
import { currentClock, systemClock, useClock, type Clock } from 'sluice';

afterEach(() => {
  vi.useRealTimers();
});

describe('systemClock', () => {
  it('runs a timer once after its delay, and not at all once it was cancelled', () => {
    vi.useFakeTimers();
    const ran: string[] = [];
    systemClock.timer(10, () => ran.push('a'));
    const cancel = systemClock.timer(10, () => ran.push('b'));
    systemClock.timer(20, () => ran.push('c'), true);
    vi.advanceTimersByTime(9);
    expect(ran).toEqual([]);
    cancel();
    cancel();
    vi.advanceTimersByTime(100);
    expect(ran).toEqual(['a', 'c']);
  });

  it('does not run a timer at once that is longer than the host can hold', () => {
    vi.useFakeTimers();
    let ran = false;
    const cancel = systemClock.timer(2 ** 40, () => (ran = true));
    vi.advanceTimersByTime(1_000);
    expect(ran).toBe(false);
    cancel();
  });

  it('defers before it yields, and both after the running code', async () => {
    const order: string[] = [];
    const yielded = new Promise<void>((resolve) => {
      systemClock.yield(() => {
        order.push('yielded');
        resolve();
      });
    });
    systemClock.defer(() => order.push('deferred'));
    order.push('running');
    await yielded;
    expect(order).toEqual(['running', 'deferred', 'yielded']);
  });

  it('tells wall time, time that only grows, and numbers below 1', () => {
    vi.useFakeTimers({ now: 1_000 });
    const from = systemClock.elapsed();
    vi.advanceTimersByTime(50);
    vi.setSystemTime(10);
    expect(systemClock.now()).toBe(10);
    expect(systemClock.elapsed() - from).toBe(50);
    vi.spyOn(Math, 'random').mockReturnValue(0.25);
    expect(systemClock.random()).toBe(0.25);
  });
});

describe('useClock', () => {
  it('puts a clock in force until it is put back, also nested', () => {
    const [one, two]: Clock[] = [{ ...systemClock }, { ...systemClock }];
    const restoreOne = useClock(one as Clock);
    const restoreTwo = useClock(two as Clock);
    expect(currentClock()).toBe(two);
    restoreTwo();
    expect(currentClock()).toBe(one);
    restoreOne();
    expect(currentClock()).toBe(systemClock);
  });
});
