import type * as Client from '@platformatic/kafka';
import type { Buffer } from 'node:buffer';
import type { KafkaHeaders, KafkaRecord } from './kafka-driver.js';

/** Bits of a batch's attributes. Source: Apache Kafka, «Record Batch». */
const LOG_APPEND_TIME = 1 << 3;
const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;
/** What a control record says. */
const ABORT = 0;

/** A part of a partition, as it was read. @internal */
export interface KafkaRead {
  readonly records: readonly KafkaRecord[];
  /** Where the next part begins; undefined when there was nothing. */
  readonly nextOffset: number | undefined;
}

/**
 * What is for readers in the batches of an answer: without what lies before the offset that was asked for, as brokers give
 * whole batches, without control records, and without what was written in transactions that were aborted.
 *
 * Source: Apache Kafka 4.1, `CompletedFetch`; KIP-98.
 *
 * @internal
 */
export function recordsOf(
  batches: readonly Client.RecordsBatch[],
  aborted: readonly Client.fetchV12.FetchResponsePartitionAbortedTransaction[] | null,
  from: number,
): KafkaRead {
  const records: KafkaRecord[] = [];
  let nextOffset: number | undefined;
  const waiting = (aborted ?? []).toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  /** Producers whose transaction here was aborted. */
  const aborting = new Set<bigint>();
  for (const batch of batches) {
    const firstOffset = Number(batch.firstOffset);
    const lastOffset = firstOffset + batch.lastOffsetDelta;
    nextOffset = Math.max(from, lastOffset + 1);
    const { attributes, producerId } = batch;
    while (waiting[0] !== undefined && Number(waiting[0].firstOffset) <= lastOffset)
      aborting.add((waiting.shift() as (typeof waiting)[0]).producerId);
    if ((attributes & CONTROL) !== 0) {
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT) aborting.delete(producerId);
      continue;
    }
    if ((attributes & TRANSACTIONAL) !== 0 && aborting.has(producerId)) continue;
    const isStamped = (attributes & LOG_APPEND_TIME) !== 0;
    const firstMs = Number(batch.firstTimestamp);
    const maxMs = Number(batch.maxTimestamp);
    for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
      const offset = firstOffset + offsetDelta;
      if (offset < from) continue;
      const timeMs = isStamped ? maxMs : firstMs + Number(timestampDelta);
      records.push({ offset, timeMs, key, value, headers: headersOf(headers) });
    }
  }
  return { records, nextOffset };
}

function headersOf(given: readonly (readonly [Buffer | null, Buffer | null])[]): KafkaHeaders | undefined {
  if (given.length === 0) return undefined;
  const headers = Object.create(null) as Record<string, Buffer | Buffer[]>;
  for (const [name, value] of given) {
    // There is no place for a header without a value.
    if (value === null) continue;
    const key = String(name ?? '');
    const known = headers[key];
    if (known === undefined) headers[key] = value;
    else if (Array.isArray(known)) known.push(value);
    else headers[key] = [known, value];
  }
  return headers;
}
