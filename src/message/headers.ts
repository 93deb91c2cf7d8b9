import { called, checkArgument, text } from '../options.js';

/**
 * One header's value: text, bytes where the transport has them, or several of them under one name.
 *
 * @see MessageHeaders
 */
export type HeaderValue = string | Uint8Array | readonly (string | Uint8Array)[];

/** The headers of a message. Names are kept as they came; look them up with {@link headerText}. */
export type MessageHeaders = Readonly<Record<string, HeaderValue>>;

/**
 * No headers at all: one frozen object without a prototype, shared by every message that carries none.
 *
 * @see MessageHeaders
 */
export const NO_HEADERS: MessageHeaders = Object.freeze(Object.create(null) as Record<string, HeaderValue>);

/**
 * Names of the headers that the library writes over every protocol, each only where its meaning applies. What a connector
 * writes besides, such as `x-dead-time` for Kafka, is on its page.
 *
 * @see headerText
 */
export const HEADERS = {
  /** The payload's media type, for example `application/json`. */
  contentType: 'content-type',
  /** A dead letter's reason: the text of the error and of its causes, without payload. */
  deadReason: 'x-dead-reason',
  /** A dead letter's error code, or the error's name. */
  deadCode: 'x-dead-code',
  /** The topic a dead letter was first read from. */
  deadTopic: 'x-dead-topic',
  /** How often a dead letter had been delivered, as decimal text. */
  deadAttempt: 'x-dead-attempt',
  /** The stage that gave a dead letter up. */
  deadStage: 'x-dead-stage',
  /** Where in its source a dead letter stood, for example a line number. */
  deadPosition: 'x-dead-position',
  /** How often a message came by a loop guard, as decimal text. */
  hops: 'x-hops',
} as const;

/**
 * Whether it has values by name. Types are not looked at where JavaScript is written, and a Map or `Headers` would count as none.
 *
 * @internal
 */
export function areHeaders(value: unknown): value is MessageHeaders {
  return value === NO_HEADERS || (typeof value === 'object' && value !== null && !(Symbol.iterator in value));
}

const utf8 = new TextDecoder();

/**
 * The first value of the header as text, `undefined` when there is none. The name matches whatever its case; bytes are
 * read as UTF-8.
 *
 * @example
 * import { headerText } from 'sluice';
 * headerText({ 'Content-Type': 'text/csv' }, 'content-type'); // 'text/csv'
 * @throws SluiceError `CONFIG_INVALID` for what are no headers, or no name
 * @see MessageHeaders
 */
export function headerText(headers: MessageHeaders, name: string): string | undefined {
  if (typeof headers !== 'object' || (headers as unknown) === null || typeof name !== 'string') refuse(headers, name);
  const value = Object.hasOwn(headers, name) ? headers[name] : valueOfAnyCase(headers, name);
  const first = typeof value === 'string' || value instanceof Uint8Array ? value : value?.[0];
  return first instanceof Uint8Array ? utf8.decode(first) : first;
}

/** Apart from the check itself, which is made for each message. */
function refuse(headers: unknown, name: unknown): void {
  checkArgument('headerText', 'headers', headers, called('the headers of a message'));
  checkArgument('headerText', 'name', name, text);
}

function valueOfAnyCase(headers: MessageHeaders, name: string): HeaderValue | undefined {
  if (headers === NO_HEADERS) return undefined;
  const wanted = name.toLowerCase();
  for (const key of Object.keys(headers)) if (key.toLowerCase() === wanted) return headers[key];
  return undefined;
}

/** About how much headers hold: bytes, and characters of text. @internal */
export function headerBytes(headers: Readonly<Record<string, HeaderValue | undefined>> | undefined): number {
  let bytes = 0;
  if (headers === NO_HEADERS) return bytes;
  for (const name in headers) {
    const value = headers[name] ?? '';
    bytes += name.length;
    if (typeof value === 'string' || value instanceof Uint8Array) bytes += value.length;
    else for (const one of value) bytes += one.length;
  }
  return bytes;
}
