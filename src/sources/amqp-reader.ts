import type { Channel, ConsumeMessage } from 'amqplib';
import type { Cancel } from '../clock.js';
import type { Reader, ReaderContext } from '../connection/define-source.js';
import { isTime } from '../connection/is-time.js';
import { oversized } from '../connection/oversized.js';
import { SluiceError } from '../errors.js';
import { AmqpAcks } from '../links/amqp-acks.js';
import { closeAmqp } from '../links/amqp-close.js';
import { amqpError, amqpLost } from '../links/amqp-errors.js';
import { type AmqpMeta, headersOf, keyOf } from '../links/amqp-message.js';
import type { AmqpConnection } from '../links/amqp.js';
import { MAX_PAYLOAD_BYTES } from '../mappers/codec.js';
import { headerBytes } from '../message/headers.js';
import type { Outcome } from '../message/settlement.js';
import type { AmqpAttempts } from './amqp-attempts.js';
import type { AmqpSourceOptions } from './amqp.js';

interface Position {
  readonly tag: number;
  readonly id: string | undefined;
  readonly attempt: number;
}

/** Reads one queue over one channel. @internal */
export class AmqpReader implements Reader {
  private readonly channel: Channel;
  private readonly connection: AmqpConnection;
  private readonly context: ReaderContext<Uint8Array>;
  private readonly options: AmqpSourceOptions;
  private readonly attempts: AmqpAttempts;
  private readonly acks: AmqpAcks;
  /** How many unsettled messages the broker hands out. */
  private readonly prefetch: number;
  /** Requeued and still kept from the broker, by delivery tag. */
  private readonly waiting = new Map<number, Cancel>();
  private consumerTag: string | undefined;
  /** Everything it needs was there: from now on opening again may put right what goes. */
  private isOpen = false;
  private isOver = false;

  constructor(
    channel: Channel,
    connection: AmqpConnection,
    context: ReaderContext<Uint8Array>,
    options: AmqpSourceOptions,
    attempts: AmqpAttempts,
    prefetch: number,
  ) {
    this.channel = channel;
    this.connection = connection;
    this.context = context;
    this.options = options;
    this.attempts = attempts;
    this.prefetch = prefetch;
    this.acks = new AmqpAcks(channel, context.clock, prefetch);
    let failure: unknown;
    channel.on('error', (error) => (failure = error));
    // The client tells this before it rejects the call that the broker closed the channel for.
    channel.on('close', () => {
      const told = this.isOpen ? amqpLost : amqpError;
      this.lost(told(failure, `amqp channel of ${options.queue} closed`));
    });
  }

  async start(): Promise<void> {
    const { queue, exclusive = false } = this.options;
    // The priority is the usual one, and what a stream refuses: it would begin with what comes next each time that it is
    // opened, and know neither requeue nor dead. Every other queue takes it.
    const how = { exclusive, priority: 0 };
    const { consumerTag } = await this.channel.consume(queue, (message) => this.take(message), how);
    this.consumerTag = consumerTag;
    this.isOpen = true;
  }

  /** The broker refused what has to be there: trying again does not help. */
  refused(error: unknown): never {
    this.isOver = true;
    // What this side refused has left the channel open.
    void closeAmqp(this.channel, this.context.clock);
    throw this.connection.refused(amqpError(error, `amqp queue ${this.options.queue}`));
  }

  resume(): void {
    // The broker sends by itself, as far as the prefetch goes.
  }

  settle(position: unknown, outcome: Outcome): void {
    const { tag, id, attempt } = position as Position;
    if (outcome === 'ack' || outcome === 'drop') this.acks.ack(tag);
    else if (outcome === 'dead') this.acks.nack(tag, false);
    else if (outcome === 'release') this.acks.nack(tag, true);
    else {
      if (id !== undefined) this.attempts.failed(id, attempt);
      this.requeueLater(tag);
      return;
    }
    if (id !== undefined && outcome !== 'release') this.attempts.done(id);
  }

  /**
   * A broker that works says at once how many messages wait and how many read. Some that wait for nobody but us, who have
   * room, do not come any more; with others who read, they may be theirs (a single active consumer, a priority).
   */
  async probe(): Promise<boolean> {
    if (this.acks.outstanding >= this.prefetch) return true;
    const { messageCount, consumerCount } = await this.channel.checkQueue(this.options.queue);
    return consumerCount > 1 || (consumerCount === 1 && messageCount === 0);
  }

  stop(): void {
    if (this.consumerTag !== undefined && !this.isOver) this.channel.cancel(this.consumerTag).catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    for (const [tag, cancel] of this.waiting) {
      cancel();
      this.acks.nack(tag, true);
    }
    this.waiting.clear();
    this.acks.flush();
    this.acks.end();
    // What is unsettled goes back with the channel.
    await closeAmqp(this.channel, this.context.clock);
  }

  private take(message: ConsumeMessage | null): void {
    if (message === null) {
      const { queue } = this.options;
      const text = `The broker ended the reading of ${queue}: it was deleted, or moved to another node.`;
      this.context.lost(new SluiceError('CONNECTION_LOST', text, { retriable: true }));
      return;
    }
    const { content, fields, properties } = message;
    const { messageId, timestamp, replyTo, correlationId } = properties as unknown as Record<string, unknown>;
    // An empty one is none: it would be that of every message of its sender.
    const id = typeof messageId === 'string' && messageId !== '' ? messageId : undefined;
    const attempt = this.attempts.of(message);
    const { deliveryTag: tag, exchange, routingKey, redelivered } = fields;
    const timeMs = typeof timestamp === 'number' ? timestamp * 1_000 : undefined;
    this.acks.delivered(tag);
    const meta: AmqpMeta = {
      exchange,
      routingKey,
      queue: this.options.queue,
      redelivered,
      deliveryTag: tag,
      replyTo: replyTo as string | undefined,
      correlationId: correlationId as string | undefined,
    };
    const { maxBytes = MAX_PAYLOAD_BYTES } = this.options;
    const tooLong = content.byteLength > maxBytes ? oversized('amqpSource', content, maxBytes) : undefined;
    const payload = tooLong?.payload ?? content;
    const headers = headersOf(message);
    this.context.offer({
      payload,
      topic: routingKey,
      headers,
      key: keyOf(message),
      id,
      timeMs: isTime(timeMs) ? timeMs : undefined,
      attempt,
      bytes: payload.byteLength + headerBytes(headers),
      meta,
      position: { tag, id, attempt } satisfies Position,
      refusal: tooLong?.refusal,
    });
  }

  private requeueLater(tag: number): void {
    const { requeueDelayMs = 1_000 } = this.options;
    if (this.isOver || requeueDelayMs === 0) {
      this.acks.nack(tag, true);
      return;
    }
    const cancel = this.context.clock.timer(requeueDelayMs, () => {
      this.waiting.delete(tag);
      this.acks.nack(tag, true);
    });
    this.waiting.set(tag, cancel);
  }

  private lost(error: SluiceError): void {
    this.acks.end();
    for (const cancel of this.waiting.values()) cancel();
    this.waiting.clear();
    if (this.isOver) return;
    this.isOver = true;
    this.context.lost(this.connection.refused(error));
  }
}
