import { describe, expectTypeOf, it } from 'vitest';
import type { CaseRecord, Harness, Reason } from 'sluice/testing';

describe('the conformance suite', () => {
  it('takes no skip without a reason', () => {
    expectTypeOf<'needs a broker'>().toExtend<Reason>();
    // @ts-expect-error -- no reason
    const empty: Harness['skips'] = { 'CRD-01': '' };
    // @ts-expect-error -- one word is no reason
    const word: Harness['skips'] = { 'CRD-01': 'later' };
    // @ts-expect-error -- not a case
    const unknown: Harness['skips'] = { 'CRD-99': 'not a case' };
    expectTypeOf([empty, word, unknown]).toBeArray();
  });

  it('has a reason in the record exactly when a case is skipped', () => {
    expectTypeOf<Extract<CaseRecord, { status: 'skipped' }>['reason']>().toEqualTypeOf<Reason>();
    expectTypeOf<Extract<CaseRecord, { status: 'registered' }>>().not.toHaveProperty('reason');
  });
});
