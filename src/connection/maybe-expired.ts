import { SluiceError } from '../errors.js';

/** Credentials that are younger have not expired: what is refused with them is refused for good. */
const FRESH_MS = 10_000;

/**
 * What an open connection met, where each one asks for credentials of its own: a refusal of what was allowed may only mean
 * that they have expired, and is tried again with new ones. Over a connection that is young it stays what it is, so that a
 * right that is missing does not become a loop.
 *
 * @param openMs for how long the connection has been open
 * @internal
 */
export function maybeExpired(error: SluiceError, isAsked: boolean, openMs: number): SluiceError {
  if (!isAsked || error.code !== 'AUTH_FAILED' || openMs < FRESH_MS) return error;
  const { message, details } = error;
  const text = `${message.replace(/\.$/, '')}; the login may have expired, so a new password is asked for.`;
  return new SluiceError('CONNECTION_LOST', text, { retriable: true, details, cause: error });
}
