import { concatMap, from } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';

describe('virtualClock', () => {
  it('runs deferred work before the timers of an instant and what yielded after them', () => {
    const clock = virtualClock();
    const order: string[] = [];
    clock.yield(() => order.push('yield'));
    clock.timer(0, () => {
      order.push('timer');
      clock.defer(() => order.push('deferred by a timer'));
    });
    clock.timer(0, () => order.push('second timer'));
    clock.defer(() => order.push('deferred'));
    clock.advance(0);
    expect(order).toEqual(['deferred', 'timer', 'deferred by a timer', 'second timer', 'yield']);
  });

  it('runs timers by time, then by the order they were set, and stops at the end of the advance', () => {
    const clock = virtualClock();
    const order: string[] = [];
    const note = (name: string) => (): void => void order.push(`${name}@${clock.elapsed()}`);
    clock.timer(30, note('c'));
    clock.timer(10, note('a'));
    clock.timer(10, note('b'));
    clock.timer(31, note('late'));
    clock.advance(30);
    expect(order).toEqual(['a@10', 'b@10', 'c@30']);
    expect(clock.elapsed()).toBe(30);
    expect(clock.pendingTimers).toBe(1);
  });

  it('keeps any number of timers in order', () => {
    const clock = virtualClock({ seed: 3 });
    const delays = Array.from({ length: 2_000 }, () => Math.floor(clock.random() * 500));
    const ran: number[] = [];
    const cancels = delays.map((delay) => clock.timer(delay, () => ran.push(delay)));
    for (let at = 0; at < cancels.length; at += 3) cancels[at]?.();
    const kept = delays.filter((_, at) => at % 3 !== 0);
    expect(clock.pendingTimers).toBe(kept.length);
    clock.advance(500);
    expect(ran).toEqual(kept.toSorted((a, b) => a - b));
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not run a cancelled timer, and cancelling it again changes nothing', () => {
    const clock = virtualClock();
    let ran = 0;
    const cancel = clock.timer(5, () => (ran += 1));
    clock.timer(5, () => (ran += 10));
    cancel();
    cancel();
    clock.advance(5);
    cancel();
    expect(ran).toBe(10);
    expect(clock.pendingTimers).toBe(0);
  });

  it('resolves promises while time stands, where a TestScheduler does not (M-16)', async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.timer(ms, resolve));
    from([1, 2])
      .pipe(
        concatMap(async (value) => {
          await sleep(100);
          await Promise.resolve();
          return value;
        }),
      )
      .subscribe((value) => seen.push(`${value}@${clock.elapsed()}`));
    await clock.run(250);
    expect(seen).toEqual(['1@100', '2@200']);
    expect(clock.elapsed()).toBe(250);
  });

  it('stops as soon as the condition holds', async () => {
    const clock = virtualClock();
    let ticks = 0;
    const tick = (): void => {
      ticks += 1;
      clock.timer(10, tick);
    };
    clock.timer(10, tick);
    expect(await clock.runUntil(() => ticks === 3, 1_000)).toBe(true);
    expect(clock.elapsed()).toBe(30);
    expect(await clock.runUntil(() => ticks === 1_000, 50)).toBe(false);
    expect(clock.elapsed()).toBe(80);
  });

  it('answers when nothing is left to happen, also without a limit', async () => {
    const clock = virtualClock();
    expect(await clock.runUntil(() => false, Infinity)).toBe(false);
    expect(clock.elapsed()).toBe(0);
  });

  it('gives the same random numbers for the same seed and others for another', () => {
    const draw = (seed: number): number[] => {
      const clock = virtualClock({ seed });
      return Array.from({ length: 8 }, () => clock.random());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    const clock = virtualClock({ seed: 0 });
    const many = Array.from({ length: 10_000 }, () => clock.random());
    expect(many.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(Math.abs(many.reduce((sum, value) => sum + value, 0) / many.length - 0.5)).toBeLessThan(0.02);
  });

  it('keeps timers when the wall clock jumps', () => {
    const clock = virtualClock({ startMs: 1_000_000 });
    let ran = false;
    clock.timer(10, () => (ran = true));
    clock.jump(3_600_000);
    expect(clock.now()).toBe(4_600_000);
    clock.jump(-7_200_000);
    clock.advance(9);
    expect(ran).toBe(false);
    clock.advance(1);
    expect(ran).toBe(true);
    expect(clock.now()).toBe(-2_599_990);
  });

  it('stays usable after work that threw', () => {
    const clock = virtualClock();
    let ran = false;
    clock.timer(1, () => {
      throw new Error('broken');
    });
    clock.timer(1, () => (ran = true));
    expect(() => clock.advance(5)).toThrow('broken');
    clock.advance(0);
    expect(ran).toBe(true);
  });

  it('refuses to hang when something reschedules itself without end', () => {
    const clock = virtualClock({ maxSteps: 1_000 });
    const again = (): void => clock.defer(again);
    clock.defer(again);
    expect(() => clock.advance(1)).toThrow(/1000 steps/);
  });

  it('refuses a step that is no time, and keeps its own', async () => {
    const clock = virtualClock();
    for (const ms of [Number.NaN, -1, '5' as unknown as number]) {
      expect(() => clock.advance(ms)).toThrow('expected a number from 0');
      await expect(clock.run(ms)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    }
    expect(() => clock.jump(Number.NaN)).toThrow(/expected a number/);
    clock.advance(5);
    expect(clock.elapsed()).toBe(5);
  });

  it('refuses to be advanced from inside', async () => {
    const clock = virtualClock();
    clock.defer(() => clock.advance(1));
    expect(() => clock.advance(1)).toThrow(/do not nest/);
    const running = clock.run(10);
    expect(() => clock.advance(1)).toThrow(/do not nest/);
    await running;
    clock.advance(1);
    expect(clock.elapsed()).toBe(11);
  });
});
