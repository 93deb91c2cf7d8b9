import { mayBeVeryDeep } from '../mappers/json-precheck.js';
import type { WebSocketData } from './websocket-wire.js';

/**
 * What a client asks a server for, or wants no more.
 *
 * @see readSubscription
 */
export interface WebSocketSubscription {
  readonly op: 'subscribe' | 'unsubscribe';
  readonly channels: readonly {
    readonly name: string;
    /** Empty: the whole channel. */
    readonly symbols: readonly string[];
  }[];
}

/** More than any client needs, and little enough to keep for each of many. */
const MAX_ITEMS = 1_000;

/**
 * The subscription that a frame of a client asks for, `undefined` when it is none. Both usual shapes are read: several
 * channels at once, each with its symbols, and one channel with its symbols beside it. Up to 1,000 channels and symbols in
 * all; a frame with more is none.
 *
 * @example
 * import { readSubscription } from 'sluice/websocket-server';
 * readSubscription('{"op":"subscribe","channels":[{"name":"trades","symbols":["BTC-USD","ETH-USD"]}]}');
 * readSubscription('{"op":"subscribe","channel":"trades","symbols":["BTC-USD"]}');
 * @see webSocketServer
 */
export function readSubscription(frame: WebSocketData): WebSocketSubscription | undefined {
  const message = typeof frame === 'string' ? parse(frame) : undefined;
  if (!isRecord(message)) return undefined;
  const { op, channels = [message] } = message;
  if ((op !== 'subscribe' && op !== 'unsubscribe') || !Array.isArray(channels)) return undefined;
  const wanted = channels.map(channelOf);
  if (wanted.length === 0 || !wanted.every((channel) => channel !== undefined)) return undefined;
  const items = wanted.reduce((sum, { symbols }) => sum + 1 + symbols.length, 0);
  return items > MAX_ITEMS ? undefined : { op, channels: wanted };
}

function channelOf(value: unknown): WebSocketSubscription['channels'][number] | undefined {
  if (typeof value === 'string') return { name: value, symbols: [] };
  if (!isRecord(value)) return undefined;
  const name = value['name'] ?? value['channel'];
  const symbols = value['symbols'] ?? [];
  if (typeof name !== 'string' || name === '' || !Array.isArray(symbols)) return undefined;
  return symbols.every((symbol) => typeof symbol === 'string') ? { name, symbols } : undefined;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parse(text: string): unknown {
  // Anybody may send it, and to look whether it asks for something must not take long.
  if (mayBeVeryDeep(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
