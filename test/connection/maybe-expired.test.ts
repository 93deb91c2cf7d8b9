import { describe, expect, it } from 'vitest';
import { SluiceError } from 'sluice';
import { maybeExpired } from '../../src/connection/maybe-expired.js';

describe('maybeExpired', () => {
  const refused = new SluiceError('AUTH_FAILED', 'The broker ended the connection.', { details: { reasonCode: 135 } });

  it('has a refusal tried again with new credentials, where there may be such and the old ones may have expired', () => {
    expect(maybeExpired(refused, true, 10_000)).toMatchObject({
      code: 'CONNECTION_LOST',
      retriable: true,
      message: 'The broker ended the connection; the login may have expired, so a new password is asked for.',
      details: { reasonCode: 135 },
      cause: refused,
    });
  });

  it('leaves everything else as it is', () => {
    const lost = new SluiceError('CONNECTION_LOST', 'gone', { retriable: true });
    expect([
      maybeExpired(refused, true, 9_999),
      maybeExpired(refused, false, 60_000),
      maybeExpired(lost, true, 60_000),
    ]).toEqual([refused, refused, lost]);
  });
});
