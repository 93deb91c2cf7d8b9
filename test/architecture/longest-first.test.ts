import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { TestSpecification, Vitest } from 'vitest/node';
import { LONGEST, LongestFirst } from '../helpers/longest-first.js';

/** A file of a group, as the runner has it. Nothing is known of how long it took. */
const file = (moduleId: string, groupOrder = 0): TestSpecification =>
  ({ moduleId, project: { name: 'all', config: { isolate: true, sequence: { groupOrder } } } }) as never;

const cache = { getFileTestResults: () => undefined, getFileStats: () => undefined };
const sequencer = new LongestFirst({ cache, config: { root: '/' } } as unknown as Vitest);

describe('the order of the test files', () => {
  it('names files that are there', () => {
    expect(LONGEST.filter((name) => !existsSync(name))).toEqual([]);
  });

  it('starts the longest first, within their group, and leaves the others as they were', async () => {
    const [longest = '', second = ''] = LONGEST;
    const files = [
      file('/a.test.ts'),
      file('/b.test.ts'),
      file(`/${second}`),
      file(`/${longest}`),
      file('/c.test.ts', -1),
    ];
    const sorted = await sequencer.sort(files);
    expect(sorted.map(({ moduleId }) => moduleId)).toEqual([
      '/c.test.ts',
      `/${longest}`,
      `/${second}`,
      '/a.test.ts',
      '/b.test.ts',
    ]);
  });
});
