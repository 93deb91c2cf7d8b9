import { describe, expect, it } from 'vitest';
import { memorySide } from './memory-side.js';
import { Meeting } from './meeting.js';
import { SCENARIOS } from './scenarios.js';
import { play, type Side } from './stage.js';

async function both(
  name: string,
  left: Side,
  right: Side,
  patienceMs?: number,
): Promise<readonly (readonly string[])[]> {
  const run = SCENARIOS.find((one) => one.name === name)?.run ?? Promise.reject;
  const meeting = new Meeting(patienceMs);
  const common = { abilities: left.abilities, isCounted: true };
  return Promise.all([left, right].map((side) => play(side, meeting, common, run)));
}

describe('a scenario on two systems', () => {
  it('shows the same twice', async () => {
    const [one, other] = await both('brings back what was requeued: bc of abc', memorySide(), memorySide());
    expect(one).toEqual(other);
    expect(one).toContain('A got b #2');
  });

  it('shows where one of them does something else', async () => {
    const right = memorySide();
    const wrong: Side = { ...right, depth: async (channel) => ((await right.depth?.(channel)) ?? 0) + 1 };
    const [one, other] = await both('keeps what nobody reads yet, in order', memorySide(), wrong, 200);
    expect([one?.at(-1), other?.at(-1)]).toEqual(['channel 1: 0', 'channel 1: 1']);
  });

  it('is asked again where one of them learns late how much there is', async () => {
    const right = memorySide();
    let asked = 0;
    const late: Side = {
      ...right,
      depth: async (channel) => ((asked += 1) < 5 ? 9 : ((await right.depth?.(channel)) ?? 0)),
    };
    const [one, other] = await both('keeps two channels apart', memorySide(), late);
    expect(one).toEqual(other);
    expect(asked).toBe(5);
  });
});

it('compares on 40 scenarios or more', () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  expect(SCENARIOS.length).toBeGreaterThanOrEqual(40);
});
