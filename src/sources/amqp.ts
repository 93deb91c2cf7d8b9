import { defineSource, SOURCE_RULES, type SourceOptions } from '../connection/define-source.js';
import type { Flow } from '../connection/flow.js';
import { called, checkArgument, checkOptions, flag, integer, numeric, required, text } from '../connection/options.js';
import { SOURCE_ELSEWHERE } from '../connection/source-options.js';
import { openChannel } from '../links/amqp-channel.js';
import { declareTopology } from '../links/amqp-topology.js';
import type { AmqpConnection, AmqpLink } from '../links/amqp.js';
import { AmqpAttempts } from './amqp-attempts.js';
import { AmqpReader } from './amqp-reader.js';

/**
 * Options of {@link amqpSource}.
 *
 * @see amqpSource
 */
export interface AmqpSourceOptions extends SourceOptions {
  /** The queue's name. It has to be there, or be named by the topology of the link. */
  readonly queue: string;
  /**
   * How many unsettled messages the broker hands out, 1 to 65,535. Default: the credit; 200 where that is an Observable. More
   * makes sense where lanes are used: what waits behind a slow key holds no credit, but the broker still counts it.
   */
  readonly prefetch?: number;
  /** How long a requeued message stays away. Meanwhile the broker counts it as handed out. Default 1,000 ms. */
  readonly requeueDelayMs?: number;
  /** Nobody else may read the queue. Default false. */
  readonly exclusive?: boolean;
  /** Largest payload. A longer one is refused with PAYLOAD_TOO_LARGE. Default 1 MiB. */
  readonly maxBytes?: number;
}

/** What the client calls it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...SOURCE_ELSEWHERE,
  topic: 'queue',
  prefetchCount: 'prefetch',
  noAck: 'each message is acked when it is settled; values() settles on arrival',
  durable: 'belongs to a queue in the topology of amqpLink',
  deadLetterExchange: 'belongs to a queue in the topology of amqpLink',
};

const CREDIT = 200;

/**
 * The messages of a queue, as bytes. At-least-once: `ack` tells the broker, in order or not; acks go out together, at the end
 * of the turn where the broker has less than half of the `prefetch` left, otherwise within 2 ms. `requeue` gives the message back after `requeueDelayMs`, `dead` rejects it, which moves it to the queue's
 * dead-letter exchange and **throws it away where the queue has none**, `drop` acks it. A message longer than `maxBytes` never
 * enters the flow: it is `dead`, or goes to the stage that keeps dead letters, with its first bytes.
 *
 * What is unsettled when the channel or the connection is lost is delivered again by the broker; settling the first copy
 * touches nothing. A queue that is deleted is declared again when the topology of the link names it, and ends the flow
 * with CONFIG_INVALID otherwise. On unsubscribe what was not emitted goes back at once.
 *
 * `attempt` is exact on quorum queues, which count deliveries; on classic ones this process counts by message id. A message
 * has to be settled within the broker's `consumer_timeout`, 30 minutes unless it was changed.
 *
 * @example
 * import { decode, each, json } from 'sluice';
 * import { amqpLink, amqpSource } from 'sluice/amqp';
 * const link = amqpLink({ url: 'amqp://localhost' });
 * amqpSource(link, { queue: 'orders', credit: 64 }).pipe(decode(json<Order>()), each(bill, { concurrency: 8 }));
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * Source: RabbitMQ guides «Consumer Acknowledgements», «Quorum Queues» (`x-delivery-count`).
 * @see amqpSink
 */
export function amqpSource(link: AmqpLink, options: AmqpSourceOptions): Flow<Uint8Array> {
  checkArgument('amqpSource', 'link', link, called('a link made with amqpLink', 'reading', 'writing'));
  checkOptions<AmqpSourceOptions>(
    'amqpSource',
    options,
    {
      ...SOURCE_RULES,
      queue: required(text),
      prefetch: integer(1, 65_535),
      requeueDelayMs: numeric(0),
      exclusive: flag,
      maxBytes: integer(1),
    },
    ELSEWHERE,
  );
  const { credit = CREDIT } = options;
  // A prefetch of 0 would be one without limit.
  const prefetch = options.prefetch ?? (typeof credit === 'number' ? Math.max(1, credit) : CREDIT);
  const attempts = new AmqpAttempts();
  return defineSource<Uint8Array, AmqpConnection>(
    {
      connector: 'amqp',
      link: () => link.take('reading'),
      credit: CREDIT,
      async open(context, connection) {
        const channel = await openChannel(connection, 'createChannel');
        const reader = new AmqpReader(channel, connection, context, options, attempts, prefetch);
        try {
          await declareTopology(channel, link.topology);
          await channel.prefetch(prefetch);
          await reader.start();
        } catch (error) {
          reader.refused(error);
        }
        return reader;
      },
    },
    options,
  );
}
