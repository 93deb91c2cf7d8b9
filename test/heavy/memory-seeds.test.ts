import { describe, expect, it } from 'vitest';
import { conformance, runCase, type CaseId, type Harness } from 'sluice/testing';
import { nowhere } from '../helpers/case-ids.js';
import { memoryHarness, memoryOverLink, memoryPartitioned } from '../helpers/memory-bench.js';

/** The same ones each time; `SEEDS=1000` tries more. */
const SEEDS = Number(process.env['SEEDS'] ?? 30);

const casesOf = (harness: Harness): readonly CaseId[] =>
  conformance(harness, nowhere).flatMap(({ id, status }) => (status === 'registered' ? [id] : []));

describe('the cases of the suite on the memory connector, in short runs', () => {
  it('hold for many seeds, each another network (G14)', async () => {
    const harnesses = [memoryHarness, memoryOverLink, memoryPartitioned].map((harness) => ({
      ...harness,
      maxMessages: 40,
    }));
    const cases = harnesses.map(casesOf);
    const failures: string[] = [];
    let runs = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const at = seed % harnesses.length;
      for (const id of cases[at] ?? []) {
        const result = await runCase(harnesses[at] as Harness, id, { seed });
        runs += 1;
        if (result.status === 'failed') failures.push(result.error.message);
      }
    }
    expect(failures).toEqual([]);
    expect(runs).toBeGreaterThan(SEEDS * 30);
  });
});
