import { currentClock, type Clock } from '../clock.js';
import { deliveryFault } from '../connection/delivery.js';
import { SluiceError } from '../errors.js';
import { deadLetterHeaders } from '../message/dead-letter.js';
import type { Message } from '../message/message.js';
import { MemoryConnection, type MemoryConnectionHost } from './memory-connection.js';
import { FaultControl, type MemoryFaults, type MemoryFaultsHost } from './memory-faults.js';
import { checkBrokerOptions, settingsOf, type MemoryBrokerOptions } from './memory-options.js';
import type { MemoryPublish, MemoryRecord } from './memory-record.js';
import { TurnStamp } from './memory-turn-stamp.js';
import { MemoryTopic, type MemoryReceipt, type MemoryTopicHost } from './memory-topic.js';

/**
 * What goes on inside the broker, for tests and diagnosis. Where no group is named, the one with the empty name is meant.
 *
 * @see MemoryBroker
 */
export interface MemoryPeek {
  topics(): readonly string[];
  groups(topic: string): readonly string[];
  /** Messages that nobody holds, delayed ones included. */
  depth(topic: string, group?: string): number;
  /** Messages that were delivered and not settled. */
  unsettled(topic: string, group?: string): number;
  /** Every offset of the partition below this one was settled by the group. */
  committed(topic: string, group?: string, partition?: number): number;
  consumers(topic: string, group?: string): number;
  /** Messages that the topic ever took. */
  published(topic: string): number;
  /** Given up by an overflow policy, or skipped by a first group that began with the latest. */
  dropped(topic: string): number;
  /** Nacked with `dead`. */
  dead(topic: string): number;
  connections(): number;
  /** Connections that were ever made. */
  opened(): number;
}

/**
 * A broker inside the process. Its messages live as long as it does.
 *
 * @see memoryBroker
 */
export interface MemoryBroker {
  /**
   * Stores a message; consumers get it in a later turn. Without a receipt a message that finds no room is thrown back;
   * with one it is answered by that, at once or, under the policy `wait`, when there is room.
   */
  publish(message: MemoryPublish, receipt?: MemoryReceipt): void;
  readonly faults: MemoryFaults;
  readonly peek: MemoryPeek;
  /** @internal */
  connect(name: string, context: MemoryConnectContext): MemoryConnection | PromiseLike<MemoryConnection>;
}

/** Who connects. @internal */
export interface MemoryConnectContext {
  readonly clock: Clock;
  lost(error: SluiceError): void;
}

/**
 * A broker inside the process: topics with consumer groups, redelivery, dead letters, limits and confirmations, and
 * faults on command. It behaves like the brokers over a network, down to a lost confirmation, and runs in virtual time.
 *
 * Every group of a topic gets every message; consumers of one group share them. What is published before any group
 * reads is kept for the first one; a group that comes later begins with what is retained and what comes then. Payloads
 * are handed over by reference.
 *
 * @example
 * import { memoryBroker } from 'sluice';
 * const broker = memoryBroker({ requeueDelayMs: 100, topics: { orders: { partitions: 4, deadLetterTopic: 'failed' } } });
 * broker.publish({ topic: 'orders', key: 'customer-7', payload: { id: 1 } });
 * @throws SluiceError `CONFIG_INVALID` for an option out of range; `publish` without a receipt throws `OVERFLOW`,
 * `PAYLOAD_TOO_LARGE`, or `CONNECT_FAILED` while the broker is killed
 * @see memorySource
 * @see memorySink
 * @see memoryLink
 */
export function memoryBroker(options: MemoryBrokerOptions = {}): MemoryBroker {
  checkBrokerOptions(options);
  return new Broker(options);
}

class Broker implements MemoryBroker, MemoryConnectionHost, MemoryFaultsHost, MemoryTopicHost {
  readonly faults: FaultControl = new FaultControl(this);
  readonly connections = new Set<MemoryConnection>();
  readonly peek: MemoryPeek = peekOf(this);
  readonly topics = new Map<string, MemoryTopic>();
  opened = 0;
  private readonly options: MemoryBrokerOptions;
  /** The topic of the last publish: most publishers stay with one. */
  private recent: MemoryTopic | undefined;
  private readonly stamps = new TurnStamp();

  constructor(options: MemoryBrokerOptions) {
    this.options = options;
  }

  get clock(): Clock {
    return this.options.clock ?? currentClock();
  }

  stampMs(): number {
    return this.stamps.read(this.clock);
  }

  get duplicateShare(): number {
    return this.faults.duplicateShare;
  }

  get isFull(): boolean {
    return this.faults.isFull;
  }

  publish(message: MemoryPublish, receipt?: MemoryReceipt): void {
    if (this.faults.isDead) throw this.faults.obstacle('') as SluiceError;
    const topic = this.topic(message.topic);
    const fault = deliveryFault('publish', message);
    if (fault !== undefined) throw fault;
    if (receipt !== undefined) topic.publish(message, receipt);
    else if (!topic.tryPut(message)) throw topic.overflowed();
  }

  topic(name: string): MemoryTopic {
    const { recent } = this;
    if (recent !== undefined && recent.name === name) return recent;
    const topic = this.topics.get(name) ?? this.create(name);
    this.recent = topic;
    return topic;
  }

  private create(name: string): MemoryTopic {
    const { maxTopics = 10_000 } = this.options;
    if (typeof name !== 'string' || name === '') {
      throw new SluiceError('CONFIG_INVALID', 'A message needs a topic: name one in the sink or on the message.');
    }
    if (this.topics.size >= maxTopics) {
      throw new SluiceError('OVERFLOW', `The broker has ${maxTopics} topics (maxTopics) and takes no new one.`);
    }
    const topic = new MemoryTopic(name, settingsOf(name, this.options), this);
    this.topics.set(name, topic);
    return topic;
  }

  bury(from: MemoryTopic, record: MemoryRecord, reason: unknown, message: Message<unknown>): boolean {
    const target = from.settings.deadLetterTopic;
    // What dies among the dead letters has nowhere further to go.
    if (target === undefined || target === from.name) return true;
    const { partition, offset } = record.meta;
    const headers = deadLetterHeaders(message, reason, `${partition}/${offset}`);
    const { id, payload, key, timeMs, reply } = record;
    return this.topic(target).tryPut({ id, topic: target, payload, headers, key, timeMs, reply });
  }

  connect(name: string, context: MemoryConnectContext): MemoryConnection | PromiseLike<MemoryConnection> {
    const passable = this.faults.whenPassable(name);
    if (passable !== undefined) return passable.then(() => this.connect(name, context));
    const obstacle = this.faults.obstacle(name);
    if (obstacle !== undefined) throw obstacle;
    const connection = new MemoryConnection(this, name, context.clock, (error) => context.lost(error));
    this.connections.add(connection);
    this.opened += 1;
    this.faults.apply(connection);
    return connection;
  }

  disconnected(connection: MemoryConnection): void {
    this.connections.delete(connection);
  }

  sync(): void {
    for (const topic of this.topics.values()) topic.sync();
  }

  loseUnsynced(): void {
    for (const topic of this.topics.values()) topic.loseUnsynced();
  }

  relieved(): void {
    for (const topic of this.topics.values()) if (topic.hasWaiters) topic.admitLater();
  }
}

function peekOf(broker: Broker): MemoryPeek {
  const queue = (topic: string, group = ''): ReturnType<MemoryTopic['find']> => broker.topics.get(topic)?.find(group);
  return {
    topics: () => [...broker.topics.keys()],
    groups: (topic) => broker.topics.get(topic)?.groups() ?? [],
    depth: (topic, group) => queue(topic, group)?.waiting ?? 0,
    unsettled: (topic, group) => queue(topic, group)?.unsettled ?? 0,
    committed: (topic, group, partition = 0) =>
      queue(topic, group)?.committed(partition, broker.topics.get(topic)?.nextOffset(partition) ?? 0) ?? 0,
    consumers: (topic, group) => queue(topic, group)?.consumers.length ?? 0,
    published: (topic) => broker.topics.get(topic)?.published ?? 0,
    dropped: (topic) => broker.topics.get(topic)?.dropped ?? 0,
    dead: (topic) => broker.topics.get(topic)?.dead ?? 0,
    connections: () => broker.connections.size,
    opened: () => broker.opened,
  };
}
