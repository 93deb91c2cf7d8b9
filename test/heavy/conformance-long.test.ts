import { describe, expect, it } from 'vitest';
import { runCase } from 'sluice/testing';
import { memoryInRealTime } from '../helpers/memory-bench.js';

/** `SOAK_MS=3600000` goes on for an hour. */
const SOAK_MS = Number(process.env['SOAK_MS'] ?? 10_000);

describe('cases of the suite at their full length', () => {
  it('a million synchronous acks neither deepen the stack nor starve a timer (CRD-03)', async () => {
    const harness = { ...memoryInRealTime, maxMessages: 1_000_000, withinMs: 200_000 };
    expect(await runCase(harness, 'CRD-03')).toEqual({ status: 'passed' });
  });

  it('memory does not grow while it works for long (RES-02)', { timeout: SOAK_MS + 120_000 }, async () => {
    const harness = { ...memoryInRealTime, soakMs: SOAK_MS };
    expect(await runCase(harness, 'RES-02')).toEqual({ status: 'passed' });
  });
});
