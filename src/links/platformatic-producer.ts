import type * as Client from '@platformatic/kafka';
import type { Buffer } from 'node:buffer';
import type { KafkaBatch, KafkaGroupOffsets, KafkaOutgoing, KafkaProducer, KafkaProducerPlan } from './kafka-driver.js';
import { recordBatch } from './kafka-record-batch.js';
import { within } from './kafka-within.js';
import { COORDINATES, type PlatformaticCluster } from './platformatic-cluster.js';
import { raw, type PlatformaticConnection } from './platformatic-connection.js';
import { committedTopics } from './platformatic-offsets.js';

const CLOSE_MS = 2_000;
/** After so long the cluster aborts a transaction itself. */
const TRANSACTION_MS = 60_000;
/** The one behind the highest sequence number. */
const SEQUENCES = 2 ** 31;
/** The positions are those of the group, whoever its members are. */
const NO_GENERATION = -1;

interface Identity {
  readonly id: bigint;
  readonly epoch: number;
}

/**
 * A producer that tries nothing twice: after a failure it is used again only where one batch was sent alone, and refused.
 *
 * Source: Apache Kafka protocol guide, `Produce`, `InitProducerId`, `AddPartitionsToTxn`, `EndTxn`; KIP-98.
 *
 * @internal
 */
export class PlatformaticProducer implements KafkaProducer {
  private readonly cluster: PlatformaticCluster;
  private readonly plan: KafkaProducerPlan;
  /** Undefined for one that is not idempotent. */
  private identity: Identity | undefined;
  /** The next sequence number of each partition. */
  private readonly sequences = new Map<string, number>();
  private closing: Promise<void> | undefined;

  constructor(cluster: PlatformaticCluster, plan: KafkaProducerPlan) {
    this.cluster = cluster;
    this.plan = plan;
  }

  async start(): Promise<void> {
    await this.cluster.connect();
    const { idempotent, transactionalId } = this.plan;
    if (!idempotent && transactionalId === undefined) return;
    const { api } = this.cluster.client.initProducerIdV4;
    const ask = (broker: PlatformaticConnection): Promise<Client.initProducerIdV4.InitProducerIdResponse> =>
      broker.ask((to) => api.async(to, transactionalId ?? null, TRANSACTION_MS, -1n, -1));
    // A broker that was just started has no numbers to give yet.
    const told =
      transactionalId === undefined
        ? await this.cluster.patiently(async () => ask(await this.cluster.any()))
        : await this.coordinated(ask);
    this.identity = { id: told.producerId, epoch: told.producerEpoch };
  }

  async send(batches: readonly KafkaBatch[]): Promise<void> {
    const byLeader = new Map<number, KafkaBatch[]>();
    for (const batch of batches) {
      const leader = await this.cluster.leaderOf(batch);
      const known = byLeader.get(leader);
      if (known === undefined) byLeader.set(leader, [batch]);
      else known.push(batch);
    }
    await Promise.all([...byLeader].map(async ([leader, some]) => this.produce(await this.cluster.at(leader), some)));
  }

  async transact(batches: readonly KafkaBatch[], settle: () => readonly KafkaGroupOffsets[]): Promise<void> {
    try {
      await this.begin(batches);
      await this.send(batches);
      for (const positions of settle()) await this.sendOffsets(positions);
      await this.end(true);
    } catch (error) {
      // What cannot be aborted now is when the next producer of this id begins.
      await within(this.cluster.cluster.clock, CLOSE_MS, this.end(false));
      throw error;
    }
  }

  close(): Promise<void> {
    this.cluster.leave();
    this.cluster.destroy();
    return (this.closing ??= Promise.resolve());
  }

  private async produce(broker: PlatformaticConnection, batches: readonly KafkaBatch[]): Promise<void> {
    const { cluster, client } = this.cluster;
    const { acks, transactionalId = null } = this.plan;
    const topics = new Map<string, { readonly partition: number; readonly batch: Buffer }[]>();
    for (const { topic, partition, records } of batches) {
      let known = topics.get(topic);
      if (known === undefined) topics.set(topic, (known = []));
      known.push({ partition, batch: this.batchOf(topic, partition, records) });
    }
    const payload = (): Client.Writer =>
      client.Writer.create()
        .appendString(transactionalId)
        .appendInt16(acks)
        .appendInt32(cluster.requestTimeoutMs)
        .appendArray([...topics], (to, [topic, parts]) => {
          to.appendString(topic).appendArray(parts, (part, { partition, batch }) => {
            // One more than its length, as none stands for nothing.
            part
              .appendInt32(partition)
              .appendUnsignedVarInt(batch.length + 1)
              .append(batch);
          });
        })
        .appendTaggedFields();
    const { api, parseResponse } = client.produceV9;
    try {
      await broker.ask((to) => raw(to, api, payload, parseResponse));
    } catch (error) {
      // What was refused has used none: what is sent next has its numbers.
      for (const { topic, partition, records } of batches) this.count(`${topic}/${partition}`, -records.length);
      throw error;
    }
  }

  /** Gives the sequence number that is next, and goes on by so many. */
  private count(name: string, by: number): number {
    const next = this.sequences.get(name) ?? 0;
    this.sequences.set(name, (next + by + SEQUENCES) % SEQUENCES);
    return next;
  }

  private batchOf(topic: string, partition: number, records: readonly KafkaOutgoing[]): Buffer {
    const { compression, transactionalId } = this.plan;
    const sequence = this.count(`${topic}/${partition}`, records.length);
    return recordBatch(records, {
      producer: this.identity === undefined ? undefined : { ...this.identity, sequence },
      isTransactional: transactionalId !== undefined,
      compression,
      checksum: this.cluster.client.crc32c,
    });
  }

  // --- transactions ---------------------------------------------------------------------------------------------------

  /** Tells the coordinator which partitions are written to, before they are. */
  private async begin(batches: readonly KafkaBatch[]): Promise<void> {
    const { api } = this.cluster.client.addPartitionsToTxnV3;
    const byTopic = new Map<string, number[]>();
    for (const { topic, partition } of batches) byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition]);
    const topics = [...byTopic].map(([name, partitions]) => ({ name, partitions: [...new Set(partitions)] }));
    const { transactionalId, id, epoch } = this.transaction;
    const asked = [{ transactionalId, producerId: id, producerEpoch: epoch, verifyOnly: false, topics }];
    await this.coordinated((broker) => broker.ask((to) => api.async(to, asked)));
  }

  private async sendOffsets({ group, offsets }: KafkaGroupOffsets): Promise<void> {
    const { addOffsetsToTxnV3, txnOffsetCommitV3 } = this.cluster.client;
    const { transactionalId, id, epoch } = this.transaction;
    await this.coordinated((broker) =>
      broker.ask((to) => addOffsetsToTxnV3.api.async(to, transactionalId, id, epoch, group)),
    );
    const topics = committedTopics(offsets);
    await this.cluster.coordinated(COORDINATES.group, group, (broker) =>
      broker.ask((to) =>
        txnOffsetCommitV3.api.async(to, transactionalId, group, id, epoch, NO_GENERATION, '', null, topics),
      ),
    );
  }

  private async end(isCommitted: boolean): Promise<void> {
    const { api } = this.cluster.client.endTxnV3;
    const { transactionalId, id, epoch } = this.transaction;
    await this.coordinated((broker) => broker.ask((to) => api.async(to, transactionalId, id, epoch, isCommitted)));
  }

  private get transaction(): Identity & { readonly transactionalId: string } {
    const { transactionalId } = this.plan;
    if (transactionalId === undefined || this.identity === undefined) throw new Error('It has no transactionalId.');
    return { ...this.identity, transactionalId };
  }

  private coordinated<T>(work: (broker: PlatformaticConnection) => Promise<T>): Promise<T> {
    return this.cluster.coordinated(COORDINATES.transaction, this.plan.transactionalId ?? '', work);
  }
}
