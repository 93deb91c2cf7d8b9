import type * as Client from '@platformatic/kafka';
import type { Buffer } from 'node:buffer';
import { wait } from '../connection/wait.js';
import { SluiceError } from '../errors.js';
import type {
  KafkaConsumer,
  KafkaConsumerEvents,
  KafkaConsumerPlan,
  KafkaOffset,
  KafkaPartitionName,
} from './kafka-driver.js';
import { recordsOf, UNPACKED_FACTOR, type KafkaRead, type KafkaUnpacking } from './kafka-record-reader.js';
import { within } from './kafka-within.js';
import type { PlatformaticCluster } from './platformatic-cluster.js';
import { raw } from './platformatic-connection.js';
import { decompressed, fetchAnswer, type KafkaFetchAnswer, type KafkaFetchPart } from './platformatic-fetch.js';
import { PlatformaticMember } from './platformatic-member.js';
import { EARLIEST, offsetsAt } from './platformatic-offsets.js';

/** How long an orderly end may take. */
const CLOSE_MS = 2_000;
/** What is read of a partition has to be asked elsewhere, or a little later. */
const MOVED: ReadonlySet<string | undefined> = new Set([
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'KAFKA_STORAGE_ERROR',
  'OFFSET_NOT_AVAILABLE',
]);
const AGAIN_MS = 200;
/** A partition that nobody leads for so long is the end of the consumer, which begins anew. */
const TRIES = 50;
/** Read committed: a reader sees nothing of a transaction before its end. */
const COMMITTED = 1;
/** Each request says all that it asks for. */
const NO_SESSION = { id: 0, epoch: -1 };

/** A partition of this member. */
interface Place extends KafkaPartitionName {
  /** Where the next fetch begins; undefined until that is told. */
  offset: number | undefined;
  isPaused: boolean;
  /** Who leads it; undefined until that is found. */
  leader: number | undefined;
  /** How often in a row nobody led it. */
  tries: number;
}

/**
 * A member of a group with what it reads: one loop for each broker that leads some of its partitions. The loop asks for
 * all of them at once, hands over what came, and asks again when that is taken.
 *
 * @internal
 */
export class PlatformaticConsumer implements KafkaConsumer {
  private readonly cluster: PlatformaticCluster;
  private readonly plan: KafkaConsumerPlan;
  private readonly events: KafkaConsumerEvents;
  private readonly self: PlatformaticMember;
  /** By name; none while the group shares its partitions out. */
  private places = new Map<string, Place>();
  /** Brokers that are read from. */
  private readonly loops = new Set<number>();
  /** Called when there may be more to ask for. */
  private readonly idle = new Set<() => void>();
  private turn = 0;
  private closing: Promise<void> | undefined;

  constructor(cluster: PlatformaticCluster, plan: KafkaConsumerPlan, events: KafkaConsumerEvents) {
    this.cluster = cluster;
    this.plan = plan;
    this.events = events;
    this.self = new PlatformaticMember(cluster, plan, {
      lost: (error) => this.lost(error),
      revoking: () => this.revoking(),
      assigned: (partitions, isContinuous) => this.assigned(partitions, isContinuous),
    });
  }

  get member(): string | undefined {
    return this.self.id;
  }

  async start(): Promise<void> {
    await this.cluster.connect();
    await this.self.start();
  }

  commit(offsets: readonly KafkaOffset[]): Promise<void> {
    if (this.closing !== undefined) return Promise.reject(new Error('The consumer is closed.'));
    return this.self.commit(offsets);
  }

  pause(at: KafkaPartitionName): void {
    const place = this.places.get(nameOf(at));
    if (place !== undefined) place.isPaused = true;
  }

  resume(at: KafkaPartitionName): void {
    const place = this.places.get(nameOf(at));
    if (place === undefined) return;
    place.isPaused = false;
    this.wake();
  }

  seek(at: KafkaPartitionName, offset: number): void {
    const place = this.places.get(nameOf(at));
    if (place === undefined) return;
    place.offset = offset;
    this.wake();
  }

  position(at: KafkaPartitionName): number | undefined {
    return this.places.get(nameOf(at))?.offset;
  }

  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async end(): Promise<void> {
    this.cluster.leave();
    this.places.clear();
    this.wake();
    await within(this.cluster.cluster.clock, CLOSE_MS, this.self.close());
    this.cluster.destroy();
  }

  private lost(error: unknown): void {
    if (this.closing === undefined) this.events.lost(error);
  }

  private revoking(): Promise<void> {
    this.places = new Map();
    return this.events.revoking();
  }

  private async assigned(partitions: readonly KafkaPartitionName[], isContinuous: boolean): Promise<void> {
    const places = partitions.map(({ topic, partition }): Place => ({
      topic,
      partition,
      offset: undefined,
      isPaused: false,
      leader: undefined,
      tries: 0,
    }));
    this.places = new Map(places.map((place) => [nameOf(place), place]));
    await this.events.assigned(partitions, isContinuous);
    for (const place of places) place.leader = await this.cluster.leaderOf(place);
    // Not before all are known: the first answer is to have something of each.
    for (const { leader } of places) if (leader !== undefined) this.readFrom(leader);
    this.wake();
  }

  private readFrom(node: number): void {
    if (this.loops.has(node)) return;
    this.loops.add(node);
    this.loop(node).catch((error: unknown) => this.lost(error));
  }

  private isMine(place: Place): boolean {
    return this.places.get(nameOf(place)) === place;
  }

  private wake(): void {
    for (const tell of this.idle) tell();
    this.idle.clear();
  }

  private async loop(node: number): Promise<void> {
    while (this.closing === undefined) {
      const due = [...this.places.values()].filter(
        (place) => place.leader === node && !place.isPaused && place.offset !== undefined,
      );
      if (due.length === 0) await new Promise<void>((resolve) => void this.idle.add(resolve));
      else await this.read(node, due);
    }
  }

  private async read(node: number, due: readonly Place[]): Promise<void> {
    // Brokers fill an answer in the order of the request: each has its turn at the front.
    this.turn += 1;
    const first = this.turn % due.length;
    const places = [...due.slice(first), ...due.slice(0, first)];
    const asked = new Map(places.map((place) => [nameOf(place), { place, offset: place.offset }]));
    const answer = await this.fetch(node, places);
    const held: Promise<void>[] = [];
    const unpacking = this.unpacking();
    for (const part of answer.parts) {
      const { place, offset } = asked.get(nameOf(part)) ?? {};
      // It was given back meanwhile, or is to be read from elsewhere.
      if (place === undefined || !this.isMine(place) || offset === undefined || place.offset !== offset) continue;
      const taken = this.take(place, offset, part, unpacking);
      if (taken !== undefined) held.push(taken);
    }
    await Promise.all(held);
  }

  private async fetch(node: number, places: readonly Place[]): Promise<KafkaFetchAnswer> {
    const { maxWaitMs, maxBytes, maxBytesPerPartition } = this.plan;
    const { client } = this.cluster;
    const { api, createRequest } = client.fetchV12;
    const topics = places.map(({ topic, partition, offset = 0 }) => ({
      topicId: topic,
      partitions: [
        {
          partition,
          currentLeaderEpoch: -1,
          fetchOffset: BigInt(offset),
          lastFetchedEpoch: -1,
          partitionMaxBytes: maxBytesPerPartition,
        },
      ],
    }));
    const broker = await this.cluster.at(node, 'fetch');
    const { id, epoch } = NO_SESSION;
    const request = (): Client.Writer => createRequest(maxWaitMs, 1, maxBytes, COMMITTED, id, epoch, topics, [], '');
    const answer = await broker.ask((to) => raw(to, api, request, fetchAnswer), maxWaitMs);
    if (answer.errorCode !== 0) throw new client.ProtocolError(answer.errorCode);
    return answer;
  }

  /** A promise is to be waited for. */
  private take(
    place: Place,
    offset: number,
    part: KafkaFetchPart,
    unpacking: KafkaUnpacking,
  ): Promise<void> | undefined {
    const { topic, partition } = place;
    if (part.errorCode !== 0) return this.recover(place, part.errorCode);
    place.tries = 0;
    const { records, nextOffset } = this.unpack(offset, part, unpacking);
    if (nextOffset === undefined) return undefined;
    place.offset = nextOffset;
    return this.events.fetched({ topic, partition, records, nextOffset });
  }

  private unpacking(): KafkaUnpacking {
    const { client } = this.cluster;
    const { maxUnpackedBytes: maxBytes } = this.plan;
    const decompress = (compression: number, bytes: Buffer): Buffer =>
      decompressed(client, compression, bytes, maxBytes);
    return { decompress, maxBytes, leftBytes: UNPACKED_FACTOR * maxBytes };
  }

  private unpack(offset: number, part: KafkaFetchPart, unpacking: KafkaUnpacking): KafkaRead {
    const { topic, partition, records, aborted } = part;
    try {
      return recordsOf(records, aborted, offset, unpacking);
    } catch (cause) {
      // What is sent again would be the same.
      const text = `kafka: what follows offset ${offset} of ${topic}, partition ${partition} cannot be read`;
      throw new SluiceError('PROTOCOL_ERROR', `${text}: ${(cause as Error).message}`, { cause });
    }
  }

  private async recover(place: Place, code: number): Promise<void> {
    const { client, cluster } = this.cluster;
    const error = new client.ProtocolError(code);
    const type = client.protocolErrorsCodesById[code];
    if (type === 'OFFSET_OUT_OF_RANGE') {
      // It is not kept any more.
      const starts = await offsetsAt(this.cluster, place.topic, [place.partition], EARLIEST);
      if (this.isMine(place)) place.offset = starts.get(place.partition) ?? 0;
      return;
    }
    place.tries += 1;
    if (!MOVED.has(type) || place.tries >= TRIES) throw error;
    await wait(cluster.clock, AGAIN_MS);
    this.cluster.forget(place.topic);
    try {
      place.leader = await this.cluster.leaderOf(place);
      this.readFrom(place.leader);
    } catch (failure) {
      // Where nobody leads it by now this is the next try.
      if (place.tries >= TRIES) throw failure;
    }
    this.wake();
  }
}

function nameOf({ topic, partition }: KafkaPartitionName): string {
  return `${topic}/${partition}`;
}
