import { defineSink, SINK_RULES, type SinkOptions } from '../connection/define-sink.js';
import type { Sink } from '../connection/flow.js';
import {
  callable,
  called,
  checkArgument,
  checkOptions,
  either,
  flag,
  integer,
  required,
  text,
} from '../connection/options.js';
import { SluiceError } from '../errors.js';
import { openChannel } from '../links/amqp-channel.js';
import { declareTopology } from '../links/amqp-topology.js';
import type { AmqpConnection, AmqpLink } from '../links/amqp.js';
import type { Message } from '../message/message.js';
import { AmqpWriter } from './amqp-writer.js';

/**
 * Options of {@link amqpSink}.
 *
 * @see amqpSink
 */
export interface AmqpSinkOptions extends SinkOptions {
  /** `''` is the broker's own exchange, whose routing keys are names of queues. */
  readonly exchange: string;
  /** Default: the message's topic. */
  readonly routingKey?: string | ((message: Message<Uint8Array>) => string);
  /** A message that no queue takes fails with UNROUTABLE, instead of being thrown away by the broker. Default true. */
  readonly mandatory?: boolean;
  /** Written to disk before it is confirmed, in durable queues. Default true. */
  readonly persistent?: boolean;
  /** Largest payload; above the broker's own limit the first one costs a channel, which is opened again. Default 1 MiB, as sources take it. */
  readonly maxBytes?: number;
}

/** What the client calls it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  queue: `write exchange: '', and the name of the queue as routingKey`,
  topic: 'routingKey',
  key: 'routingKey',
  deliveryMode: 'persistent',
  confirm: 'everything is confirmed; see confirmTimeoutMs and maxUnconfirmed',
};

/**
 * Publishes bytes, always with confirms. Confirmed means: every queue that the message was routed to has it, on disk where
 * the queue is durable, on most replicas of a quorum queue. Then the message is acked.
 *
 * A message that no queue takes fails with UNROUTABLE, which is `dead` by default; one that the broker refuses, as a full
 * queue with `reject-publish` does, with SINK_FAILED, and is tried again. What was not confirmed when the channel or the
 * connection was lost is sent again with the same message id, so the far side may have it twice. While the broker is short
 * of memory or disk (`connection.blocked`) nothing is sent and the sink is degraded. At most `maxUnconfirmed` (500) are out.
 *
 * @example
 * import { encode, json, run } from 'sluice';
 * import { amqpLink, amqpSink } from 'sluice/amqp';
 * run(bills.pipe(encode(json())), amqpSink(amqpLink({ url: 'amqp://localhost' }), { exchange: 'bills' }));
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * Source: RabbitMQ guides «Publisher Confirms», «Connection-Blocked Notifications».
 * @see amqpSource
 */
export function amqpSink(link: AmqpLink, options: AmqpSinkOptions): Sink<Uint8Array> {
  checkArgument('amqpSink', 'link', link, called('a link made with amqpLink', 'reading', 'writing'));
  checkOptions<AmqpSinkOptions>(
    'amqpSink',
    options,
    {
      ...SINK_RULES,
      exchange: required((value) =>
        typeof value === 'string'
          ? undefined
          : `expected a text, which is '' for the one that queues are reached by their name`,
      ),
      routingKey: either(text, callable),
      mandatory: flag,
      persistent: flag,
      maxBytes: integer(1),
    },
    ELSEWHERE,
  );
  return defineSink<Uint8Array, AmqpConnection>(
    {
      connector: 'amqp',
      link: link.take('writing'),
      maxUnconfirmed: 500,
      async open(context, connection) {
        const { blockedFor } = connection;
        // It would not even read that a channel is wanted.
        if (blockedFor !== undefined)
          throw new SluiceError('CONNECT_FAILED', `The broker takes nothing for now: ${blockedFor}.`, {
            retriable: true,
          });
        const channel = await openChannel(connection, 'createConfirmChannel');
        const writer = new AmqpWriter(channel, connection, context, options);
        try {
          await declareTopology(channel, link.topology);
          // Publishing to one that is not there would end the channel again and again.
          if (options.exchange !== '') await channel.checkExchange(options.exchange);
        } catch (error) {
          writer.refused(error);
        }
        writer.opened();
        return writer;
      },
    },
    options,
  );
}
