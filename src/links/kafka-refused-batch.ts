import type { Buffer } from 'node:buffer';
import { KEPT_BYTES } from '../connection/oversized.js';
import { SluiceError } from '../errors.js';
import type { KafkaRecord } from './kafka-driver.js';
import { AT } from './kafka-record-batch.js';

/** What is said by who would have to unpack more than it may. */
const TOO_LARGE = 'ERR_BUFFER_TOO_LARGE';

/**
 * What stands for a batch that is not unpacked, or cannot be read: one record at its last offset, with the first of its bytes, which
 * no flow gets. Its records are behind it once it is settled.
 *
 * @param cause what was thrown instead
 * @param maxBytes how much may come out of a batch
 * @internal
 */
export function refusedBatch(batch: Buffer, cause: unknown, maxBytes: number): KafkaRecord {
  const firstOffset = Number(batch.readBigInt64BE());
  const offset = firstOffset + batch.readInt32BE(AT.lastOffset);
  const value = new Uint8Array(batch.subarray(AT.records, AT.records + KEPT_BYTES));
  const { code, message = 'no reason given' } = cause as { readonly code?: unknown; readonly message?: string };
  const details = { firstOffset, lastOffset: offset, maxBytes };
  const what = `kafka: the batch of offsets ${firstOffset} to ${offset}`;
  const refusal =
    code === TOO_LARGE
      ? new SluiceError('PAYLOAD_TOO_LARGE', `${what} unpacks to more than ${maxBytes} bytes.`, { details })
      : new SluiceError('DECODE_FAILED', `${what} cannot be read: ${message}`, { details, cause });
  const timeMs = Number(batch.readBigInt64BE(AT.maxTime));
  return { offset, timeMs, key: null, value, headers: undefined, bytes: value.byteLength, refusal };
}

/** @throws RangeError as the unpackers of Node do, where `bytes` are more than `maxBytes` @internal */
export function checkUnpacked(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw Object.assign(new RangeError(`more than ${maxBytes} bytes`), { code: TOO_LARGE });
}
