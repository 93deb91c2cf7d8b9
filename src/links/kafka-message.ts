import { Buffer } from 'node:buffer';
import { headersToSend } from '../connection/headers-to-send.js';
import { isTime } from '../connection/is-time.js';
import { SluiceError } from '../errors.js';
import { wellFormed } from '../mappers/utf8.js';
import { NO_HEADERS, type HeaderValue, type MessageHeaders } from '../message/headers.js';
import type { Message } from '../message/message.js';
import type { KafkaHeaders, KafkaOutgoing } from './kafka-driver.js';

/**
 * Where a message of a log stood.
 *
 * @see kafkaSource
 */
export interface KafkaMeta {
  /** The topic it was read from: that of a retry topic differs from the message's. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** The key as it came; `null` where there was none. */
  readonly key: Uint8Array | null;
  /** There was no value, which in a compacted topic deletes the key. */
  readonly isTombstone: boolean;
}

/** Names of topics that brokers accept. */
const TOPIC = /^(?!\.{1,2}$)[\w.-]{1,249}$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Source: Apache Kafka, `Topic.validate`. @internal */
export function isTopicName(name: unknown): name is string {
  return typeof name === 'string' && TOPIC.test(name);
}

/** Text where the bytes are UTF-8, which turns into the same bytes again; otherwise the bytes. @internal */
export function textOrBytes(value: Uint8Array | string): string | Uint8Array {
  if (typeof value === 'string') return value;
  try {
    return utf8.decode(value);
  } catch {
    return value;
  }
}

/** A key as text: as it is where it is UTF-8, otherwise in hex, so that different keys stay different. @internal */
export function keyText(key: Uint8Array | null): string | undefined {
  if (key === null) return undefined;
  const text = textOrBytes(key);
  return typeof text === 'string' ? text : Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('hex');
}

/** The headers of a record, without those that are named. @internal */
export function headersOf(given: KafkaHeaders | undefined, without: readonly string[]): MessageHeaders {
  let headers: Record<string, HeaderValue> | undefined;
  for (const name in given) {
    const value = given[name];
    if (value === undefined || without.includes(name)) continue;
    headers ??= Object.create(null) as Record<string, HeaderValue>;
    headers[name] = Array.isArray(value)
      ? value.map((one: string | Uint8Array) => textOrBytes(one))
      : textOrBytes(value as string | Uint8Array);
  }
  return headers ?? NO_HEADERS;
}

/** The first value of a header as text. @internal */
export function headerOf(given: KafkaHeaders | undefined, name: string): string | undefined {
  const value = given?.[name];
  const [first] = Array.isArray(value) ? (value as readonly (string | Uint8Array)[]) : [value];
  if (first === undefined) return undefined;
  const text = textOrBytes(first as string | Uint8Array);
  return typeof text === 'string' ? text : undefined;
}

/** The bytes of a key, `null` for none. @throws SluiceError `ENCODE_FAILED` for half a surrogate pair, or what is no text @internal */
export function keyBytes(key: string | Uint8Array | undefined): Buffer | null {
  return key === undefined ? null : bytesOf('key', key);
}

/**
 * What goes out of a message.
 *
 * @throws SluiceError `ENCODE_FAILED` for a time or headers that are none, and a header or id that is no text or has half a surrogate
 *   pair
 * @internal
 */
export function outgoing(
  message: Pick<Message<Uint8Array | null>, 'id' | 'payload' | 'headers' | 'timeMs'>,
  key: Buffer | null,
  idHeader: string | undefined,
): KafkaOutgoing {
  const { headers, payload, timeMs } = message;
  // The client would find out in the middle of a batch, and each time that is sent again.
  if (!isTime(timeMs))
    throw new SluiceError('ENCODE_FAILED', `Kafka has no place for the time ${timeMs} of a message.`);
  const value = payload === null ? null : bytesOf('payload', payload);
  return { key, value, headers: headersOut(message, headers, idHeader), timeMs: Math.floor(timeMs) };
}

function headersOut(
  message: { readonly id: string },
  headers: MessageHeaders,
  idHeader: string | undefined,
): Record<string, Buffer | Buffer[]> {
  // Most have no others, and an object without a prototype is a slow one. A computed name is a property, whatever it is.
  if (headers === NO_HEADERS && idHeader !== undefined) return { [idHeader]: bytesOf('id', message.id) };
  const out = Object.create(null) as Record<string, Buffer | Buffer[]>;
  for (const name in headersToSend(headers)) {
    const value = headers[name] as HeaderValue;
    out[wellFormed(name)] = Array.isArray(value)
      ? value.map((one: string | Uint8Array) => bytesOf(name, one))
      : bytesOf(name, value as string | Uint8Array);
  }
  if (idHeader !== undefined) out[idHeader] ??= bytesOf('id', message.id);
  return out;
}

function bytesOf(name: string, value: string | Uint8Array): Buffer {
  if (typeof value === 'string') return Buffer.from(wellFormed(value));
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const text = `Kafka cannot carry '${name.slice(0, 64)}' of a message: it is neither text nor bytes.`;
  throw new SluiceError('ENCODE_FAILED', text);
}

/** How many bytes of a request a record takes, about: what it is made of, and what stands around it. @internal */
export function sizeOf({ key, value, headers }: KafkaOutgoing): number {
  let bytes = 32 + (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
  for (const name in headers) {
    const values = headers[name];
    for (const one of Array.isArray(values) ? values : [values]) bytes += name.length * 3 + (one?.byteLength ?? 0) + 10;
  }
  return bytes;
}

/** What a source writes on a message that it sends to a retry topic. @internal */
export const RETRY = {
  /** Where it was first read from. */
  topic: 'x-retry-topic',
  /** Which delivery the next one is. */
  attempt: 'x-retry-attempt',
  /** When that is due, in milliseconds since the epoch. */
  due: 'x-retry-due',
  /** The time of the message: that of the record says how long it waits there, and is what brokers count its age from. */
  time: 'x-retry-time',
} as const;

/** The same of a message that was given up, for who reads it. @internal */
export const DEAD_TIME = 'x-dead-time';

/** The headers that are ours and not the message's. @internal */
export const RETRY_HEADERS: readonly string[] = Object.values(RETRY);
