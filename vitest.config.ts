import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/helpers/longest-first.js';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
// Where a machine wants to read the counts: `TEST_REPORT=file.json npm test`.
const report = process.env['TEST_REPORT'];
// What reads the sources and does not run them says the same under every Node; `SKIP_SOURCE_TESTS=1` leaves it out.
const readsSources = process.env['SKIP_SOURCE_TESTS'] === undefined;

export default defineConfig({
  resolve: {
    alias: [
      { find: /^sluice$/, replacement: source('./src/index.ts') },
      { find: /^sluice\/(.+)$/, replacement: `${source('./src/entries')}/$1.ts` },
    ],
  },
  test: {
    // A condition is awaited as long as a busy machine needs.
    expect: { requireAssertions: true, poll: { timeout: 45_000 } },
    setupFiles: [source('./test/helpers/patience.ts')],
    restoreMocks: true,
    unstubGlobals: true,
    // More than there are cores: half of the time of a suite is waiting, for heartbeats, deadlines and other processes.
    maxWorkers: availableParallelism() + 4,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Starting a process and reading the sources for each file would be a third of the work.
          isolate: false,
          setupFiles: [source('./test/helpers/left-clean.ts')],
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/heavy/**',
            'test/brokers/**',
            'test/integration/**',
            ...(readsSources ? [] : ['test/architecture/**']),
          ],
          // The check of the whole project sees the type tests too; this one reports them by name.
          typecheck: { enabled: readsSources, include: ['test/types/**/*.test-d.ts'] },
        },
      },
      {
        extends: true,
        test: {
          name: 'heavy',
          include: ['test/heavy/**/*.test.ts'],
          testTimeout: 240_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          // Against brokers that the tests start; see test/brokers. Mostly they wait, for brokers to start and for faults
          // to be noticed, so that there may be more of them than cores.
          include: ['test/brokers/**/*.test.ts', 'test/integration/**/*.test.ts'],
          globalSetup: [source('./test/brokers/announce.ts')],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 4,
          maxConcurrency: 16,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
