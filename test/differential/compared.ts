import { expect, it } from 'vitest';
import { memorySide } from './memory-side.js';
import { Meeting } from './meeting.js';
import { SCENARIOS, type Scenario } from './scenarios.js';
import { play, type Side } from './stage.js';

/** How a system is compared with the broker in memory. */
export interface Comparison {
  /** What it tells of a channel: how many messages wait, or how many are not settled. */
  readonly counts?: 'waiting' | 'unsettled';
  open(scenario: Scenario): Promise<Side>;
}

/** Plays every scenario that a system knows of on it and on the broker in memory at the same time: both show the same. */
export function compared({ counts, open }: Comparison): void {
  it.for(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    'both show the same: it %s',
    async ([, scenario], context) => {
      const memory = memorySide(counts);
      const other = await open(scenario);
      context.onTestFinished(() => other.close());
      const missing = scenario.needs.find((ability) => !other.abilities.has(ability));
      if (missing !== undefined) context.skip(`${other.name} does not know: ${missing}`);
      const common = { abilities: other.abilities, isCounted: other.depth !== undefined };
      const meeting = new Meeting();
      const [expected, seen] = await Promise.all(
        [memory, other].map((side) => play(side, meeting, common, scenario.run)),
      );
      expect(seen).toEqual(expected);
      expect(seen?.length).toBeGreaterThan(0);
    },
  );
}
