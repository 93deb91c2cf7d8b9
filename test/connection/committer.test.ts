import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Committer } from 'sluice/connection';
import { virtualClock, type VirtualClock } from 'sluice/testing';

interface Rig {
  readonly clock: VirtualClock;
  readonly commits: Committer<number>;
  /** Positions that were saved, in order. */
  readonly saved: number[];
  readonly failures: unknown[];
  /** How often the reader was told that there may be room again. */
  told(): number;
  /** Settles so many more. */
  settle(count: number): void;
  /** Ends the oldest save that is under way. */
  answer(error?: Error): void;
  underWay(): number;
}

interface RigOptions {
  readonly every?: number;
  readonly isSlow?: boolean;
  readonly intervalMs?: number;
  /** What a save throws. */
  readonly error?: Error;
}

function rig({ every = 10, isSlow = false, intervalMs = 1_000, error: thrown }: RigOptions = {}): Rig {
  const clock = virtualClock();
  const saved: number[] = [];
  const failures: unknown[] = [];
  const answers: ((error?: Error) => void)[] = [];
  let settled = 0;
  let told = 0;
  const commits = new Committer<number>(
    {
      save(position) {
        saved.push(position);
        if (thrown !== undefined) throw thrown;
        if (!isSlow) return undefined;
        return new Promise<void>((resolve, reject) => {
          answers.push((error) => (error === undefined ? resolve() : reject(error)));
        });
      },
      clock,
      every,
      intervalMs,
    },
    {
      position: () => settled,
      passed: () => settled,
      saved: () => void (told += 1),
      failed: (error) => {
        failures.push(error);
        commits.later();
      },
    },
  );
  return {
    clock,
    commits,
    saved,
    failures,
    told: () => told,
    settle(count) {
      settled += count;
      commits.advanced();
    },
    answer: (error) => answers.shift()?.(error),
    underWay: () => answers.length,
  };
}

describe('Committer', () => {
  it('saves when half of what may be unsaved has come together, and less after the interval', () => {
    const { clock, settle, saved } = rig();
    settle(4);
    expect(saved).toEqual([]);
    settle(1);
    expect(saved).toEqual([5]);
    settle(1);
    clock.advance(999);
    expect(saved).toEqual([5]);
    clock.advance(1);
    expect(saved).toEqual([5, 6]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('saves one at a time, and afterwards what came meanwhile', async () => {
    const { clock, settle, saved, answer } = rig({ isSlow: true });
    settle(5);
    settle(20);
    expect(saved).toEqual([5]);
    answer();
    await clock.run(0);
    expect(saved).toEqual([5, 25]);
  });

  it('lets more come together while reading waits for saves, and saves at once where there is no room for that', async () => {
    const { clock, settle, saved, answer, commits } = rig({ isSlow: true });
    settle(5);
    // There was room for 40: from now on 30 come together.
    settle(35);
    commits.awaited();
    answer();
    await clock.run(0);
    expect(saved).toEqual([5, 40]);
    settle(5);
    commits.awaited();
    answer();
    await clock.run(0);
    settle(24);
    expect(saved).toEqual([5, 40]);
    settle(1);
    expect(saved).toEqual([5, 40, 70]);
    settle(10);
    commits.awaited();
    answer();
    await clock.run(0);
    expect(saved).toEqual([5, 40, 70]);
    commits.awaited();
    expect(saved).toEqual([5, 40, 70, 80]);
  });

  it('saves by half again once reading waits no more', async () => {
    const { clock, settle, saved, answer, commits } = rig({ isSlow: true });
    settle(5);
    settle(35);
    commits.awaited();
    answer();
    await clock.run(0);
    answer();
    await clock.run(0);
    settle(5);
    expect(saved).toEqual([5, 40, 45]);
  });

  it('tries a save that failed again after the interval, also while reading waits for it', async () => {
    const { clock, settle, saved, answer, commits } = rig({ isSlow: true });
    settle(5);
    answer(new Error('no'));
    await clock.run(0);
    commits.awaited();
    expect(saved).toEqual([5]);
    await clock.run(1_000);
    expect(saved).toEqual([5, 5]);
  });

  it('saves at once what reading waits for, when a save on demand has followed one that failed', async () => {
    const { clock, settle, saved, answer, commits } = rig({ isSlow: true });
    settle(5);
    answer(new Error('no'));
    await clock.run(0);
    const flushing = commits.flush();
    answer();
    await flushing;
    settle(1);
    commits.awaited();
    expect(saved).toEqual([5, 5, 6]);
  });

  it('tells a failure, and tries again after the interval with what is settled by then', async () => {
    const { clock, settle, saved, failures, answer } = rig({ isSlow: true });
    settle(5);
    answer(new Error('no'));
    await clock.run(999);
    settle(1);
    expect([saved, failures.length]).toEqual([[5], 1]);
    await clock.run(1);
    expect([saved, failures.length]).toEqual([[5, 6], 1]);
  });

  it('saves on demand what is settled, after the save that is under way, and nothing twice', async () => {
    const { clock, settle, saved, answer, commits } = rig({ isSlow: true });
    settle(5);
    settle(1);
    let isFlushed = false;
    void commits.flush().then(() => (isFlushed = true));
    await clock.run(0);
    expect([saved, isFlushed]).toEqual([[5], false]);
    answer();
    await clock.run(0);
    expect(saved).toEqual([5, 6]);
    answer();
    await clock.run(0);
    expect(isFlushed).toBe(true);
    await commits.flush();
    expect(saved).toEqual([5, 6]);
  });

  it('waits with what is settled while a save on demand is under way', async () => {
    const { clock, settle, saved, answer, commits } = rig({ isSlow: true });
    settle(1);
    const flushing = commits.flush();
    settle(9);
    commits.awaited();
    await clock.run(1_000);
    expect(saved).toEqual([1]);
    answer();
    await flushing;
    expect(saved).toEqual([1, 10]);
  });

  it('rejects a save on demand that fails, and tries it again after the interval', async () => {
    const { clock, settle, saved, failures, answer, commits } = rig({ isSlow: true });
    settle(1);
    const flushing = commits.flush();
    answer(new Error('no'));
    await expect(flushing).rejects.toThrow('no');
    settle(9);
    commits.awaited();
    await clock.run(999);
    expect([saved, failures]).toEqual([[1], []]);
    await clock.run(1);
    expect(saved).toEqual([1, 10]);
  });

  it('tries a save on demand that failed again after the interval, also when nothing else is settled', async () => {
    const { clock, settle, saved, answer, commits } = rig({ isSlow: true });
    settle(1);
    const flushing = commits.flush();
    answer(new Error('no'));
    await expect(flushing).rejects.toThrow('no');
    await clock.run(1_000);
    expect(saved).toEqual([1, 1]);
  });

  it('tells the reader after each save that there may be room again, and not after one that failed', async () => {
    const quick = rig();
    quick.settle(5);
    expect(quick.told()).toBe(1);
    const { clock, settle, answer, told } = rig({ isSlow: true });
    settle(5);
    answer(new Error('no'));
    await clock.run(1_000);
    expect(told()).toBe(0);
    answer();
    await clock.run(0);
    expect(told()).toBe(1);
  });

  it('saves after an interval that is shorter than the pause after a failure', async () => {
    const { clock, settle, saved } = rig({ intervalMs: 20 });
    settle(1);
    await clock.run(20);
    expect(saved).toEqual([1]);
  });

  it('does not try a save that failed again with what is settled next, however much that is', async () => {
    const { clock, settle, saved, answer } = rig({ isSlow: true });
    settle(5);
    answer(new Error('no'));
    await clock.run(0);
    for (let count = 0; count < 20; count += 1) settle(1);
    await clock.run(999);
    expect(saved).toEqual([5]);
    await clock.run(1);
    expect(saved).toEqual([5, 25]);
    answer();
    await clock.run(0);
    settle(5);
    expect(saved).toEqual([5, 25, 30]);
  });

  it('takes what a save throws for a save that failed', async () => {
    const { clock, settle, saved, failures, commits } = rig({ error: new Error('no') });
    settle(5);
    await clock.run(0);
    expect([saved, failures]).toEqual([[5], [new Error('no')]]);
    await expect(commits.flush()).rejects.toThrow('no');
  });

  it('leaves 100 ms between saves that fail, also where the interval is none', async () => {
    const { clock, settle, saved } = rig({ error: new Error('no'), intervalMs: 0 });
    settle(5);
    await clock.run(99);
    expect(saved).toEqual([5]);
    await clock.run(1);
    expect(saved).toEqual([5, 5]);
  });

  it('never has two saves under way, whatever happens', async () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('settle' as const), count: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ what: fc.constantFrom('awaited', 'later', 'flush', 'answer', 'fail', 'pass', 'close') }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { clock, settle, saved, answer, commits, underWay } = rig({ isSlow: true });
        const flushes: Promise<void>[] = [];
        let settled = 0;
        for (const one of steps) {
          if ('count' in one) {
            settle(one.count);
            settled += one.count;
          } else if (one.what === 'awaited') commits.awaited();
          else if (one.what === 'later') commits.later();
          else if (one.what === 'flush') flushes.push(commits.flush().catch(() => undefined));
          else if (one.what === 'close') flushes.push(commits.close().catch(() => undefined));
          else if (one.what === 'answer') answer();
          else if (one.what === 'fail') answer(new Error('no'));
          await clock.run(one.what === 'pass' ? 1_000 : 0);
          expect(underWay()).toBeLessThanOrEqual(1);
        }
        const closed = commits.close().catch(() => undefined);
        while (underWay() > 0) {
          answer();
          await clock.run(0);
        }
        await Promise.all([...flushes, closed]);
        expect([saved.at(-1) ?? 0, clock.pendingTimers]).toEqual([settled, 0]);
      }),
    );
  });

  it('saves the rest when it is closed, and nothing after it', async () => {
    const { clock, settle, saved, commits } = rig();
    settle(1);
    await commits.close();
    settle(9);
    await clock.run(5_000);
    expect([saved, clock.pendingTimers]).toEqual([[1], 0]);
  });

  it('tries no more once it is closed, neither what fails then nor what reading would wait for', async () => {
    const { clock, settle, saved, answer, commits } = rig({ isSlow: true });
    settle(1);
    const closing = commits.close();
    answer(new Error('no'));
    await expect(closing).rejects.toThrow('no');
    commits.awaited();
    expect([saved, clock.pendingTimers]).toEqual([[1], 0]);
  });
});
