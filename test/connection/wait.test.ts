import { describe, expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';
import { wait } from '../../src/connection/wait.js';

describe('wait', () => {
  it('is over when its time has passed, on the clock it was given', async () => {
    const clock = virtualClock();
    let isOver = false;
    const waiting = wait(clock, 300).then(() => (isOver = true));
    await clock.run(299);
    expect([isOver, clock.pendingTimers]).toEqual([false, 1]);
    await clock.run(1);
    await waiting;
    expect([isOver, clock.pendingTimers]).toEqual([true, 0]);
  });
});
