import type { Buffer } from 'node:buffer';
import type { Clock } from '../clock.js';
import type { SluiceError } from '../errors.js';
import type { KafkaSasl, KafkaTls } from './kafka-security.js';

/** What a client needs to know of the cluster. @internal */
export interface KafkaCluster {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Asked for each client or connection; undefined where there is none. */
  tls(): Promise<KafkaTls | undefined>;
  readonly sasl: KafkaSasl | undefined;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Topics that are asked for come into being, where the cluster allows it. */
  readonly autoCreateTopics: boolean;
  readonly clock: Clock;
}

/** A client library. Errors are passed on as it throws them; `kafkaError` makes ours of them. @internal */
export interface KafkaDriver {
  /** Opens the connection that questions are asked over. `lost` says that it, or its peer, is gone. */
  connect(cluster: KafkaCluster, events: KafkaEvents): Promise<KafkaClient>;
}

/** @internal */
export interface KafkaEvents {
  /** Not usable any more. After `close` nothing is said. */
  lost(error: unknown): void;
  /** The far side said something. */
  alive(): void;
}

/** One cluster. @internal */
export interface KafkaClient {
  /** Resolves when the cluster answers. */
  ping(): Promise<void>;
  /** How many partitions the topic has. Rejects where there is no such topic. */
  partitions(topic: string): Promise<number>;
  /**
   * Offsets by partition: of the first message that is kept, of the first that cannot be read yet (`latest`: not written, or
   * behind what a transaction has not finished), or of the first at or after a time.
   */
  offsets(topic: string, at: 'earliest' | 'latest' | number): Promise<ReadonlyMap<number, number>>;
  /** What the group has committed, by partition; nothing for a partition without. */
  committed(group: string, topic: string): Promise<ReadonlyMap<number, number>>;
  /** A member of a group. Resolves when it has asked to be one; its partitions are told later. */
  consumer(plan: KafkaConsumerPlan, events: KafkaConsumerEvents): Promise<KafkaConsumer>;
  producer(plan: KafkaProducerPlan, events: KafkaEvents): Promise<KafkaProducer>;
  close(): Promise<void>;
}

/** @internal */
export interface KafkaConsumerPlan {
  readonly group: string;
  readonly topics: readonly string[];
  /** Members of the group that this one replaces: their connection is gone, and waiting for their session would be long. */
  readonly former: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** How long the group waits for its members when partitions are shared out anew. */
  readonly rebalanceTimeoutMs: number;
  readonly maxWaitMs: number;
  readonly maxBytesPerPartition: number;
  readonly maxBytes: number;
  /** How much may come out of a compressed batch. One that would unpack to more is a record that is refused. */
  readonly maxUnpackedBytes: number;
}

/** What was read of a partition with one answer. @internal */
export interface KafkaFetched {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly KafkaRecord[];
  /** Where the next one will be read: behind the last record, or behind control records that follow it. */
  readonly nextOffset: number;
  /** It begins elsewhere than the one before ended, as that is not kept; the client may have taken the group's position back. */
  readonly isReset?: boolean;
}

/** @internal */
export interface KafkaRecord {
  readonly offset: number;
  readonly timeMs: number;
  readonly key: Uint8Array | null;
  /** `null` is a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: KafkaHeaders | undefined;
  /** Of key, value and headers. */
  readonly bytes: number;
  /** Why no flow gets it. */
  readonly refusal?: SluiceError | undefined;
}

/** A name that comes more than once has a list. @internal */
export type KafkaHeaders = Readonly<Record<string, Uint8Array | string | readonly (Uint8Array | string)[] | undefined>>;

/** @internal */
export interface KafkaPartitionName {
  readonly topic: string;
  readonly partition: number;
}

/** @internal */
export interface KafkaConsumerEvents extends KafkaEvents {
  /** The group shares its partitions out anew. The member answers when this resolves; until then it may commit. */
  revoking(): Promise<void>;
  /**
   * The member's partitions from now on. With `isContinuous` the ones it had before were its own without interruption.
   * Nothing is read before this resolves, and of each only from where it was sought to.
   */
  assigned(partitions: readonly KafkaPartitionName[], isContinuous: boolean): Promise<void>;
  /** A promise makes this part of the client wait: for a short time, as others may wait behind it. */
  fetched(fetched: KafkaFetched): Promise<void> | undefined;
}

/** @internal */
export interface KafkaConsumer {
  /** Who it is in the group; undefined while it is nobody. */
  readonly member: string | undefined;
  commit(offsets: readonly KafkaOffset[]): Promise<void>;
  /** Reads nothing more of it until `resume`. What is on its way may be given or read again later. */
  pause(at: KafkaPartitionName): void;
  resume(at: KafkaPartitionName): void;
  seek(at: KafkaPartitionName, offset: number): void;
  /** Up to where it was read, what only brokers read included; undefined where that is not known. */
  position(at: KafkaPartitionName): number | undefined;
  /** Leaves the group where it can, in a short time. Idempotent. */
  close(): Promise<void>;
}

/** Where a group goes on in a partition. @internal */
export interface KafkaOffset extends KafkaPartitionName {
  readonly offset: number;
}

/** @internal */
export interface KafkaProducerPlan {
  readonly idempotent: boolean;
  readonly acks: -1 | 1;
  readonly compression: 'none' | 'gzip';
  readonly transactionalId: string | undefined;
}

/** Records for one partition, in order. @internal */
export interface KafkaBatch extends KafkaPartitionName {
  readonly records: readonly KafkaOutgoing[];
}

/** @internal */
export interface KafkaOutgoing {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | Buffer[]>>;
  readonly timeMs: number;
}

/** @internal */
export interface KafkaProducer {
  /** Resolves when all of it is confirmed. When it rejects some of it may be there: then this producer is of no use any more. */
  send(batches: readonly KafkaBatch[]): Promise<void>;
  /**
   * Writes all of it in one transaction, with the positions that `settle` gives once it is written. Resolves when it is
   * committed; when it rejects nothing of it will be seen. Needs a `transactionalId`, and one at a time.
   */
  transact(batches: readonly KafkaBatch[], settle: () => readonly KafkaGroupOffsets[]): Promise<void>;
  close(): Promise<void>;
}

/** Where a group goes on. @internal */
export interface KafkaGroupOffsets {
  readonly group: string;
  readonly offsets: readonly KafkaOffset[];
}
