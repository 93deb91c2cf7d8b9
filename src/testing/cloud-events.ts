import type { MessageHeaders } from '../message/headers.js';

/** As much of a CloudEvent as the case needs: attributes are texts, data is bytes, a value, or nothing. */
export interface CloudEvent {
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly contentType: string | undefined;
  readonly data: Uint8Array | undefined;
}

const utf8 = { encode: (text: string) => new TextEncoder().encode(text), decode: new TextDecoder() };
const PREFIX = 'ce-';

function event(
  id: string,
  contentType?: string,
  data?: string | Uint8Array,
  more: Record<string, string> = {},
): CloudEvent {
  const attributes = { specversion: '1.0', id, source: '/conformance', type: 'com.example.happened', ...more };
  return { id, attributes, contentType, data: typeof data === 'string' ? utf8.encode(data) : data };
}

/** Six events: the smallest, JSON, text, bytes, with every optional attribute, and beyond ASCII. */
export const CLOUD_EVENTS: readonly CloudEvent[] = [
  event('smallest'),
  event('json', 'application/json', '{"amount":12.5,"items":["tea"]}'),
  event('text', 'text/plain', 'two\nlines'),
  event('bytes', 'application/octet-stream', Uint8Array.of(0, 1, 127, 128, 255)),
  event('optional', 'application/json', '{}', {
    subject: 'orders/7',
    time: '2030-01-01T00:00:00Z',
    dataschema: 'https://example.com/order.json',
    traceid: 'abc-1',
  }),
  event('unicode', 'text/plain; charset=utf-8', 'Zoë 漢字 😀', { subject: 'Straße 漢字' }),
];

/** Attributes as headers, data as the payload, its type as the content type. */
export function toBinary({ attributes, contentType, data }: CloudEvent): {
  payload: Uint8Array;
  headers: MessageHeaders;
} {
  const named = Object.entries(attributes).map(([name, value]) => [`${PREFIX}${name}`, value]);
  if (contentType !== undefined) named.push(['content-type', contentType]);
  return { payload: data ?? new Uint8Array(), headers: Object.fromEntries(named) as MessageHeaders };
}

export function fromBinary(payload: Uint8Array, headers: MessageHeaders): CloudEvent {
  const attributes: Record<string, string> = {};
  let contentType: string | undefined;
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (lower.startsWith(PREFIX)) attributes[lower.slice(PREFIX.length)] = String(value);
    else if (lower === 'content-type') contentType = String(value);
  }
  return { id: attributes['id'] ?? '', attributes, contentType, data: payload.length === 0 ? undefined : payload };
}

/** All of it as one JSON document. Source: CloudEvents JSON format 1.0.2, 3.1. */
export function toStructured({ attributes, contentType, data }: CloudEvent): Uint8Array {
  const type = contentType === undefined ? {} : { datacontenttype: contentType };
  return utf8.encode(JSON.stringify({ ...attributes, ...type, ...bodyOf(contentType, data) }));
}

function bodyOf(contentType: string | undefined, data: Uint8Array | undefined): object {
  if (data === undefined) return {};
  if (contentType !== 'application/json') return { data_base64: btoa(String.fromCharCode(...data)) };
  const value: unknown = JSON.parse(utf8.decode.decode(data));
  return { data: value };
}

export function fromStructured(payload: Uint8Array): CloudEvent {
  const document = JSON.parse(utf8.decode.decode(payload)) as Record<string, unknown>;
  const { datacontenttype, data, data_base64: base64, ...attributes } = document;
  let bytes: Uint8Array | undefined;
  if (data !== undefined) bytes = utf8.encode(JSON.stringify(data));
  else if (typeof base64 === 'string') bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return {
    id: String(attributes['id']),
    attributes: attributes as Record<string, string>,
    contentType: datacontenttype as string | undefined,
    data: bytes,
  };
}

/** Everything in an event as one text, to be compared. */
export function shown({ attributes, contentType, data }: CloudEvent): string {
  const named = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([named, contentType ?? null, data === undefined ? null : [...data]]);
}
