import type { Sending } from '../connection/define-sink.js';
import { SluiceError } from '../errors.js';
import type { KafkaBatch, KafkaGroupOffsets, KafkaProducer } from '../links/kafka-driver.js';
import { isStillMine, transactedBy, type KafkaTransacted } from '../links/kafka-transactions.js';

type Out = Sending<Uint8Array | null>;

/**
 * Writes batches in one transaction, together with the positions of the messages that they were made from. These are acked
 * when all is written and before it is committed: only then their readers know the positions, and a transaction that
 * fails has its readers deliver everything from the last commit on again. Messages from anywhere else are acked after the commit.
 *
 * Source: Apache Kafka protocol guide, `AddOffsetsToTxn`, `TxnOffsetCommit`, `EndTxn`; KIP-98.
 *
 * @internal
 */
export async function transact(
  producer: KafkaProducer,
  batches: readonly KafkaBatch[],
  sendings: readonly Out[],
): Promise<void> {
  const readers = new Set<KafkaTransacted>();
  const later: Out[] = [];
  let told: readonly (KafkaGroupOffsets & { readonly reader: KafkaTransacted })[] = [];
  let tellOver: () => void = () => undefined;
  const over = new Promise<void>((resolve) => (tellOver = resolve));

  function settle(): readonly KafkaGroupOffsets[] {
    if (!sendings.every(({ message }) => isStillMine(message))) {
      const text = 'kafka: a message of the transaction belongs to another member by now.';
      throw new SluiceError('SETTLE_LOST', text, { retriable: true });
    }
    for (const sending of sendings) {
      const by = transactedBy(sending.message);
      if (by === undefined) {
        later.push(sending);
        continue;
      }
      for (const reader of by) readers.add(reader);
    }
    for (const reader of readers) reader.during(over);
    for (const sending of sendings) if (!later.includes(sending)) sending.confirm();
    told = [...readers].map((reader) => ({ reader, group: reader.group, offsets: reader.offsets() }));
    return told.filter(({ offsets }) => offsets.length > 0);
  }

  try {
    await producer.transact(batches, settle);
  } catch (error) {
    for (const reader of readers) reader.failed(error);
    throw error;
  } finally {
    tellOver();
  }
  for (const { reader, offsets } of told) reader.committed(offsets);
  for (const sending of later) sending.confirm();
}
