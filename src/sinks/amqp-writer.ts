import { Buffer } from 'node:buffer';
import type { ConfirmChannel, Message as AmqpMessage } from 'amqplib';
import { bytesToSend } from '../connection/bytes-to-send.js';
import type { Sending, Writer, WriterContext } from '../connection/define-sink.js';
import { SluiceError } from '../errors.js';
import { closeAmqp } from '../links/amqp-close.js';
import { amqpError, amqpLost, sizeLimit } from '../links/amqp-errors.js';
import { propertiesOf } from '../links/amqp-message.js';
import type { AmqpConnection } from '../links/amqp.js';
import { MAX_PAYLOAD_BYTES } from '../mappers/codec.js';
import type { AmqpSinkOptions } from './amqp.js';

/** One message that is out. */
interface Out {
  readonly sending: Sending<Uint8Array>;
  readonly id: string;
  readonly routingKey: string;
  isReturned: boolean;
}

/** Publishes over one channel, to one exchange. @internal */
export class AmqpWriter implements Writer<Uint8Array> {
  private readonly channel: ConfirmChannel;
  private readonly connection: AmqpConnection;
  private readonly context: WriterContext;
  private readonly options: AmqpSinkOptions;
  /** In the order they were sent: what the broker returns it returns in this order too. */
  private readonly out = new Set<Out>();
  private isBlocked = false;
  /** Everything it needs was there: from now on opening again may put right what goes. */
  private isOpen = false;
  private isOver = false;
  private readonly blocked = (blockedFor: string | undefined): void => {
    this.isBlocked = blockedFor !== undefined;
    this.context.blocked(this.isBlocked, blockedFor);
    if (!this.isBlocked) this.context.resume();
  };

  constructor(channel: ConfirmChannel, connection: AmqpConnection, context: WriterContext, options: AmqpSinkOptions) {
    this.channel = channel;
    this.connection = connection;
    this.context = context;
    this.options = options;
    let failure: unknown;
    let tooLarge: Out[] = [];
    channel.on('error', (error) => {
      failure = error;
      connection.maxMessageBytes = sizeLimit(error) ?? connection.maxMessageBytes;
      // With its close the client forgets what is out.
      tooLarge = [...this.out].filter(({ sending }) => !this.isTaken(sending));
    });
    channel.on('close', () => {
      this.lost(failure, tooLarge);
    });
    channel.on('drain', () => this.context.resume());
    channel.on('return', (message) => this.returned(message));
    connection.writers.add(this.blocked);
  }

  /** The exchange and the topology are there. */
  opened(): void {
    this.isOpen = true;
  }

  refused(error: unknown): never {
    this.end();
    // What this side refused has left the channel open.
    void closeAmqp(this.channel, this.context.clock);
    throw this.connection.refused(amqpError(error, `amqp exchange '${this.options.exchange}' and topology`));
  }

  send(sending: Sending<Uint8Array>): boolean {
    const { message } = sending;
    const { exchange, routingKey = message.topic, mandatory = true, persistent = true } = this.options;
    const { maxBytes = MAX_PAYLOAD_BYTES } = this.options;
    const payload = bytesToSend('amqpSink', message.payload, maxBytes);
    if (!this.isTaken(sending)) throw this.tooLarge();
    const key = typeof routingKey === 'function' ? routingKey(message) : routingKey;
    const out: Out = { sending, id: message.id, routingKey: key, isReturned: false };
    const content = Buffer.isBuffer(payload)
      ? payload
      : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    this.out.add(out);
    try {
      const properties = propertiesOf(message, persistent, mandatory);
      const goOn = this.channel.publish(exchange, key, content, properties, (error: unknown) =>
        this.answered(out, error),
      );
      return goOn && !this.isBlocked;
    } catch (error) {
      this.out.delete(out);
      if (!this.isOver && (error as Error).name !== 'IllegalOperationError') throw unfit(error);
      // The channel has just closed: it is sent again over the next one.
      return false;
    }
  }

  async flush(): Promise<void> {
    await this.channel.waitForConfirms().catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.isOver) return;
    this.end();
    const closed = closeAmqp(this.channel, this.context.clock);
    // A broker that does not read would not answer: the connection ends without that.
    if (!this.isBlocked) await closed;
  }

  private answered(out: Out, error: unknown): void {
    if (!this.out.delete(out) || this.isOver) return;
    if (out.isReturned) {
      const { exchange } = this.options;
      const text = `No queue takes messages of the exchange '${exchange}' with the routing key '${out.routingKey}': bind one.`;
      out.sending.fail(new SluiceError('UNROUTABLE', text, { details: { exchange, routingKey: out.routingKey } }));
    } else if (error === null || error === undefined) out.sending.confirm();
    else if (!/closed/i.test((error as Error).message)) {
      const text = 'The broker refused a message: a queue it was routed to is full, or failed.';
      out.sending.fail(new SluiceError('SINK_FAILED', text, { retriable: true, cause: error }));
    }
    // Of a closed channel nobody knows; the kit sends it again.
  }

  private returned({ properties, fields }: AmqpMessage): void {
    const { messageId } = properties as { messageId?: string };
    const { routingKey } = fields as { routingKey: string };
    for (const out of this.out) {
      if (out.isReturned || out.id !== messageId || out.routingKey !== routingKey) continue;
      out.isReturned = true;
      return;
    }
  }

  private end(): void {
    this.isOver = true;
    this.connection.writers.delete(this.blocked);
  }

  private isTaken({ message }: Sending<Uint8Array>): boolean {
    return message.payload.byteLength <= this.connection.maxMessageBytes;
  }

  private tooLarge(): SluiceError {
    const text = `The broker takes messages of at most ${this.connection.maxMessageBytes} bytes (its max_message_size).`;
    return new SluiceError('PAYLOAD_TOO_LARGE', text);
  }

  private lost(failure: unknown, tooLarge: readonly Out[]): void {
    if (this.isOver) return;
    this.end();
    // Sent again, each of them would end the next channel too, with all that is behind it.
    for (const { sending } of tooLarge) sending.fail(this.tooLarge());
    // The client tells this before it rejects the call that the broker closed the channel for.
    const told = this.isOpen ? amqpLost : amqpError;
    this.context.lost(this.connection.refused(told(failure, 'amqp channel closed')));
  }
}

/** The client says what it cannot write, a name of more than 255 bytes for example: sending it again would not help. */
function unfit(cause: unknown): SluiceError {
  const text = `AMQP cannot carry this message: ${(cause as Error).message.slice(0, 200)}.`;
  return new SluiceError('ENCODE_FAILED', text, { cause });
}
