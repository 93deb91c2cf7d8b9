import { describe, expect, it } from 'vitest';
import { Committer } from 'sluice/connection';
import { virtualClock, type VirtualClock } from 'sluice/testing';

interface Rig {
  readonly clock: VirtualClock;
  readonly commits: Committer<number>;
  /** Positions that were saved, in order. */
  readonly saved: number[];
  readonly failures: unknown[];
  /** Settles so many more. */
  settle(count: number): void;
  /** Ends the oldest save that is under way. */
  answer(error?: Error): void;
}

function rig({ every = 10, isSlow = false } = {}): Rig {
  const clock = virtualClock();
  const saved: number[] = [];
  const failures: unknown[] = [];
  const answers: ((error?: Error) => void)[] = [];
  let settled = 0;
  const commits = new Committer<number>(
    {
      save(position) {
        saved.push(position);
        if (!isSlow) return undefined;
        return new Promise<void>((resolve, reject) => {
          answers.push((error) => (error === undefined ? resolve() : reject(error)));
        });
      },
      clock,
      every,
      intervalMs: 1_000,
    },
    {
      position: () => settled,
      passed: () => settled,
      saved: () => undefined,
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
    settle(count) {
      settled += count;
      commits.advanced();
    },
    answer: (error) => answers.shift()?.(error),
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

  it('saves the rest when it is closed, and nothing after it', async () => {
    const { clock, settle, saved, commits } = rig();
    settle(1);
    await commits.close();
    settle(9);
    await clock.run(5_000);
    expect([saved, clock.pendingTimers]).toEqual([[1], 0]);
  });
});
