import { headersToSend } from '../connection/headers-to-send.js';
import { isTime } from '../connection/is-time.js';
import { HEADERS, NO_HEADERS, type HeaderValue, type MessageHeaders } from '../message/headers.js';
import type { Message } from '../message/message.js';
import { SluiceError } from '../errors.js';
import type { MqttProperties, MqttPublish } from './mqtt-client.js';
import { MAX_BYTES, textFault, topicFault } from './mqtt-topic.js';

/**
 * Where a message stood, and what MQTT says of it.
 *
 * @see mqttSource
 */
export interface MqttMeta {
  readonly qos: 0 | 1;
  /** The broker had kept it, and sends it because the subscription is new. */
  readonly retained: boolean;
  /** The broker sent it before, perhaps to another connection of this session. */
  readonly duplicate: boolean;
  readonly packetId: number | undefined;
  readonly responseTopic: string | undefined;
  readonly correlationData: Uint8Array | undefined;
}

/** Headers that stand for a property of a PUBLISH. */
const RESPONSE_TOPIC = 'response-topic';
const CORRELATION_DATA = 'correlation-data';
/** User properties that stand for what MQTT has no place for. */
const ID = 'x-message-id';
const KEY = 'x-message-key';
const TIME = 'x-message-time';
const OWN = new Set([ID, KEY, TIME]);
/** Types are not looked at where JavaScript is written. */
const NO_TEXT = 'it is neither text nor bytes';
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What user properties say of a message besides its headers. */
export interface MqttFacts {
  readonly headers: MessageHeaders;
  readonly id: string | undefined;
  readonly key: string | undefined;
  readonly timeMs: number | undefined;
}

const NO_FACTS: MqttFacts = { headers: NO_HEADERS, id: undefined, key: undefined, timeMs: undefined };

/** Reads the properties of a delivery. @internal */
export function factsOf({ properties }: MqttPublish): MqttFacts {
  if (properties === undefined) return NO_FACTS;
  const { userProperties = {}, contentType, responseTopic, correlationData } = properties;
  let headers: Record<string, HeaderValue> | undefined;
  // Most messages have none, and an object without a prototype is dear to make.
  const add = (name: string, value: HeaderValue | undefined): void => {
    if (value !== undefined) (headers ??= Object.create(null) as Record<string, HeaderValue>)[name] = value;
  };
  for (const name of Object.keys(userProperties)) if (!OWN.has(name)) add(name, userProperties[name]);
  add(HEADERS.contentType, contentType);
  add(RESPONSE_TOPIC, responseTopic);
  add(CORRELATION_DATA, correlationData);
  const timeMs = Number(first(userProperties[TIME]));
  return {
    headers: headers ?? NO_HEADERS,
    // An empty one is none: it would be that of every message of its sender.
    id: first(userProperties[ID]) || undefined,
    key: first(userProperties[KEY]),
    timeMs: isTime(timeMs) ? timeMs : undefined,
  };
}

/** What MQTT itself says of a delivery. @internal */
export function metaOf({ qos, retain, dup, messageId, properties }: MqttPublish): MqttMeta {
  return {
    qos: qos === 0 ? 0 : 1,
    retained: retain,
    duplicate: dup,
    packetId: messageId,
    responseTopic: properties?.responseTopic,
    correlationData: properties?.correlationData,
  };
}

/**
 * What goes out beside topic and payload, over MQTT 5.
 *
 * @throws SluiceError `ENCODE_FAILED` for headers that are none, or that MQTT cannot carry
 * @internal
 */
export function propertiesOf(message: Message<Uint8Array>, expirySeconds: number | undefined): MqttProperties {
  const { headers, id, key, timeMs } = message;
  // The client copies and measures what it is given, which is slow for objects without a prototype. Most messages need none.
  if (headers === NO_HEADERS && key === undefined && expirySeconds === undefined)
    return { userProperties: { [ID]: carried('id', id), [TIME]: String(timeMs) } };
  const userProperties = Object.create(null) as Record<string, string | string[]>;
  let contentType: string | undefined;
  let responseTopic: string | undefined;
  let correlationData: Uint8Array | undefined;
  for (const [name, value] of Object.entries(headersToSend(headers))) {
    if (name === HEADERS.contentType) contentType = single(name, value);
    else if (name === RESPONSE_TOPIC) responseTopic = topicOf(single(name, value));
    else if (name === CORRELATION_DATA) correlationData = bytesOf(value);
    else userProperties[carried(name, name)] = propertyOf(name, value);
  }
  userProperties[ID] = carried('id', id);
  userProperties[TIME] = String(timeMs);
  if (key !== undefined) userProperties[KEY] = carried('key', key);
  return {
    userProperties,
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData }),
    ...(expirySeconds === undefined ? {} : { messageExpiryInterval: expirySeconds }),
  };
}

/** A duration as MQTT 5 carries it: whole seconds in four bytes. The largest is more than a century, or for ever. @internal */
export function wholeSeconds(ms: number): number {
  return Math.min(0xffff_ffff, Math.ceil(ms / 1_000));
}

/** The name of a header that MQTT 3.1.1 would lose; a content type is not counted, receivers know it by the topic. @internal */
export function lostHeader(headers: MessageHeaders): string | undefined {
  if (headers === NO_HEADERS) return undefined;
  return Object.keys(headersToSend(headers)).find((name) => name !== HEADERS.contentType);
}

function first(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

function propertyOf(name: string, value: HeaderValue): string | string[] {
  if (typeof value === 'string') return carried(name, value);
  if (!Array.isArray(value)) return carried(name, textOf(name, value as Uint8Array));
  return value.map((one: string | Uint8Array) => carried(name, typeof one === 'string' ? one : textOf(name, one)));
}

function single(name: string, value: HeaderValue): string {
  const property = propertyOf(name, value);
  return typeof property === 'string' ? property : (property[0] ?? '');
}

function topicOf(text: string): string {
  const fault = topicFault(text);
  if (fault !== undefined)
    throw new SluiceError('TOPIC_INVALID', `The header '${RESPONSE_TOPIC}' is no topic: ${fault}.`);
  return text;
}

function bytesOf(value: HeaderValue): Uint8Array {
  const one = Array.isArray(value) ? ((value as readonly (string | Uint8Array)[])[0] ?? '') : value;
  const bytes = typeof one === 'string' ? new TextEncoder().encode(one) : one;
  if (!(bytes instanceof Uint8Array)) throw uncarried(CORRELATION_DATA, NO_TEXT);
  // The client would find out in the middle of the packet, and have spoilt the connection.
  if (bytes.byteLength <= MAX_BYTES) return bytes;
  throw new SluiceError('ENCODE_FAILED', `The header '${CORRELATION_DATA}' is longer than ${MAX_BYTES} bytes.`);
}

function textOf(name: string, bytes: Uint8Array): string {
  if (!(bytes instanceof Uint8Array)) throw uncarried(name, NO_TEXT);
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    const text = `The header '${name}' holds bytes that are not UTF-8, and MQTT carries text only.`;
    throw new SluiceError('ENCODE_FAILED', text, { cause });
  }
}

function carried(name: string, text: string): string {
  const fault = typeof text === 'string' ? textFault(text) : NO_TEXT;
  if (fault === undefined) return text;
  throw uncarried(name, fault);
}

function uncarried(name: string, fault: string): SluiceError {
  return new SluiceError('ENCODE_FAILED', `MQTT cannot carry '${name.slice(0, 64)}' of a message: ${fault}.`);
}
