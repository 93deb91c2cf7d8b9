import { constants } from 'node:crypto';
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as HttpsServer, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex as NodeDuplex } from 'node:stream';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { Observable, type Subscriber } from 'rxjs';
import { currentClock } from '../clock.js';
import { scopeOf } from '../connection/attach.js';
import type { Sink } from '../connection/flow.js';
import { peerMissing } from '../connection/load-peer.js';
import { trustCure } from '../connection/trust-cure.js';
import { SluiceError } from '../errors.js';
import { report } from '../observability/observe.js';
import { broadcastSink, type WebSocketBroadcastOptions } from './websocket-broadcast.js';
import { WEBSOCKET_PEER } from './websocket-client.js';
import { certificateOf, isOriginAllowed, requestOf, type WebSocketRequest } from './websocket-request.js';
import { serveClient, type ServedClient, type WebSocketClient } from './websocket-server-client.js';
import { checkServerOptions, type WebSocketAccepted, type WebSocketServerOptions } from './websocket-server-options.js';
import { WsWire, type WebSocketData, type WsSocket } from './websocket-wire.js';

/**
 * A WebSocket server that listens.
 *
 * @see webSocketServer
 */
export interface WebSocketServer<P> {
  /** Each client as it comes, after those that are there. Completes when the server is closed, and in a flow when that stops. */
  readonly clients$: Observable<WebSocketClient<P>>;
  /** The clients that are there. */
  readonly clients: readonly WebSocketClient<P>[];
  /** A sink that sends each message to every client it is for, each with a bounded queue of its own. */
  broadcast(options: WebSocketBroadcastOptions<P>): Sink<WebSocketData>;
  readonly address: { readonly host: string; readonly port: number };
  /** Lets nobody in any more, closes every client with 1001, cuts those that do not answer, stops listening. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A silent client is cut after so many heartbeats without an answer. */
const MISSED_BEATS = 2;
const KEEP_ALIVE_SHARE = 8;
/** Connections that are no clients yet: they get an answer, and the rest of a flood is dropped by the kernel. */
const HANDSHAKES = 256;
/**
 * How clients are asked for certificates. Node would cut one that it does not trust without a word, and the client would try again
 * for ever: so each is let through to {@link isStranger}, which tells it. No session is resumed: each connection shows what it has.
 */
const CERTIFIED = { requestCert: true, rejectUnauthorized: false, secureOptions: constants.SSL_OP_NO_TICKET };
/** Node leaves out what comes behind a thousand or two, without a word: an origin or a token would not be seen. */
const MAX_HEADERS = 256;
/** Clients that are late with their headers are looked for at most so often. */
const MIN_LOOK_MS = 50;
/** Those whose answer is up to one of the servers here, however many share an HTTP server and however long that takes. */
const taken = new WeakSet<object>();

/**
 * Serves WebSocket clients, each as a {@link WebSocketClient} with a source and a sink; resolves once it listens.
 *
 * Everything dubious is refused before a connection exists: more than 256 headers (431), other paths (404), certificates that are not trusted, pages of origins
 * that are not listed and whom `authenticate` says (403), missing credentials (401), too many (503, 429 for one address). It listens on this
 * machine alone unless `host` says otherwise, and then not without `authenticate` or `allowAnonymous`. Messages are at
 * most 1 MiB, compression is off, a silent client is cut within 15 s, expired credentials close with 4401.
 *
 * Frames of a client whose source nobody subscribed in the turn it appeared in are thrown away. A fault of one client
 * ends its connection and nothing else.
 *
 * @example
 * import { webSocketServer } from 'sluice/websocket-server';
 * const server = await webSocketServer({ port: 8080 });
 * server.clients$.subscribe((client) => client.source.subscribe((message) => message.ack()));
 * const feed = server.broadcast({ overflow: 'conflate', to: (client, message) => wants(client, message.topic) });
 * @throws SluiceError `CONFIG_INVALID` for options that do not go together, `PEER_MISSING` without the package `ws`,
 * `CONNECT_FAILED` when the port cannot be had
 * Source: RFC 6455; origin check 10.2, close codes 7.4.1.
 * @see webSocketLink
 */
export async function webSocketServer<P = undefined>(options: WebSocketServerOptions<P>): Promise<WebSocketServer<P>> {
  checkServerOptions(options);
  const {
    port,
    host = '127.0.0.1',
    path,
    origins = [],
    maxConnections = 1_000,
    maxConnectionsPerAddress = 50,
  } = options;
  const { heartbeatMs = 5_000, handshakeTimeoutMs = 10_000, closeTimeoutMs = 5_000 } = options;
  const limits = { maxBytes: options.maxBytes ?? 1_048_576, maxBufferedBytes: options.maxBufferedBytes ?? 1_048_576 };
  const clock = options.clock ?? currentClock();
  const ws = await import('ws').catch(peerMissing(WEBSOCKET_PEER.name, WEBSOCKET_PEER.range));
  const served = new Set<ServedClient<P>>();
  const watchers = new Set<Subscriber<WebSocketClient<P>>>();
  /** Sockets by address, from the upgrade to their end: also those that wait for `authenticate`. */
  const perAddress = new Map<string, number>();
  /** Those that wait for `authenticate`. */
  const deciding = new Set<NodeDuplex>();
  let sockets = 0;
  let closing: Promise<void> | undefined;
  let isClosed = false;
  const { protocol } = options;
  const upgrader = new ws.WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.maxBytes,
    perMessageDeflate: false,
    autoPong: false,
    handleProtocols: (offered, message) => protocol?.([...offered], requestOf(message)) ?? false,
  });
  const server = options.server ?? listener(options, Math.ceil(handshakeTimeoutMs), maxConnections);
  const connected = new Set<Socket>();
  if (options.server === undefined) {
    server.on('connection', (socket: Socket) => {
      connected.add(socket);
      socket.once('close', () => connected.delete(socket));
    });
  }

  function upgrade(message: IncomingMessage, socket: NodeDuplex, head: Uint8Array): void {
    socket.on('error', () => socket.destroy());
    // Before anything of the request is looked at.
    if (isStranger(options, message)) {
      refuse(socket, 403);
      return;
    }
    if (message.rawHeaders.length > 2 * MAX_HEADERS) {
      refuse(socket, 431);
      return;
    }
    const request = parsed(message);
    if (request === undefined) refuse(socket, 400);
    else if (path !== undefined && request.path !== path) {
      // Another part of a shared server may answer this path.
      if (server.listenerCount('upgrade') === 1) refuse(socket, 404);
      else leave(socket as Socket);
    } else {
      const { address } = request;
      const ofAddress = (perAddress.get(address) ?? 0) + 1;
      if (closing !== undefined || sockets >= maxConnections) refuse(socket, 503);
      else if (ofAddress > maxConnectionsPerAddress) refuse(socket, 429);
      else if (!isOriginAllowed(request.origin, origins)) refuse(socket, 403);
      else {
        taken.add(socket);
        sockets += 1;
        perAddress.set(address, ofAddress);
        socket.once('close', () => {
          deciding.delete(socket);
          sockets -= 1;
          const left = (perAddress.get(address) ?? 1) - 1;
          if (left === 0) perAddress.delete(address);
          else perAddress.set(address, left);
        });
        void admit(message, socket, head, request);
      }
    }
  }

  /** Leaves the answer to another part of the server. Where none gives it, nobody else would ever end the connection. */
  function leave(socket: Socket): void {
    const { bytesWritten } = socket;
    const unanswered = (): void => {
      if (socket.bytesWritten === bytesWritten && !taken.has(socket)) refuse(socket, 404);
    };
    socket.once('close', clock.timer(handshakeTimeoutMs, unanswered, true));
  }

  async function admit(
    message: IncomingMessage,
    socket: NodeDuplex,
    head: Uint8Array,
    request: WebSocketRequest,
  ): Promise<void> {
    const cancel = clock.timer(handshakeTimeoutMs, () => refuse(socket, 408), true);
    deciding.add(socket);
    const verdict = await authenticated(options, request);
    deciding.delete(socket);
    cancel();
    // Who left meanwhile has only said that nothing more comes: the other half would stay open for ever.
    if (!socket.readable) socket.destroy();
    if (!socket.writable) return;
    if (typeof verdict === 'number') refuse(socket, verdict);
    else {
      try {
        upgrader.handleUpgrade(message, socket, head as Buffer, (open) => serve(open, socket, request, verdict));
      } catch (error) {
        // What chooses the subprotocol threw: nothing is written yet.
        tell(error);
        refuse(socket, 500);
      }
    }
  }

  function serve(open: WsSocket, socket: NodeDuplex, request: WebSocketRequest, accepted: WebSocketAccepted<P>): void {
    const one: ServedClient<P> = serveClient<P>({
      wire: new WsWire(open, socket, clock),
      request,
      accepted,
      limits,
      clock,
      keepAliveMs: heartbeatMs / KEEP_ALIVE_SHARE,
      closeTimeoutMs,
      source: options.source,
      sink: options.sink,
      closed: () => void served.delete(one),
    });
    served.add(one);
    for (const watcher of [...watchers]) watcher.next(one.client);
  }

  let cancelBeat = clock.timer(heartbeatMs, beat, true);
  function beat(): void {
    for (const one of served) {
      const { connection } = one;
      // While nothing of it is read, its silence says nothing.
      one.missedBeats = connection.hasHeard || connection.isHeld ? 0 : one.missedBeats + 1;
      connection.hasHeard = false;
      if (one.missedBeats >= MISSED_BEATS) connection.fail(silent(heartbeatMs));
      else connection.nudge();
    }
    cancelBeat = clock.timer(heartbeatMs, beat, true);
  }

  async function close(): Promise<void> {
    server.off('upgrade', upgrade);
    for (const socket of deciding) refuse(socket, 503);
    const stopped = options.server === undefined ? stop(server) : undefined;
    await Promise.all([...served].map(({ client }) => client.close(1001, 'server closes')));
    cancelBeat();
    // Also what has not even said that it speaks HTTP.
    for (const socket of connected) socket.destroy();
    await stopped;
    isClosed = true;
    for (const watcher of [...watchers]) watcher.complete();
  }

  server.on('upgrade', upgrade);
  if (options.server === undefined) await listen(server, port ?? 0, host);
  const shut = (): Promise<void> => (closing ??= close());
  return {
    clients$: new Observable((watcher) => {
      const forget = scopeOf(watcher)?.addIntake?.(() => watcher.complete());
      for (const { client } of served) watcher.next(client);
      if (isClosed) watcher.complete();
      watchers.add(watcher);
      return () => {
        watchers.delete(watcher);
        forget?.();
      };
    }),
    get clients() {
      return [...served].map(({ client }) => client);
    },
    broadcast: (broadcast) => broadcastSink({ served, limits, clock }, broadcast),
    get address() {
      const address = server.address();
      return typeof address === 'object' && address !== null
        ? { host: address.address, port: address.port }
        : { host: address ?? '', port: 0 };
    },
    close: shut,
    [Symbol.asyncDispose]: shut,
  };
}

function listener<P>(
  options: WebSocketServerOptions<P>,
  headersTimeout: number,
  maxConnections: number,
): HttpServer | HttpsServer {
  const limits = {
    headersTimeout,
    requestTimeout: headersTimeout,
    // Node looks for late clients every 30 s unless it is told to look more often.
    connectionsCheckingInterval: Math.max(MIN_LOOK_MS, Math.ceil(headersTimeout / 8)),
    maxHeaderSize: 16 * 1024,
    keepAlive: true,
  };
  const { tls } = options;
  const server =
    tls === undefined
      ? createServer(limits)
      : secureListener({
          ...limits,
          ...(tls as TlsOptions),
          handshakeTimeout: headersTimeout,
          minVersion: 'TLSv1.2',
          ...(tls.ca === undefined ? {} : CERTIFIED),
        });
  server.on('request', (message: IncomingMessage, response: ServerResponse) => {
    const [status, more] = isStranger(options, message) ? [403, {}] : [426, { upgrade: 'websocket' }];
    response.writeHead(status, { connection: 'close', ...more, 'content-length': 0 }).end();
  });
  server.maxConnections = maxConnections + HANDSHAKES;
  return server;
}

/** Whether a client of a server that asks for certificates showed none that it trusts. */
function isStranger<P>({ tls }: WebSocketServerOptions<P>, { socket }: IncomingMessage): boolean {
  return tls?.ca !== undefined && certificateOf(socket as Partial<TLSSocket>) === undefined;
}

function secureListener(options: ServerOptions): HttpsServer {
  try {
    return createTlsServer(options);
  } catch (cause) {
    const { code } = cause as { readonly code?: unknown };
    const told = trustCure(code) ?? `'tls' cannot be used`;
    throw new SluiceError('CONFIG_INVALID', `webSocketServer: ${told}.`, { details: { code }, cause });
  }
}

function listen(server: HttpServer | HttpsServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays on for good: a machine without free descriptors would end the process with what it cannot accept.
    server.on('error', (cause: Error & { readonly code?: string }) => {
      if (server.listening) tell(cause);
      else {
        const text = `Cannot listen on ${host}:${port}: ${cause.code ?? cause.message}.`;
        reject(new SluiceError('CONNECT_FAILED', text, { cause }));
      }
    });
    server.listen(port, host, resolve);
  });
}

const stop = (server: HttpServer | HttpsServer): Promise<void> =>
  new Promise((resolve) => server.close(() => resolve()));

function parsed(message: IncomingMessage): WebSocketRequest | undefined {
  try {
    return requestOf(message);
  } catch {
    return undefined;
  }
}

/** The decision, whatever the hook does: one that throws lets nobody in. */
async function authenticated<P>(
  options: WebSocketServerOptions<P>,
  request: WebSocketRequest,
): Promise<WebSocketAccepted<P> | number> {
  if (options.authenticate === undefined) return { principal: undefined as P };
  try {
    const verdict: unknown = await options.authenticate(request);
    // Only what says who it is lets somebody in: a hook that forgets to return something does not.
    if (typeof verdict === 'object' && verdict !== null && 'principal' in verdict) {
      const { expiresAtMs = Infinity } = verdict as WebSocketAccepted<P>;
      if (typeof expiresAtMs === 'number' && !Number.isNaN(expiresAtMs)) return verdict as WebSocketAccepted<P>;
      throw new TypeError(`authenticate gave an 'expiresAtMs' that is no number.`);
    }
    return verdict === 403 ? 403 : 401;
  } catch (error) {
    tell(error);
    return 401;
  }
}

/** Says of what could not let somebody in why. */
function tell(reason: unknown): void {
  report({ type: 'stage.failed', stage: 'websocket server', reason });
}

/** Answers an upgrade with plain HTTP. No reason goes with it: it would only help who guesses. */
function refuse(socket: NodeDuplex, status: number): void {
  if (!socket.writable) return;
  const authenticate = status === 401 ? 'WWW-Authenticate: Bearer\r\n' : '';
  const retry = status === 503 || status === 429 ? 'Retry-After: 5\r\n' : '';
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n${authenticate}${retry}\r\n`,
  );
}

function silent(heartbeatMs: number): SluiceError {
  return new SluiceError('PEER_LOST', `The client did not answer for ${heartbeatMs * MISSED_BEATS} ms (heartbeatMs).`, {
    retriable: true,
    details: { connector: 'websocket' },
  });
}
