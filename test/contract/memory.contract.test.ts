import { describe, expect, it } from 'vitest';
import { conformance } from 'sluice/testing';
import { memoryHarness, memoryInRealTime, memoryOverLink, memoryPartitioned } from '../helpers/memory-bench.js';

const runner = { describe, it, expect: (actual: unknown, what?: string) => expect(actual, what) };

for (const harness of [memoryHarness, memoryOverLink, memoryPartitioned, memoryInRealTime]) {
  conformance(harness, runner, { seeds: [1, 2, 3, 4, 5] });
}
