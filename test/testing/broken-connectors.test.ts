import { describe, expect, it } from 'vitest';
import { conformance, runCase } from 'sluice/testing';
import { CASE_IDS, nowhere } from '../helpers/case-ids.js';
import { BROKEN_CONDUCT } from './broken-conduct.js';
import { BROKEN_DELIVERIES } from './broken-deliveries.js';
import { BROKEN_INSIDE } from './broken-inside.js';
import { BROKEN_STREAMS } from './broken-streams.js';
import { tinyHarness } from './tiny-connector.js';

const OUTSIDE = [...BROKEN_STREAMS, ...BROKEN_DELIVERIES, ...BROKEN_CONDUCT];

describe('a broken connector', () => {
  it.each(BROKEN_INSIDE)('that %s is caught by %s', async (defect, id) => {
    const result = await runCase(tinyHarness({ defects: [defect] }), id);
    expect(result.status).toBe('failed');
  });

  it.each(OUTSIDE)('that %s is caught by %s', async (_defect, id, text, options) => {
    const result = await runCase(tinyHarness(options), id);
    expect(result).toMatchObject({ status: 'failed', error: { message: expect.stringMatching(text) } });
  });
});

describe('the broken connectors', () => {
  const bitten = new Set([...BROKEN_INSIDE, ...OUTSIDE].map(([, id]) => id));
  // Those that are registered for the whole one are run in connector-suite.test.ts.
  const whole = [tinyHarness(), tinyHarness({ finite: true })].flatMap((harness) => conformance(harness, nowhere));
  const run = new Set(whole.filter(({ status }) => status === 'registered').map(({ id }) => id));
  // How much a process grows says nothing in a run as short as this one; test/heavy has one that is long.
  const others = OUTSIDE.filter(([, id]) => !run.has(id) && id !== 'RES-02');

  it('leave no case out that could not fail', () => {
    const unbitten = CASE_IDS.filter((id) => !bitten.has(id));
    // Listed and skipped: there is nothing to break yet.
    expect(unbitten.filter((id) => !id.startsWith('RPC'))).toEqual([]);
  });

  it.each(others)(
    'differ from the whole one by nothing but what is wrong: %s, %s',
    async (_defect, id, _text, options) => {
      const whole = tinyHarness({ ...options, defects: [], wrap: (bench) => bench });
      expect(await runCase(whole, id)).toEqual({ status: 'passed' });
    },
  );
});
