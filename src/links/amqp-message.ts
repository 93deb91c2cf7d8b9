import { Buffer } from 'node:buffer';
import type { ConsumeMessage, Options } from 'amqplib';
import { headersToSend } from '../connection/headers-to-send.js';
import { wellFormed } from '../mappers/utf8.js';
import { HEADERS, NO_HEADERS, type HeaderValue, type MessageHeaders } from '../message/headers.js';
import type { Message } from '../message/message.js';

/**
 * Where a message of a queue stood.
 *
 * @see amqpSource
 */
export interface AmqpMeta {
  readonly exchange: string;
  readonly routingKey: string;
  readonly queue: string;
  /** The broker thinks that it delivered it before. */
  readonly redelivered: boolean;
  readonly deliveryTag: number;
  readonly replyTo: string | undefined;
  readonly correlationId: string | undefined;
}

/** Written by sinks for the key of a message, which AMQP has no place for. */
const KEY = 'x-message-key';
/** RabbitMQ routes by these as by the routing key, and ends the channel over one that is no list. */
const ROUTING: readonly string[] = ['CC', 'BCC'];
const decoder = new TextDecoder();

/** The headers of a delivery, with the properties that have a header's meaning. @internal */
export function headersOf({ properties }: ConsumeMessage): MessageHeaders {
  const own = properties.headers as Record<string, unknown> | undefined;
  const { contentType } = properties as { contentType?: string };
  if (contentType === undefined && isEmpty(own)) return NO_HEADERS;
  const headers = Object.create(null) as Record<string, HeaderValue>;
  for (const [name, value] of Object.entries(own ?? {})) {
    const header = headerOf(value);
    if (header !== undefined && name !== KEY && !ROUTING.includes(name)) headers[name] = header;
  }
  if (contentType !== undefined) headers[HEADERS.contentType] ??= contentType;
  return headers;
}

function isEmpty(own: Record<string, unknown> | undefined): boolean {
  for (const _ in own) return false;
  return true;
}

function headerOf(value: unknown): HeaderValue | undefined {
  if (!Array.isArray(value)) return single(value);
  const items = value.flatMap((item) => single(item) ?? []);
  return items.length === 0 && value.length > 0 ? undefined : items;
}

/** Tables, lists of them as the broker's own x-death, and lists in lists have no form as a header: they are for its tools. */
function single(value: unknown): string | Uint8Array | undefined {
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
    ? String(value)
    : undefined;
}

/** The key that a sink wrote. @internal */
export function keyOf({ properties }: ConsumeMessage): string | undefined {
  const key = (properties.headers as Record<string, unknown> | undefined)?.[KEY];
  return typeof key === 'string' ? key : undefined;
}

/** What goes out beside the payload. Throws over what AMQP cannot carry; the client would write U+FFFD for half a pair. @internal */
export function propertiesOf(message: Message<Uint8Array>, persistent: boolean, mandatory: boolean): Options.Publish {
  const { id, key, headers, timeMs } = message;
  const properties: Options.Publish = {
    persistent,
    mandatory,
    messageId: written('id', id),
  };
  // Seconds, as the specification has it, which knows none before 1970.
  if (timeMs >= 0) properties.timestamp = Math.floor(timeMs / 1_000);
  if (headers === NO_HEADERS && key === undefined) return properties;
  // Whatever a header is called, it is one: `__proto__` of another object would be its prototype.
  const out = Object.create(null) as Record<string, unknown>;
  for (const name of Object.keys(headersToSend(headers))) {
    const value = headers[name] as HeaderValue;
    if (ROUTING.includes(name)) throw new Error(`RabbitMQ would route by its header '${name}'`);
    if (name === HEADERS.contentType) properties.contentType = wellFormed(textOf(value));
    else
      out[wellFormed(name)] = Array.isArray(value)
        ? value.map((one: string | Uint8Array) => sent(name, one))
        : sent(name, value as string | Uint8Array);
  }
  if (key !== undefined) out[KEY] = written('key', key);
  properties.headers = out;
  return properties;
}

/** What has to be text: bytes would come back as nothing, or be refused by the client. */
function written(name: string, value: string): string {
  if (typeof value === 'string') return wellFormed(value);
  throw new Error(`'${name}' is no text`);
}

function sent(name: string, value: string | Uint8Array): string | Buffer {
  if (typeof value === 'string') return wellFormed(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw new Error(`'${name.slice(0, 64)}' is neither text nor bytes`);
}

function textOf(value: HeaderValue): string {
  const first = value instanceof Uint8Array || typeof value === 'string' ? value : (value[0] ?? '');
  return first instanceof Uint8Array ? decoder.decode(first) : first;
}
