import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../clock.js';
import { checkAll } from '../connection/check-all.js';
import { checkTls } from '../connection/check-tls.js';
import type { SinkOptions } from '../connection/define-sink.js';
import { isLoopback } from '../connection/loopback.js';
import {
  callable,
  called,
  checkOptions,
  clockLike,
  configInvalid,
  flag,
  having,
  integer,
  numeric,
  text,
} from '../connection/options.js';
import { checkFramesIn, checkFramesOut, type WebSocketSourceOptions } from './websocket-flow.js';
import type { WebSocketRequest } from './websocket-request.js';

/**
 * A client that may come in.
 *
 * @see webSocketServer
 */
export interface WebSocketAccepted<P> {
  /** Who it is; found again at its connection. */
  readonly principal: P;
  /** When its credentials end, in milliseconds since the epoch: it is closed with 4401 then. Default never. */
  readonly expiresAtMs?: number;
}

/**
 * What {@link WebSocketServerOptions.authenticate} decides: who it is, or 401 for unknown, or 403 for not allowed.
 *
 * @see webSocketServer
 */
export type WebSocketVerdict<P> = WebSocketAccepted<P> | 401 | 403;

/**
 * The server's own certificate, and whom it asks for theirs.
 *
 * @see webSocketServer
 */
export interface WebSocketServerTls {
  /** As PEM, as is the key. */
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  /** Of the key. Default: it has none. */
  readonly passphrase?: string;
  /** Who may have signed a client's certificate. With it every client has to show one: others get 403, and `authenticate` never sees them. */
  readonly ca?: string | Uint8Array;
}

/**
 * Options of {@link webSocketServer}.
 *
 * @see webSocketServer
 */
export interface WebSocketServerOptions<P> {
  /** 0 to 65,535; 0 takes a free one. Default: none; needed unless `server` is given. */
  readonly port?: number;
  /** Default `127.0.0.1`: this machine alone. */
  readonly host?: string;
  /** A server of yours to answer upgrades on, instead of a port. It is not closed with this one. Default: none. */
  readonly server?: HttpServer | HttpsServer;
  /** Serves over `wss:`. Default: `ws:`. */
  readonly tls?: WebSocketServerTls;
  /** The one path that is served. Default: every path. */
  readonly path?: string;
  /**
   * Decides at the upgrade, before the connection exists, who comes in. A throw counts as 401, and is an event. Take the token from a
   * header or, from browsers, a subprotocol: a query ends up in logs. Default: nobody is asked.
   */
  readonly authenticate?: (request: WebSocketRequest) => WebSocketVerdict<P> | PromiseLike<WebSocketVerdict<P>>;
  /** Lets everybody in where others than this machine can connect. Default false. */
  readonly allowAnonymous?: boolean;
  /** Pages that may connect, for example `https://app.example`; `*` for all. Default none: programs only. */
  readonly origins?: readonly string[];
  /** Chooses the subprotocol; a throw is answered with 500. Default: none. */
  readonly protocol?: (offered: readonly string[], request: WebSocketRequest) => string | undefined;
  /** Default 1,000. */
  readonly maxConnections?: number;
  /** Default 50. */
  readonly maxConnectionsPerAddress?: number;
  /** Largest message, in and out. Default 1 MiB. */
  readonly maxBytes?: number;
  /** How much may wait for one client, read ahead of its credit and written ahead of its network, each. Default 1 MiB. */
  readonly maxBufferedBytes?: number;
  /** What the source of each client is made with, its credit for one. Default: nothing, so that of every WebSocket source. */
  readonly source?: WebSocketSourceOptions;
  /** The same of its sink. Default: nothing. */
  readonly sink?: SinkOptions;
  /** A client is asked for a sign of life this often, 10 ms or more, and cut after two misses. Default 5,000 ms. */
  readonly heartbeatMs?: number;
  /** Longest the headers and `authenticate` may take. Default 10,000 ms. */
  readonly handshakeTimeoutMs?: number;
  /** How long clients have to close, when the server does, before they are cut. At most and default 5,000 ms. */
  readonly closeTimeoutMs?: number;
  /** Default: the clock in force. */
  readonly clock?: Clock;
}

/** What the package `ws` calls it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  maxPayload: 'maxBytes',
  verifyClient: 'authenticate',
  handleProtocols: 'protocol',
  ssl: 'tls',
  cert: 'tls',
  key: 'tls',
  clientTracking: 'who is there is told by clients$',
  perMessageDeflate: 'nothing is compressed',
};

/** Refuses what cannot work, and an open door that nobody asked for. @internal */
export function checkServerOptions<P>(options: WebSocketServerOptions<P>): void {
  checkAll('webSocketServer', [
    () =>
      checkOptions<WebSocketServerOptions<P>>(
        'webSocketServer',
        options,
        {
          port: integer(0, 65_535),
          host: text,
          server: called('a server of node:http or node:https', 'on'),
          tls: having('cert', 'key'),
          path: (value) =>
            typeof value === 'string' && value.startsWith('/') ? undefined : `expected a path that begins with /`,
          authenticate: callable,
          allowAnonymous: flag,
          origins: (value) =>
            Array.isArray(value) && value.every(isOrigin)
              ? undefined
              : `expected origins like 'https://app.example', or '*'`,
          protocol: callable,
          maxConnections: integer(1),
          maxConnectionsPerAddress: integer(1),
          maxBytes: integer(1),
          maxBufferedBytes: integer(1),
          source: having(),
          sink: having(),
          heartbeatMs: numeric(10),
          handshakeTimeoutMs: numeric(1),
          closeTimeoutMs: numeric(0, 5_000),
          clock: clockLike,
        },
        ELSEWHERE,
      ),
    () => checkTls('webSocketServer tls', options.tls, {}),
    () => checkFramesIn(options.source ?? {}, 'webSocketServer source'),
    () => checkFramesOut(options.sink ?? {}, 'webSocketServer sink'),
    () => checkTogether(options),
  ]);
}

function checkTogether<P>(options: WebSocketServerOptions<P>): void {
  const { port, server, host = '127.0.0.1' } = options;
  const faults: string[] = [];
  if ((port === undefined) === (server === undefined)) faults.push(`exactly one of 'port' and 'server' is needed`);
  if (server !== undefined && options.tls !== undefined) faults.push(`'tls' belongs to the given 'server'`);
  const isLocal = server === undefined ? isLoopback(host) : isOnLoopback(server.address());
  if (!isLocal && options.authenticate === undefined && options.allowAnonymous !== true) {
    faults.push(
      `'authenticate' is missing: others than this machine could connect${server === undefined ? '' : ', or it does not listen yet'}; ` +
        `give it, or set allowAnonymous`,
    );
  }
  if (faults.length > 0) throw configInvalid('webSocketServer', faults);
}

function isOnLoopback(address: string | AddressInfo | null): boolean {
  if (address === null) return false;
  return typeof address === 'string' || isLoopback(address.address);
}

/** Browsers send no path and no slash at the end: an origin with one would never match. */
const isOrigin = (value: unknown): boolean =>
  value === '*' || (typeof value === 'string' && /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/.test(value));
