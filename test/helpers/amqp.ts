import { EventEmitter } from 'node:events';
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import type { Clock } from 'sluice';
import type { AmqpLink, AmqpTopology } from 'sluice/amqp';
import { defineLink } from 'sluice/connection';
import type { AmqpConnection } from '../../src/links/amqp.js';

/** A channel that writes down what it is told, in short: `ack 3+` for all up to the third. */
export interface FakeChannel extends EventEmitter {
  readonly told: string[];
  /** The answers to what was published, oldest first: `undefined` confirms, an error refuses. */
  readonly confirms: ((error?: unknown) => void)[];
  /** What `publish` returns. */
  isWritable: boolean;
  /** What a queue says when it is asked. */
  waits: { messageCount: number; consumerCount: number };
  /** Gives a message to the consumer; `null` is the broker's end of it. */
  deliver(message: ConsumeMessage | null): void;
  readonly channel: ConfirmChannel;
}

interface Delivered {
  readonly fields: { readonly deliveryTag: number };
}

/** Stands in for the client's channel where only what is said to it matters. `failing` calls are rejected. */
export function fakeChannel(failing: Readonly<Record<string, unknown>> = {}): FakeChannel {
  const told: string[] = [];
  const confirms: ((error?: unknown) => void)[] = [];
  let consumer: (message: ConsumeMessage | null) => void = () => undefined;
  const answer = async <T>(call: string, text: string, value: T): Promise<T> => {
    told.push(text);
    if (call in failing) {
      // As the client: it tells that the channel closed before it rejects the call.
      fake.emit('error', failing[call]);
      fake.emit('close');
      throw failing[call];
    }
    return value;
  };
  const fake = Object.assign(new EventEmitter(), {
    told,
    confirms,
    isWritable: true,
    waits: { messageCount: 0, consumerCount: 1 },
    deliver: (message: ConsumeMessage | null) => consumer(message),
    ack: ({ fields }: Delivered, all = false) => void told.push(`ack ${fields.deliveryTag}${all ? '+' : ''}`),
    nack: ({ fields }: Delivered, _all: boolean, requeue: boolean) =>
      void told.push(`nack ${fields.deliveryTag} ${requeue ? 'requeue' : 'dead'}`),
    prefetch: (count: number) => answer('prefetch', `prefetch ${count}`, undefined),
    assertExchange: (name: string, type: string, options: object) =>
      answer('assertExchange', `exchange ${name} ${type} ${JSON.stringify(options)}`, {}),
    assertQueue: (name: string, options: object) =>
      answer('assertQueue', `queue ${name} ${JSON.stringify(options)}`, {}),
    bindQueue: (queue: string, exchange: string, pattern: string, extra: object) =>
      answer('bindQueue', `bind ${queue} ${exchange} '${pattern}' ${JSON.stringify(extra)}`, {}),
    checkQueue: (name: string) => answer('checkQueue', `check ${name}`, fake.waits),
    checkExchange: (name: string) => answer('checkExchange', `check ${name}`, {}),
    consume(queue: string, take: typeof consumer, { exclusive }: { exclusive: boolean }) {
      consumer = take;
      return answer('consume', `consume ${queue}${exclusive ? ' alone' : ''}`, { consumerTag: 'tag' });
    },
    cancel: (tag: string) => answer('cancel', `cancel ${tag}`, {}),
    publish(exchange: string, key: string, content: Buffer, _options: object, confirm: (error?: unknown) => void) {
      if ('publish' in failing) throw failing['publish'];
      told.push(`publish '${exchange}' ${key} ${content.toString()}`);
      confirms.push(confirm);
      return fake.isWritable;
    },
    waitForConfirms: () => answer('waitForConfirms', 'wait', undefined),
    async close() {
      told.push('close');
      fake.emit('close');
    },
  });
  return Object.assign(fake, { channel: fake as unknown as ConfirmChannel });
}

/** A delivery of the client. */
export function delivered(
  deliveryTag: number,
  properties: object = {},
  fields: { readonly redelivered?: boolean; readonly routingKey?: string } = {},
): ConsumeMessage {
  return {
    content: Buffer.from(`m${deliveryTag}`),
    fields: { deliveryTag, redelivered: false, exchange: 'x', routingKey: 'orders.new', consumerTag: 'tag', ...fields },
    properties,
  } as unknown as ConsumeMessage;
}

/** A link to nothing but these channels, handed out in turn; the last one again and again. `model` takes the events of both connections. */
export function fakeLink(
  channels: readonly FakeChannel[],
  { topology = {}, clock }: { readonly topology?: AmqpTopology; readonly clock?: Clock } = {},
): AmqpLink & { readonly model: EventEmitter; readonly connection: AmqpConnection } {
  let opened = 0;
  const next = async (): Promise<unknown> => channels[Math.min(opened++, channels.length - 1)]?.channel;
  const model = Object.assign(new EventEmitter(), { createChannel: next, createConfirmChannel: next });
  const connection: AmqpConnection = {
    model: model as unknown as AmqpConnection['model'],
    blockedFor: undefined,
    writers: new Set(),
    maxMessageBytes: Infinity,
    lost: () => undefined,
    refused: (error) => error,
    close: async () => undefined,
  };
  const link = (): AmqpLink['reading'] =>
    defineLink<AmqpConnection>(
      { connector: 'amqp', connect: () => connection, disconnect: () => undefined },
      clock === undefined ? {} : { clock },
    );
  const [reading, writing] = [link(), link()];
  return {
    reading,
    writing,
    links: { reading: [reading], writing: [writing] },
    take: (role) => (role === 'reading' ? reading : writing),
    topology,
    model,
    connection,
  };
}
