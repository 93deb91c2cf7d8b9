import { describe, expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';
import { within } from '../../src/links/kafka-within.js';

describe('within', () => {
  it('says whether it resolves in time, and leaves no timer', async () => {
    const clock = virtualClock();
    expect(await within(clock, 10, Promise.resolve())).toBe(true);
    expect(await within(clock, 10, Promise.reject(new Error('no')))).toBe(false);
    const late = within(clock, 10, new Promise(() => undefined));
    await clock.run(10);
    expect(await late).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });
});
