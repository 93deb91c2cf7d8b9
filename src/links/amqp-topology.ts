import type { Channel } from 'amqplib';
import { checkAll } from '../connection/check-all.js';
import { checkOptions, flag, having, integer, oneOf, required, text } from '../options.js';

/**
 * Arguments of a declaration, passed on as they are, for example `{ 'x-max-length': 10_000 }`.
 *
 * @see AmqpTopology
 */
export type AmqpArguments = Readonly<Record<string, string | number | boolean>>;

/**
 * An exchange to declare.
 *
 * @see AmqpTopology
 */
export interface AmqpExchange {
  readonly name: string;
  /** Default `topic`. */
  readonly type?: 'direct' | 'topic' | 'headers' | 'fanout';
  /** Default true: it outlives a restart of the broker. */
  readonly durable?: boolean;
  /** Where what no binding takes goes to. Default: nowhere. */
  readonly alternateExchange?: string;
  readonly arguments?: AmqpArguments;
}

/**
 * A queue to declare.
 *
 * @see AmqpTopology
 */
export interface AmqpQueue {
  readonly name: string;
  /** `quorum` (default, where it is `durable`) is replicated and counts deliveries; `classic` is faster and counts none. */
  readonly type?: 'quorum' | 'classic';
  /** Default true. Only a classic queue may be without. */
  readonly durable?: boolean;
  /** Where `dead` messages go. Without one the broker throws them away. */
  readonly deadLetterExchange?: string;
  /** Default: the one that the message came with. */
  readonly deadLetterRoutingKey?: string;
  /** How long a message stays before it is dead. Default: as long as it takes. */
  readonly messageTtlMs?: number;
  /** After so many redeliveries the broker itself makes a message dead. Only quorum queues. Default: the broker's. */
  readonly deliveryLimit?: number;
  /** How many messages it holds. Default without limit. */
  readonly maxLength?: number;
  /** What a full queue does. `reject-publish` (default where there is a `maxLength`) makes the sink fail: nothing is lost. */
  readonly overflow?: 'reject-publish' | 'drop-head';
  readonly arguments?: AmqpArguments;
}

/**
 * One way from an exchange to a queue.
 *
 * @see AmqpTopology
 */
export interface AmqpBinding {
  readonly queue: string;
  readonly exchange: string;
  /** `*` is one word, `#` any number of them, in exchanges of type `topic`. Default `''`. */
  readonly pattern?: string;
  readonly arguments?: AmqpArguments;
}

/**
 * What has to exist before anything is read or sent. It is declared again whenever a source or sink opens: a broker that
 * came back empty is filled in. A declaration that does not agree with what is there ends the link with CONFIG_INVALID.
 *
 * @see amqpLink
 */
export interface AmqpTopology {
  readonly exchanges?: readonly AmqpExchange[];
  readonly queues?: readonly AmqpQueue[];
  readonly bindings?: readonly AmqpBinding[];
}

/** Throws CONFIG_INVALID for what cannot be declared. @internal */
export function checkTopology(topology: AmqpTopology): void {
  const list = (value: unknown): string | undefined => (Array.isArray(value) ? undefined : 'expected an array');
  const { exchanges = [], queues = [], bindings = [] } = topology;
  checkAll('amqpLink topology', [
    () => checkOptions<AmqpTopology>('amqpLink topology', topology, { exchanges: list, queues: list, bindings: list }),
    () => checkEach(exchanges, checkExchange),
    () => checkEach(queues, checkQueue),
    () => checkEach(bindings, checkBinding),
  ]);
}

function checkEach<T>(all: readonly T[], check: (one: T, at: number) => void): void {
  const checks = Array.from(all.entries(), ([at, one]) => (): void => {
    check(one, at);
  });
  checkAll('amqpLink topology', checks);
}

function checkExchange(exchange: AmqpExchange, at: number): void {
  checkOptions<AmqpExchange>(`amqpLink topology.exchanges[${at}]`, exchange, {
    name: required(text),
    type: oneOf('direct', 'topic', 'headers', 'fanout'),
    durable: flag,
    alternateExchange: text,
    arguments: having(),
  });
}

function checkQueue(queue: AmqpQueue, at: number): void {
  checkOptions<AmqpQueue>(`amqpLink topology.queues[${at}]`, queue, {
    name: required(text),
    type: oneOf('quorum', 'classic'),
    durable: flag,
    deadLetterExchange: (value) => (typeof value === 'string' ? undefined : 'expected a text'),
    deadLetterRoutingKey: text,
    messageTtlMs: integer(0),
    deliveryLimit: integer(0),
    maxLength: integer(0),
    overflow: oneOf('reject-publish', 'drop-head'),
    arguments: having(),
  });
}

function checkBinding(binding: AmqpBinding, at: number): void {
  checkOptions<AmqpBinding>(`amqpLink topology.bindings[${at}]`, binding, {
    queue: required(text),
    exchange: required(text),
    pattern: (value) => (typeof value === 'string' ? undefined : 'expected a text'),
    arguments: having(),
  });
}

/** Declares all of it over this channel. @internal */
export async function declareTopology(channel: Channel, topology: AmqpTopology): Promise<void> {
  for (const { name, type = 'topic', durable = true, alternateExchange, arguments: extra } of topology.exchanges ??
    []) {
    await channel.assertExchange(name, type, {
      durable,
      ...(alternateExchange === undefined ? {} : { alternateExchange }),
      arguments: { ...extra },
    });
  }
  for (const queue of topology.queues ?? []) {
    await channel.assertQueue(queue.name, { durable: queue.durable ?? true, arguments: argumentsOf(queue) });
  }
  for (const { queue, exchange, pattern = '', arguments: extra } of topology.bindings ?? []) {
    await channel.bindQueue(queue, exchange, pattern, { ...extra });
  }
}

function argumentsOf(queue: AmqpQueue): Record<string, string | number | boolean> {
  const { type, durable = true, maxLength } = queue;
  const named = {
    'x-queue-type': type ?? (durable ? 'quorum' : 'classic'),
    'x-dead-letter-exchange': queue.deadLetterExchange,
    'x-dead-letter-routing-key': queue.deadLetterRoutingKey,
    'x-message-ttl': queue.messageTtlMs,
    'x-delivery-limit': queue.deliveryLimit,
    'x-max-length': maxLength,
    'x-overflow': queue.overflow ?? (maxLength === undefined ? undefined : 'reject-publish'),
    ...queue.arguments,
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)) as never;
}
