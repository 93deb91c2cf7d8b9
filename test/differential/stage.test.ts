import { describe, expect, it } from 'vitest';
import { memorySide } from './memory-side.js';
import { Meeting } from './meeting.js';
import { SCENARIOS } from './scenarios.js';
import { play, type Side } from './stage.js';

async function both(name: string, left: Side, right: Side): Promise<readonly (readonly string[])[]> {
  const run = SCENARIOS.find((one) => one.name === name)?.run ?? Promise.reject;
  const meeting = new Meeting();
  return Promise.all([play(left, meeting, run), play(right, meeting, run)]);
}

describe('a scenario on two systems', () => {
  it('shows the same twice', async () => {
    const [one, other] = await both('brings back what was requeued: bc of abc', memorySide(), memorySide());
    expect(one).toEqual(other);
    expect(one).toContain('A got b #2');
  });

  it('shows where one of them does something else', async () => {
    const right = memorySide();
    const wrong: Side = { ...right, depth: async (channel) => (await right.depth(channel)) + 1 };
    const [one, other] = await both('keeps what nobody reads yet, in order', memorySide(), wrong);
    expect([one?.at(-1), other?.at(-1)]).toEqual(['channel 1: 0 wait', 'channel 1: 1 wait']);
  });
});
