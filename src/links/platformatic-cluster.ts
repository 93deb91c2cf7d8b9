import type * as Client from '@platformatic/kafka';
import { wait } from '../connection/wait.js';
import type { KafkaCluster, KafkaEvents, KafkaPartitionName } from './kafka-driver.js';
import { kafkaError, kafkaErrorType } from './kafka-errors.js';
import { PlatformaticConnection, type KafkaAddress, type Platformatic } from './platformatic-connection.js';

/** What a coordinator answers for, as the protocol counts it. @internal */
export const COORDINATES = { group: 0, transaction: 1 } as const;

/** What a broker says that was just started, or has just taken over, or has not finished what was before. */
const NOT_YET: ReadonlySet<string | undefined> = new Set([
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'CONCURRENT_TRANSACTIONS',
  'UNSTABLE_OFFSET_COMMIT',
]);
/** The end of a transaction takes milliseconds, the start of a broker seconds. */
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 200;
const PATIENCE_MS = 5_000;

/**
 * The brokers of a cluster, over connections of one user. Each lane to a broker is a connection of its own: a broker answers
 * what comes over one in order, and lets the rest wait behind a request that takes its time.
 *
 * @internal
 */
export class PlatformaticCluster {
  readonly client: Platformatic;
  readonly cluster: KafkaCluster;
  private readonly events: KafkaEvents;
  /** By address and lane. */
  private readonly open = new Map<string, Promise<PlatformaticConnection>>();
  private readonly all = new Set<PlatformaticConnection>();
  /** Where the brokers listen, by their ids. */
  private brokers = new Map<number, KafkaAddress>();
  /** Which broker leads a partition, by topic. */
  private readonly leaders = new Map<string, readonly number[]>();
  /** Who answers for a group or a transaction, as far as that is known. */
  private readonly coordinators = new Map<string, KafkaAddress>();
  private isReady = false;
  private isOver = false;

  constructor(client: Platformatic, cluster: KafkaCluster, events: KafkaEvents) {
    this.client = client;
    this.cluster = cluster;
    this.events = events;
  }

  /** Resolves when a broker answers. */
  async connect(): Promise<void> {
    await this.metadata([]);
    this.isReady = true;
  }

  /** Asks any broker. */
  async any(): Promise<PlatformaticConnection> {
    let failure: unknown;
    for (const address of [...this.cluster.brokers.map(addressOf), ...this.brokers.values()]) {
      try {
        return await this.dial(address, '');
      } catch (error) {
        failure ??= error;
        // Another broker would refuse it too.
        if (!kafkaError(error, '').retriable) throw error;
      }
    }
    throw failure;
  }

  /** A connection to one of the brokers. */
  async at(node: number, lane = ''): Promise<PlatformaticConnection> {
    if (!this.brokers.has(node)) await this.metadata([]);
    const address = this.brokers.get(node);
    if (address === undefined) throw new Error(`There is no broker ${node}.`);
    return this.dial(address, lane);
  }

  /** What the cluster knows of topics; rejects where it does not know one. */
  async metadata(topics: readonly string[]): Promise<Client.metadataV12.MetadataResponse> {
    const broker = await this.any();
    const { api } = this.client.metadataV12;
    const told = await broker.ask((to) => api.async(to, [...topics], false, false));
    this.brokers = new Map(told.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    for (const { name, partitions } of told.topics) {
      const leaders: number[] = [];
      for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = leaderId;
      if (name != null) this.leaders.set(name, leaders);
    }
    return told;
  }

  /** Which broker leads it, as far as that is known; `forget` has it asked anew. */
  async leaderOf({ topic, partition }: KafkaPartitionName): Promise<number> {
    if (this.leaders.get(topic)?.[partition] === undefined) await this.metadata([topic]);
    const leader = this.leaders.get(topic)?.[partition];
    if (leader === undefined) throw new Error(`The topic ${topic} has no partition ${partition}.`);
    return leader;
  }

  forget(topic: string): void {
    this.leaders.delete(topic);
  }

  /** Asks the broker that answers for a group or a transaction, for as long as that is only just beginning to. */
  coordinated<T>(
    kind: number,
    name: string,
    work: (broker: PlatformaticConnection) => Promise<T>,
    lane = '',
  ): Promise<T> {
    return this.patiently(
      async () => work(await this.coordinator(kind, name, lane)),
      () => void this.coordinators.delete(`${kind} ${name}`),
    );
  }

  /**
   * What a broker is not ready for is asked again for some seconds.
   *
   * @param again told before each further time
   */
  async patiently<T>(work: () => Promise<T>, again: () => void = () => undefined): Promise<T> {
    const { clock } = this.cluster;
    const untilMs = clock.elapsed() + PATIENCE_MS;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)) {
      try {
        return await work();
      } catch (error) {
        if (this.isOver || clock.elapsed() >= untilMs || !NOT_YET.has(kafkaErrorType(error))) throw error;
        again();
      }
      await wait(clock, waitMs);
    }
  }

  /** Nothing more is said. */
  leave(): void {
    for (const one of this.all) one.leave();
    this.isReady = false;
  }

  destroy(): void {
    this.isOver = true;
    for (const one of this.all) one.destroy();
  }

  private async coordinator(kind: number, name: string, lane: string): Promise<PlatformaticConnection> {
    let known = this.coordinators.get(`${kind} ${name}`);
    if (known === undefined) {
      const { api } = this.client.findCoordinatorV4;
      const broker = await this.any();
      const { coordinators } = await broker.ask((to) => api.async(to, kind, [name]));
      [known] = coordinators;
      if (known === undefined) throw new Error(`Nobody answers for ${name}.`);
      this.coordinators.set(`${kind} ${name}`, known);
    }
    return this.dial(known, lane);
  }

  private dial(address: KafkaAddress, lane: string): Promise<PlatformaticConnection> {
    const name = `${address.host}:${address.port} ${lane}`;
    let found = this.open.get(name);
    if (found === undefined) {
      found = this.connected(address, () => {
        if (this.open.get(name) === found) this.open.delete(name);
      });
      this.open.set(name, found);
      found.catch(() => this.open.delete(name));
    }
    return found;
  }

  private async connected(address: KafkaAddress, gone: () => void): Promise<PlatformaticConnection> {
    const tls = await this.cluster.tls();
    if (this.isOver) throw new Error('The client is closed.');
    const events: KafkaEvents = {
      // Until it is ready whoever asks hears of it, and knows the reason.
      lost: (error) => (this.isReady ? this.events.lost(error) : undefined),
      alive: () => this.events.alive(),
    };
    const one = new PlatformaticConnection(this.client, address, this.cluster, events, tls, () => {
      this.all.delete(one);
      gone();
    });
    this.all.add(one);
    await one.open(address);
    return one;
  }
}

function addressOf(broker: string): KafkaAddress {
  const at = broker.lastIndexOf(':');
  return { host: broker.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(broker.slice(at + 1)) };
}
