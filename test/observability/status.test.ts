import { describe, expect, it } from 'vitest';
import { isLegalStep, type Status } from 'sluice/connection';

const ALL: readonly Status[] = ['idle', 'connecting', 'connected', 'degraded', 'reconnecting', 'closing', 'closed'];
const LEGAL = [
  'idle connecting',
  'idle closed',
  'connecting connected',
  'connecting reconnecting',
  'connecting closing',
  'connected degraded',
  'connected reconnecting',
  'connected closing',
  'degraded connected',
  'degraded reconnecting',
  'degraded closing',
  'reconnecting connected',
  'reconnecting closing',
  'closing closed',
  'closed connecting',
];

describe('isLegalStep', () => {
  it('allows exactly the steps of the walk (OBS-02)', () => {
    const steps = ALL.flatMap((from) => ALL.filter((to) => isLegalStep(from, to)).map((to) => `${from} ${to}`));
    expect(steps.sort()).toEqual([...LEGAL].sort());
  });
});
