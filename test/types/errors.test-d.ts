import { describe, expectTypeOf, it } from 'vitest';
import { isSluiceError, SluiceError, type ErrorCode } from 'sluice';

describe('errors', () => {
  it('carry a code of the closed list', () => {
    expectTypeOf<SluiceError['code']>().toEqualTypeOf<ErrorCode>();
    // @ts-expect-error -- not a code of the list
    new SluiceError('NO_SUCH_CODE', 'text');
  });

  it('are narrowed from unknown', () => {
    const thrown: unknown = new Error('x');
    if (isSluiceError(thrown, 'UNROUTED')) expectTypeOf(thrown).toEqualTypeOf<SluiceError>();
  });
});
