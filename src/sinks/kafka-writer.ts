import type { Buffer } from 'node:buffer';
import type { Cancel } from '../clock.js';
import { bytesToSend } from '../connection/bytes-to-send.js';
import type { Sending, Writer, WriterContext } from '../connection/define-sink.js';
import { Ring } from '../connection/ring.js';
import { SluiceError } from '../errors.js';
import type { KafkaBatch, KafkaClient, KafkaOutgoing, KafkaProducer } from '../links/kafka-driver.js';
import { kafkaError } from '../links/kafka-errors.js';
import { isTopicName, keyBytes, outgoing, sizeOf } from '../links/kafka-message.js';
import { partitionForKey } from '../links/kafka-partitioner.js';
import type { Message } from '../message/message.js';
import { transact } from './kafka-transact.js';

type Out = Message<Uint8Array | null>;

/** How messages become records. */
export interface KafkaWriterPlan {
  readonly client: KafkaClient;
  readonly topicOf: (message: Out) => string;
  readonly keyOf: (message: Out) => string | Uint8Array | undefined;
  readonly partitionOf: ((message: Out, partitions: number) => number | undefined) | undefined;
  readonly idHeader: string | undefined;
  readonly maxBytes: number;
  readonly maxBatch: number;
  readonly maxBatchBytes: number;
  readonly lingerMs: number;
  /** One transaction after the other, each with all that has come together. */
  readonly isTransactional: boolean;
  /** What is known of the sink beyond one writer. */
  readonly memory: KafkaWriterMemory;
}

/** What outlives a writer. */
export interface KafkaWriterMemory {
  /** So many messages are sent alone: one of them was refused together with others, and it is not known which. */
  alone: number;
}

interface Record {
  readonly sending: Sending<Uint8Array | null>;
  readonly out: KafkaOutgoing;
  readonly bytes: number;
}

/** How long the number of partitions is taken for known. */
const REFRESH_MS = 300_000;
/** Batches that leave together come as one request for each broker, which closes the connection for one above 100 MiB. */
const REQUEST_BYTES = 33_554_432;

/** A batch that is under way. */
interface Part {
  readonly lane: Lane;
  readonly records: readonly Record[];
}

/** What goes to one partition. */
interface Lane {
  readonly topic: string;
  readonly partition: number;
  readonly waiting: Ring<Record>;
  /** At most one batch of a partition is under way: two could change places when the first is tried again. */
  isOut: boolean;
}

interface Topic {
  /** Undefined until it was asked for the first time. */
  partitions: number | undefined;
  /** When it was asked for last: a topic may be given more. */
  askedMs: number;
  /** What came before that was known. */
  readonly early: Ring<Sending<Uint8Array | null>>;
  /** Messages without a key go to one partition until a batch of it has left, so that batches are large. */
  sticky: number;
}

/** Sends records in batches, at most one per partition at a time. @internal */
export class KafkaWriter implements Writer<Uint8Array | null> {
  private readonly producer: KafkaProducer;
  private readonly context: WriterContext;
  private readonly plan: KafkaWriterPlan;
  private readonly topics = new Map<string, Topic>();
  private readonly lanes = new Map<string, Lane>();
  private cancelLinger: Cancel | undefined;
  /** A batch leaves with the end of this turn. */
  private isDue = false;
  private isFlushing = false;
  private isOver = false;
  /** Under way alone: nothing else goes out beside it. */
  private isAlone = false;

  constructor(producer: KafkaProducer, context: WriterContext, plan: KafkaWriterPlan) {
    this.producer = producer;
    this.context = context;
    this.plan = plan;
  }

  send(sending: Sending<Uint8Array | null>): void {
    const { payload } = sending.message;
    // Null is a tombstone.
    if (payload !== null) bytesToSend('kafkaSink', payload, this.plan.maxBytes);
    const name = this.plan.topicOf(sending.message);
    if (!isTopicName(name)) throw unroutable(name, 'that is no name of a topic');
    const topic = this.topicOf(name);
    if (topic.partitions === undefined) topic.early.push(sending);
    else {
      if (this.context.clock.elapsed() - topic.askedMs >= REFRESH_MS) this.refresh(name, topic);
      this.place(sending, name, topic, topic.partitions);
    }
  }

  flush(): void {
    this.isFlushing = true;
    this.go();
  }

  async close(): Promise<void> {
    this.isOver = true;
    this.cancelLinger?.();
    await this.producer.close();
  }

  lost(error: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.context.lost(kafkaError(error, 'kafka producer lost'));
  }

  private topicOf(name: string): Topic {
    const known = this.topics.get(name);
    if (known !== undefined) return known;
    const topic: Topic = { partitions: undefined, askedMs: this.context.clock.elapsed(), early: new Ring(), sticky: 0 };
    this.topics.set(name, topic);
    this.plan.client.partitions(name).then(
      (count) => {
        topic.partitions = count;
        topic.sticky = Math.floor(this.context.clock.random() * count);
        for (const sending of topic.early.clear()) this.tryPlace(sending, name, topic, count);
      },
      (error: unknown) => this.unknown(name, topic, error),
    );
    return topic;
  }

  /** As other clients do, so that all of them find the same partition for a key. */
  private refresh(name: string, topic: Topic): void {
    topic.askedMs = this.context.clock.elapsed();
    this.plan.client.partitions(name).then(
      (count) => (topic.partitions = count),
      // Whether the topic is gone is for the next batch to find out.
      () => undefined,
    );
  }

  private unknown(name: string, topic: Topic, error: unknown): void {
    this.topics.delete(name);
    const reason = kafkaError(error, `kafka topic ${name}`);
    if (reason.retriable) {
      this.lost(reason);
      return;
    }
    const failure = reason.code === 'CONFIG_INVALID' ? unroutable(name, 'there is no such topic', error) : reason;
    for (const sending of topic.early.clear()) sending.fail(failure);
  }

  /** Like `send`, where nobody catches. */
  private tryPlace(sending: Sending<Uint8Array | null>, name: string, topic: Topic, count: number): void {
    try {
      this.place(sending, name, topic, count);
    } catch (error) {
      sending.fail(error);
    }
  }

  private place(sending: Sending<Uint8Array | null>, name: string, topic: Topic, count: number): void {
    const { keyOf, idHeader } = this.plan;
    const { message } = sending;
    const key = keyBytes(keyOf(message));
    const out = outgoing(message, key, idHeader);
    const partition = this.partitionOf(message, key, topic, count);
    const lane = this.laneOf(name, partition);
    lane.waiting.push({ sending, out, bytes: sizeOf(out) });
    this.schedule(lane);
  }

  private partitionOf(message: Out, key: Buffer | null, topic: Topic, count: number): number {
    const chosen = this.plan.partitionOf?.(message, count);
    if (chosen === undefined) return key === null ? topic.sticky : partitionForKey(key, count);
    if (Number.isInteger(chosen) && chosen >= 0 && chosen < count) return chosen;
    throw unroutable(message.topic, `it has no partition ${chosen}, but 0 to ${count - 1}`);
  }

  private laneOf(topic: string, partition: number): Lane {
    const name = `${topic}/${partition}`;
    let lane = this.lanes.get(name);
    if (lane === undefined) this.lanes.set(name, (lane = { topic, partition, waiting: new Ring(), isOut: false }));
    return lane;
  }

  /** A full batch goes with the end of the turn that filled it, what is less after the linger. */
  private schedule(lane: Lane): void {
    const { lingerMs, maxBatch } = this.plan;
    const { clock } = this.context;
    if (this.isDue || lane.isOut) return;
    if (lingerMs === 0 || this.isFlushing || lane.waiting.length >= maxBatch) this.goSoon();
    else this.cancelLinger ??= clock.timer(lingerMs, () => this.go());
  }

  private goSoon(): void {
    this.isDue = true;
    this.context.clock.defer(() => this.go());
  }

  private go(): void {
    this.isDue = false;
    this.cancelLinger?.();
    this.cancelLinger = undefined;
    if (this.isOver || this.isAlone || (this.plan.isTransactional && this.isOut())) return;
    if (this.plan.memory.alone > 0) {
      this.goAlone();
      return;
    }
    let parts: Part[] = [];
    let bytes = 0;
    for (const lane of this.ready()) {
      const records = this.take(lane);
      parts.push({ lane, records });
      bytes += records.reduce((sum, record) => sum + record.bytes, 0);
      if (bytes < REQUEST_BYTES) continue;
      void this.deliver(parts);
      // The rest goes in the next transaction.
      if (this.plan.isTransactional) return;
      parts = [];
      bytes = 0;
    }
    if (parts.length > 0) void this.deliver(parts);
  }

  private ready(): readonly Lane[] {
    return [...this.lanes.values()].filter((lane) => !lane.isOut && lane.waiting.length > 0);
  }

  private isOut(): boolean {
    return [...this.lanes.values()].some((lane) => lane.isOut);
  }

  private take(lane: Lane): Record[] {
    const { maxBatch, maxBatchBytes } = this.plan;
    const records: Record[] = [];
    let bytes = 0;
    for (let next = lane.waiting.peek(); next !== undefined; next = lane.waiting.peek()) {
      bytes += next.bytes;
      if (records.length >= maxBatch || (records.length > 0 && bytes > maxBatchBytes)) break;
      records.push(lane.waiting.shift() as Record);
    }
    const topic = this.topics.get(lane.topic);
    if (topic?.sticky === lane.partition) topic.sticky = (topic.sticky + 1) % (topic.partitions ?? 1);
    return records;
  }

  private goAlone(): void {
    const lane = [...this.lanes.values()].find(({ waiting }) => waiting.length > 0);
    const record = lane?.waiting.shift();
    if (lane === undefined || record === undefined) return;
    this.plan.memory.alone -= 1;
    this.isAlone = true;
    void this.deliver([{ lane, records: [record] }]);
  }

  private async deliver(parts: readonly Part[]): Promise<void> {
    for (const { lane } of parts) lane.isOut = true;
    const batches: KafkaBatch[] = parts.map(({ lane: { topic, partition }, records }) => ({
      topic,
      partition,
      records: records.map(({ out }) => out),
    }));
    try {
      const sendings = parts.flatMap(({ records }) => records).map(({ sending }) => sending);
      if (this.plan.isTransactional) await transact(this.producer, batches, sendings);
      else {
        await this.producer.send(batches);
        for (const sending of sendings) sending.confirm();
      }
    } catch (error) {
      this.failed(parts, error);
    }
    for (const { lane } of parts) lane.isOut = false;
    this.isAlone = false;
    // Confirming makes sources give more in this turn: it goes with what waits instead of as a second, small batch.
    if (!this.isOver && !this.isDue && this.ready().length > 0) this.goSoon();
  }

  private failed(parts: readonly Part[], error: unknown): void {
    const reason = kafkaError(error, 'kafka did not take what was sent');
    if (reason.retriable) {
      this.lost(reason);
      return;
    }
    const count = parts.reduce((sum, { records }) => sum + records.length, 0);
    const [first] = parts;
    const [only] = first?.records ?? [];
    if (count > 1 || first === undefined || only === undefined) {
      // One of them is at fault, and what became of the others is not known: all go out again, each alone.
      this.plan.memory.alone = count;
      this.lost(new SluiceError(reason.code, reason.message, { retriable: true, cause: reason }));
    } else if (reason.code === 'CONFIG_INVALID') this.gone(first.lane, only.sending, reason);
    else only.sending.fail(reason);
  }

  /** The topic is, or only the partition: one that is made anew may have fewer than it had. */
  private gone({ topic: name, partition }: Lane, sending: Sending<Uint8Array | null>, reason: SluiceError): void {
    const fail = (): void => sending.fail(unroutable(name, 'it is gone', reason));
    this.plan.client.partitions(name).then((count) => {
      const topic = this.topics.get(name);
      if (topic === undefined || partition < count) {
        fail();
        return;
      }
      topic.partitions = count;
      topic.sticky %= count;
      this.tryPlace(sending, name, topic, count);
    }, fail);
  }
}

function unroutable(topic: unknown, why: string, cause?: unknown): SluiceError {
  return new SluiceError('UNROUTABLE', `kafka topic '${String(topic).slice(0, 100)}': ${why}.`, { cause });
}
