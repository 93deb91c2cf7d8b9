import { proven } from '../helpers/connector-record.js';
import { memoryHarness, memoryInRealTime, memoryOverLink, memoryPartitioned } from '../helpers/memory-bench.js';

for (const harness of [memoryHarness, memoryOverLink, memoryPartitioned, memoryInRealTime]) {
  proven(harness, { seeds: [1, 2, 3] });
}
