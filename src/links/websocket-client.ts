import type { Clock } from '../clock.js';
import { peerMissing } from '../connection/load-peer.js';
import { isSluiceError, SluiceError } from '../errors.js';
import { closedWith, connectFailed, upgradeRefused } from './websocket-errors.js';
import {
  PlatformWire,
  WsWire,
  type PlatformSocket,
  type RawSocket,
  type Wire,
  type WsSocket,
} from './websocket-wire.js';

/** The package that Node needs, and the range of it: since 8.21.1 it bounds the fragments of a message. */
export const WEBSOCKET_PEER = { name: 'ws', range: '^8.21.1' } as const;

/**
 * A class with the shape of the browser's `WebSocket`.
 *
 * @see webSocketLink
 */
export type PlatformWebSocket = new (url: string, protocols?: string[]) => PlatformSocket;

/**
 * A class with the shape of the `WebSocket` of the package `ws`.
 *
 * @see webSocketLink
 */
export type WsWebSocket = new (url: string, protocols: string[], options: object) => WsSocket;

/** How a socket is opened. */
export interface OpenRequest {
  readonly client: 'ws' | WsWebSocket | PlatformWebSocket | undefined;
  readonly url: string;
  readonly protocols: readonly string[];
  /** Passed to `ws` alone. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly clock: Clock;
  /** Largest message that comes in. */
  readonly maxBytes: number;
}

/** An opening on its way; `drop` ends it at whatever point it is. */
export interface Opening {
  readonly wire: Promise<Wire>;
  drop(): void;
}

type Client = { readonly ws: WsWebSocket } | { readonly platform: PlatformWebSocket };

/** Opens a socket with the client that was asked for, or the one that fits where this runs. @internal */
export function openWire(request: OpenRequest): Opening {
  let dropped = false;
  let dropSocket = (): void => undefined;
  const open = async (): Promise<Wire> => {
    const client = await loadClient(request.client);
    if (dropped) throw new SluiceError('CONNECT_FAILED', 'The WebSocket connection was given up.', { retriable: true });
    return new Promise<Wire>((resolve, reject) => {
      try {
        dropSocket =
          'ws' in client
            ? openWs(client.ws, request, resolve, reject)
            : openPlatform(client.platform, request, resolve, reject);
      } catch (error) {
        reject(connectFailed(error));
      }
    });
  };
  return {
    wire: open(),
    drop() {
      dropped = true;
      dropSocket();
    },
  };
}

function openWs(
  Socket: WsWebSocket,
  request: OpenRequest,
  resolve: (wire: Wire) => void,
  reject: (error: unknown) => void,
): () => void {
  const socket = new Socket(request.url, [...request.protocols], request.options);
  let raw: RawSocket | undefined;
  socket.on('upgrade', (response: { readonly socket: RawSocket }) => (raw = response.socket));
  socket.on('open', () => {
    // What came with the answer to the upgrade would be emitted before anybody could listen.
    socket.pause();
    resolve(new WsWire(socket, raw as RawSocket, request.clock));
  });
  socket.on('unexpected-response', (answer: { destroy(): void }, { statusCode = 0, headers }: Refusal) => {
    reject(upgradeRefused(statusCode, retryAfterMs(headers['retry-after'], request.clock)));
    answer.destroy();
  });
  // Stays on for good: an error without a listener would end the process.
  socket.on('error', (error: Error) => reject(connectFailed(error)));
  socket.on('close', (code: number) => reject(closedWith(code, '')));
  return () => socket.terminate();
}

/** An answer in place of the upgrade. */
interface Refusal {
  readonly statusCode?: number;
  readonly headers: { readonly 'retry-after'?: string };
}

/** How long the server asks to wait. Source: RFC 9110, 10.2.3: seconds, or a date. */
function retryAfterMs(given: string | undefined, clock: Clock): number | undefined {
  if (given === undefined) return undefined;
  const ms = /^\d+$/.test(given) ? Number(given) * 1_000 : Date.parse(given) - clock.now();
  return ms > 0 ? ms : undefined;
}

function openPlatform(
  Socket: PlatformWebSocket,
  request: OpenRequest,
  resolve: (wire: Wire) => void,
  reject: (error: unknown) => void,
): () => void {
  const socket = new Socket(request.url, [...request.protocols]);
  socket.onopen = () => resolve(new PlatformWire(socket, request.clock, request.maxBytes));
  // Why it failed is kept from pages on purpose; there is nothing to read from the event.
  socket.onerror = () => reject(connectFailed(undefined));
  socket.onclose = ({ code }: { readonly code: number }) => reject(closedWith(code, ''));
  return () => socket.close();
}

async function loadClient(client: OpenRequest['client']): Promise<Client> {
  if (client === 'ws') return { ws: await loadWs() };
  if (client !== undefined) return isWs(client) ? { ws: client } : { platform: client };
  const platform = (globalThis as { WebSocket?: PlatformWebSocket }).WebSocket;
  if (!isNode()) {
    if (platform !== undefined) return { platform };
    throw new SluiceError('PEER_MISSING', `There is no global WebSocket here: give a class like it as 'client'.`);
  }
  // Node's own class can neither wait nor ping, and knows no headers: the package is better where it is there.
  try {
    return { ws: await loadWs() };
  } catch (error) {
    if (platform !== undefined && isSluiceError(error, 'PEER_MISSING')) return { platform };
    throw error;
  }
}

// The comment keeps one bundler from failing a browser build over a package that no browser loads.
async function loadWs(): Promise<WsWebSocket> {
  const { WebSocket } = await import(/* webpackIgnore: true */ 'ws').catch(
    peerMissing(WEBSOCKET_PEER.name, WEBSOCKET_PEER.range),
  );
  return WebSocket;
}

const isWs = (client: WsWebSocket | PlatformWebSocket): client is WsWebSocket =>
  typeof (client.prototype as { pause?: unknown } | undefined)?.pause === 'function';

// Bun and Deno answer to Node's names, but what they load for `ws` is not it: their own class is the safer one.
function isNode(): boolean {
  const host = globalThis as { process?: { versions?: { node?: string } } };
  return host.process?.versions?.node !== undefined && !('Bun' in globalThis) && !('Deno' in globalThis);
}
