import process from 'node:process';
import { proven } from '../helpers/connector-record.js';
import { memoryHarness, memoryInRealTime, memoryOverLink, memoryPartitioned } from '../helpers/memory-bench.js';

/** What a seed decides is the same under every Node: `.ci/run` asks for one of them under the others. */
const seeds = [1, 2, 3].slice(0, Number(process.env['CASE_SEEDS'] ?? 3));

for (const harness of [memoryHarness, memoryOverLink, memoryPartitioned, memoryInRealTime]) proven(harness, { seeds });
