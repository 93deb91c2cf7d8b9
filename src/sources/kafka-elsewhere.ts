import type { Buffer } from 'node:buffer';
import type { Cancel, Clock } from '../clock.js';
import { Ring } from '../connection/ring.js';
import { wait } from '../connection/wait.js';
import type { KafkaBatch, KafkaClient, KafkaOutgoing, KafkaProducer } from '../links/kafka-driver.js';
import { kafkaError } from '../links/kafka-errors.js';
import { DEAD_TIME, keyBytes, outgoing, RETRY, sizeOf } from '../links/kafka-message.js';
import { partitionForKey } from '../links/kafka-partitioner.js';
import { within } from '../links/kafka-within.js';
import { deadLetterHeaders } from '../message/dead-letter.js';
import { headerText, type MessageHeaders } from '../message/headers.js';
import type { Message } from '../message/message.js';
import { report } from '../observability/observe.js';
import type { KafkaDelivery } from './kafka-delivery.js';

/**
 * A topic where messages wait for their next delivery.
 *
 * @see KafkaSourceOptions
 */
export interface KafkaRetryTopic {
  readonly topic: string;
  /** How long a message waits there before it is delivered again, in milliseconds. */
  readonly delayMs: number;
}

/** Where messages go that are not settled where they are. */
export interface KafkaElsewherePlan {
  readonly retryTopics: readonly KafkaRetryTopic[];
  readonly deadTopic: string | undefined;
  readonly idHeader: string | undefined;
  readonly idempotent: boolean;
}

/** One on its way. */
interface Sent {
  readonly topic: string;
  readonly record: KafkaOutgoing;
  readonly confirm: () => void;
  /** It was refused together with others, and it is not known which of them was meant. */
  isAlone: boolean;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;
const CLOSE_MS = 5_000;
const MAX_BATCH = 100;
/** So much is one batch at most, as brokers take it unless they are told otherwise; a larger message goes alone. */
const MAX_BATCH_BYTES = 1_000_000;

/**
 * Sends messages that are given up, or tried again later, to the topics for that; again and again until they are confirmed.
 *
 * @internal
 */
export class KafkaElsewhere {
  private readonly client: KafkaClient;
  private readonly plan: KafkaElsewherePlan;
  private readonly clock: Clock;
  private readonly waiting = new Ring<Sent>();
  private readonly partitions = new Map<string, number>();
  private producer: KafkaProducer | undefined;
  private working: Promise<void> | undefined;
  private turn = 0;
  /** Refused for what they are, or for their topic: they wait for their next try beside all others. */
  private refused: Sent[] = [];
  private refusedMs = FIRST_WAIT_MS;
  private cancelRetry: Cancel | undefined;
  private isOver = false;

  constructor(client: KafkaClient, plan: KafkaElsewherePlan, clock: Clock) {
    this.client = client;
    this.plan = plan;
    this.clock = clock;
  }

  /** Sends it to the topic for its next delivery; `sent` is called once it is there. False where there is no such topic. */
  retry(delivery: KafkaDelivery, message: Message<unknown>, sent: () => void): boolean {
    const { retryTopics } = this.plan;
    const to = retryTopics[Math.min(message.attempt, retryTopics.length) - 1];
    if (to === undefined) return false;
    this.send(to.topic, delivery, sent, {
      ...delivery.headers,
      [RETRY.topic]: delivery.topic,
      [RETRY.attempt]: String(message.attempt + 1),
      [RETRY.due]: String(Math.ceil(this.clock.now() + to.delayMs)),
      [RETRY.time]: String(delivery.timeMs),
    });
    return true;
  }

  /** The same for one that is given up. */
  dead(delivery: KafkaDelivery, message: Message<unknown>, reason: unknown, sent: () => void): boolean {
    const { deadTopic } = this.plan;
    if (deadTopic === undefined) return false;
    const { topic, partition } = delivery.log;
    const position = `topic ${topic}, partition ${partition}, offset ${delivery.record.offset}`;
    const headers = deadLetterHeaders(message, reason, position);
    const time = headerText(headers, DEAD_TIME) ?? String(delivery.timeMs);
    this.send(deadTopic, delivery, sent, { ...headers, [DEAD_TIME]: time });
    return true;
  }

  /** Waits for what is on its way, for a while; the rest stays unsettled where it came from. */
  async close(): Promise<void> {
    if (this.working !== undefined) await within(this.clock, CLOSE_MS, this.working);
    this.isOver = true;
    this.cancelRetry?.();
    this.waiting.clear();
    await this.producer?.close();
  }

  private send(topic: string, delivery: KafkaDelivery, confirm: () => void, headers: MessageHeaders): void {
    const { record } = delivery;
    const key = keyBytes(record.key ?? undefined);
    const { idHeader } = this.plan;
    // Its own time would have the brokers throw an old message away before somebody has read it there.
    const timeMs = this.clock.now();
    const out = outgoing({ id: delivery.id, payload: record.value, timeMs, headers }, key, idHeader);
    this.waiting.push({ topic, record: out, confirm, isAlone: false });
    this.start();
  }

  private start(): void {
    this.working ??= this.work().finally(() => (this.working = undefined));
  }

  private async work(): Promise<void> {
    let waitMs = FIRST_WAIT_MS;
    while (this.waiting.length > 0 && !this.isOver) {
      const batch = this.take();
      try {
        await this.sendAll(batch);
        for (const { confirm } of batch) confirm();
        waitMs = FIRST_WAIT_MS;
        if (this.refused.length === 0) this.refusedMs = FIRST_WAIT_MS;
      } catch (error) {
        const isPassing = this.failed(batch, error);
        await this.reset();
        if (!isPassing) continue;
        await wait(this.clock, waitMs);
        waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
      }
    }
  }

  /** What goes to the topic of the first, which others may be waiting for behind one that takes nothing. */
  private take(): Sent[] {
    const batch: Sent[] = [];
    const topic = this.waiting.peek()?.topic;
    let bytes = 0;
    for (const one of this.waiting.clear()) {
      const size = bytes + sizeOf(one.record);
      const isRoom = batch.length < MAX_BATCH && size <= MAX_BATCH_BYTES && batch[0]?.isAlone !== true && !one.isAlone;
      if (one.topic === topic && (batch.length === 0 || isRoom)) {
        batch.push(one);
        bytes = size;
      } else this.waiting.push(one);
    }
    return batch;
  }

  /** True where all of it is tried again as it was, after a wait. */
  private failed(batch: readonly Sent[], error: unknown): boolean {
    const reason = kafkaError(error, `kafka could not send to ${batch[0]?.topic}, which is tried again`);
    report({ type: 'stage.failed', stage: 'kafka', reason });
    const isOfOne = reason.code === 'PAYLOAD_TOO_LARGE' || reason.code === 'SINK_FAILED';
    if (reason.retriable || (isOfOne && batch.length > 1)) {
      for (const one of batch.toReversed()) {
        one.isAlone = !reason.retriable;
        this.waiting.unshift(one);
      }
      return reason.retriable;
    }
    this.refused.push(...batch);
    this.cancelRetry ??= this.clock.timer(this.refusedMs, () => this.retryRefused());
    return false;
  }

  private retryRefused(): void {
    this.cancelRetry = undefined;
    this.refusedMs = Math.min(LONGEST_WAIT_MS, this.refusedMs * 2);
    for (const one of this.refused.splice(0)) this.waiting.push(one);
    this.start();
  }

  private async sendAll(batch: readonly Sent[]): Promise<void> {
    const { idempotent } = this.plan;
    const plan = { idempotent, acks: -1, compression: 'none', transactionalId: undefined } as const;
    this.producer ??= await this.client.producer(plan, { lost: () => void this.reset(), alive: () => undefined });
    const { producer } = this;
    const batches = new Map<string, KafkaBatch & { readonly records: KafkaOutgoing[] }>();
    for (const { topic, record } of batch) {
      const partition = await this.partitionOf(topic, record.key);
      const name = `${topic}/${partition}`;
      const known = batches.get(name);
      if (known === undefined) batches.set(name, { topic, partition, records: [record] });
      else known.records.push(record);
    }
    await producer.send([...batches.values()]);
  }

  private async partitionOf(topic: string, key: Buffer | null): Promise<number> {
    let count = this.partitions.get(topic);
    if (count === undefined) this.partitions.set(topic, (count = await this.client.partitions(topic)));
    return key === null ? (this.turn += 1) % count : partitionForKey(key, count);
  }

  /** After a failure nobody knows what a producer thinks. */
  private async reset(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    this.partitions.clear();
    await producer?.close();
  }
}
