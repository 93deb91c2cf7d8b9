import { SluiceError } from '../errors.js';

/** So much of what is refused goes to the dead letters: every sink takes a payload of that size. @internal */
export const KEPT_BYTES = 65_536;

/**
 * What stands for a payload that is longer than its source takes: the first bytes, copied so that the rest is not held, and
 * why the flow does not get it.
 *
 * @internal
 */
export function oversized(
  source: string,
  payload: Uint8Array,
  maxBytes: number,
): { readonly payload: Uint8Array; readonly refusal: SluiceError } {
  const { byteLength } = payload;
  const text = `${source} takes at most ${maxBytes} bytes (maxBytes), this payload has ${byteLength}.`;
  const refusal = new SluiceError('PAYLOAD_TOO_LARGE', text, { details: { maxBytes, bytes: byteLength } });
  return { payload: new Uint8Array(payload.subarray(0, Math.min(maxBytes, KEPT_BYTES))), refusal };
}
