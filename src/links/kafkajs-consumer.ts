import type {
  Assigner,
  Cluster,
  Consumer,
  EachBatchPayload,
  Kafka,
  IHeaders,
  KafkaMessage,
  PartitionAssigner,
} from 'kafkajs';
import { headerBytes } from '../message/headers.js';
import type { SluiceError } from '../errors.js';
import type {
  KafkaConsumer,
  KafkaConsumerEvents,
  KafkaConsumerPlan,
  KafkaHeaders,
  KafkaOffset,
  KafkaPartitionName,
  KafkaRecord,
} from './kafka-driver.js';
import { within } from './kafka-within.js';
import { unanswered } from './kafka-errors.js';
import { leaveOutAborted } from './kafkajs-aborted.js';
import { KafkaJsMember } from './kafkajs-member.js';
import type { KafkaJsSockets } from './kafkajs-sockets.js';
import { boundUnpacking } from './kafkajs-unpack.js';

/** The name that clients of other languages use for the same way to share out. */
const ASSIGNER = 'roundrobin';
/** So many partitions are handed over side by side. */
const CONCURRENCY = 32;
/** How long an orderly end may take. */
const CLOSE_MS = 2_000;

/** Where a partition is read. */
interface Position {
  /** The next batch is asked for from there. */
  readonly offset: string;
  /** One that began elsewhere was not taken. */
  isDoubted: boolean;
  /** The same with what the client passes over by itself, as it is for brokers only. */
  readTo: number;
}

/** A member of a group over kafkajs. @internal */
export class KafkaJsConsumer implements KafkaConsumer {
  private readonly self: KafkaJsMember;
  /** Its name when it was given its partitions. */
  private settledAs: string | undefined;
  private readonly plan: KafkaConsumerPlan;
  private readonly events: KafkaConsumerEvents;
  private readonly sockets: KafkaJsSockets;
  private readonly consumer: Consumer;
  /** Times it asked to be let in since it last was. */
  private joins = 0;
  /** It has partitions, and was not told to give them back. */
  private isSettled = false;
  private readonly positions = new Map<string, Position>();
  /** Nothing is fetched before this. */
  private placed: Promise<void> = Promise.resolve();
  /** What `run` waits for: only after it the client can be stopped. */
  private running: Promise<void> = Promise.resolve();
  private closing: Promise<void> | undefined;
  /** How often the group has taken positions; this member commits one after the other. */
  private commits = 0;

  constructor(
    kafka: Kafka,
    roundRobin: PartitionAssigner,
    plan: KafkaConsumerPlan,
    events: KafkaConsumerEvents,
    sockets: KafkaJsSockets,
  ) {
    this.plan = plan;
    this.events = events;
    this.sockets = sockets;
    this.self = new KafkaJsMember(plan.group, sockets.clock);
    this.consumer = kafka.consumer({
      groupId: plan.group,
      sessionTimeout: plan.sessionTimeoutMs,
      heartbeatInterval: plan.heartbeatMs,
      rebalanceTimeout: plan.rebalanceTimeoutMs,
      maxWaitTimeInMs: plan.maxWaitMs,
      maxBytesPerPartition: plan.maxBytesPerPartition,
      maxBytes: plan.maxBytes,
      // What is missing is made by whoever asks for it, or by nobody.
      allowAutoTopicCreation: false,
      partitionAssigners: [(config) => this.assigner(roundRobin(config), config.cluster)],
      // The kit opens it again.
      retry: { retries: 8, restartOnFailure: async () => false },
    });
  }

  get member(): string | undefined {
    return this.self.id;
  }

  async start(): Promise<void> {
    const { consumer, events, plan } = this;
    const { COMMIT_OFFSETS, CRASH, GROUP_JOIN, REQUEST_TIMEOUT, START_BATCH_PROCESS } = consumer.events;
    consumer.on(CRASH, ({ payload }) => events.lost(payload.error));
    consumer.on(REQUEST_TIMEOUT, () => events.lost(unanswered()));
    consumer.on(GROUP_JOIN, ({ payload }) => this.joined(payload.memberId, payload.memberAssignment));
    consumer.on(COMMIT_OFFSETS, () => void (this.commits += 1));
    consumer.on(START_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
      const position = this.positions.get(nameOf(topic, partition));
      if (position !== undefined) position.readTo = Number(lastOffset) + 1;
    });
    await consumer.connect();
    this.sockets.ready();
    await consumer.subscribe({ topics: [...plan.topics], fromBeginning: true });
    this.running = consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: CONCURRENCY,
      eachBatch: (payload) => this.take(payload),
    });
    // A crash while it starts is told by its event.
    this.running.catch(() => undefined);
  }

  async commit(offsets: readonly KafkaOffset[]): Promise<void> {
    if (this.closing !== undefined) throw new Error('The consumer is closed.');
    const { commits } = this;
    await this.consumer.commitOffsets(offsets.map((one) => ({ ...one, offset: String(one.offset) })));
    // One that is about to end says yes as well, to what it has not sent or was not answered.
    if (this.commits === commits) throw new Error('The consumer ended before it had committed.');
  }

  pause({ topic, partition }: KafkaPartitionName): void {
    if (this.closing === undefined) this.consumer.pause([{ topic, partitions: [partition] }]);
  }

  resume({ topic, partition }: KafkaPartitionName): void {
    if (this.closing === undefined) this.consumer.resume([{ topic, partitions: [partition] }]);
  }

  seek({ topic, partition }: KafkaPartitionName, offset: number): void {
    if (this.closing !== undefined) return;
    this.place(topic, partition, offset);
    this.consumer.seek({ topic, partition, offset: String(offset) });
  }

  position({ topic, partition }: KafkaPartitionName): number | undefined {
    return this.positions.get(nameOf(topic, partition))?.readTo;
  }

  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  // Before `run` is through `disconnect` does nothing, and the client would go on for ever.
  private async end(): Promise<void> {
    this.sockets.leave();
    const ended = this.running.then(() => this.consumer.disconnect());
    await within(this.sockets.clock, CLOSE_MS, ended);
    this.sockets.destroy();
    ended.catch(() => undefined);
  }

  /**
   * The client calls the cluster that it gives its assigner at two moments that it has no event for: right before it asks
   * to be let into the group, and before each fetch. Both wait here for what has to be done first. And it asks it for brokers,
   * whose answers are looked through.
   */
  private assigner(assigner: Assigner, cluster: Cluster): Assigner {
    const find = cluster.findGroupCoordinator.bind(cluster);
    cluster.findGroupCoordinator = async (group) => {
      this.joins += 1;
      if (this.isSettled) {
        this.isSettled = false;
        await this.events.revoking();
      }
      const { self } = this;
      const former = self.id === undefined ? this.plan.former : [];
      const coordinator = await self.takeOut(former, () => find(group));
      self.overhear(coordinator);
      return coordinator;
    };
    const refresh = cluster.refreshMetadataIfNecessary.bind(cluster);
    cluster.refreshMetadataIfNecessary = async () => {
      // While it waits they may be shared out anew.
      for (let placed: unknown; placed !== this.placed; await placed) placed = this.placed;
      await refresh();
    };
    const broker = cluster.findBroker.bind(cluster);
    cluster.findBroker = async (node) => {
      const found = await broker(node);
      leaveOutAborted(found);
      boundUnpacking(found, this.plan.maxUnpackedBytes);
      return found;
    };
    return Object.assign(assigner, { name: ASSIGNER });
  }

  private joined(memberId: string, assignment: Readonly<Record<string, readonly number[]>>): void {
    // One try, and the same name as before: nobody else can have had its partitions in between.
    const isContinuous = memberId === this.settledAs && this.joins === 1;
    this.settledAs = memberId;
    this.self.id = memberId;
    this.joins = 0;
    this.isSettled = true;
    const partitions = Object.entries(assignment).flatMap(([topic, ids]) =>
      ids.map((partition) => ({ topic, partition })),
    );
    this.placed = this.events.assigned(partitions, isContinuous);
    this.placed.catch((error: unknown) => this.events.lost(error));
  }

  private place(topic: string, partition: number, offset: number): void {
    this.positions.set(nameOf(topic, partition), { offset: String(offset), isDoubted: false, readTo: offset });
  }

  private async take(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const { topic, partition, messages } = batch;
    const position = this.positions.get(nameOf(topic, partition));
    const { fetchedOffset: from = position?.offset } = batch as { readonly fetchedOffset?: string };
    const isReset = position !== undefined && from !== position.offset;
    // It was sought elsewhere meanwhile.
    if (payload.isStale()) return;
    if (isReset && !position.isDoubted) {
      this.askAgain(topic, partition, position);
      return;
    }
    const last = batch.lastOffset();
    // It is ours from here on, whatever becomes of it.
    payload.resolveOffset(last);
    const nextOffset = Number(last) + 1;
    this.place(topic, partition, nextOffset);
    await this.events.fetched({
      topic,
      partition,
      records: messages.map((message) => new KafkaJsRecord(message)),
      nextOffset,
      isReset,
    });
  }

  /**
   * With several brokers the answer of one that had stopped for a while, and led the partition before, comes when that is read
   * from elsewhere, and may leave out what lies in between. Where the client has moved on itself, because what was asked for is
   * not kept or is for nobody, the second answer begins elsewhere as well.
   */
  private askAgain(topic: string, partition: number, position: Position): void {
    position.isDoubted = true;
    this.consumer.seek({ topic, partition, offset: position.offset });
  }
}

/** A record as kafkajs has it, which writes numbers as text: few flows look at the time. */
class KafkaJsRecord implements KafkaRecord {
  readonly headers: KafkaHeaders | undefined;
  readonly bytes: number;
  private readonly message: KafkaMessage;

  constructor(message: KafkaMessage) {
    const { key, value } = message;
    const headers = (this.headers = ownHeaders(message.headers));
    this.message = message;
    this.bytes = (key?.byteLength ?? 0) + (value?.byteLength ?? 0) + headerBytes(headers);
  }

  get offset(): number {
    return Number(this.message.offset);
  }
  get timeMs(): number {
    return Number(this.message.timestamp);
  }
  get key(): Uint8Array | null {
    return this.message.key;
  }
  get value(): Uint8Array | null {
    return this.message.value;
  }
  get refusal(): SluiceError | undefined {
    return (this.message as { readonly refusal?: SluiceError }).refusal;
  }
}

/**
 * The headers without what is none: the client takes what its object inherits, a function for a header named `constructor`, for an
 * earlier value of the same name. There is no place for a header without a value.
 */
function ownHeaders(headers: IHeaders | undefined): KafkaHeaders | undefined {
  for (const name in headers) {
    const value: unknown = headers[name];
    if (value instanceof Uint8Array) continue;
    const own = (Array.isArray(value) ? value : []).filter((one) => one instanceof Uint8Array) as Buffer[];
    headers[name] = own.length > 1 ? own : own[0];
  }
  return headers;
}

function nameOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
