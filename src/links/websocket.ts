import { RECONNECT } from '../connection/reconnect.js';
import { defineLink, type Link, type LinkContext } from '../connection/define-link.js';
import { insecureWarning } from '../connection/insecure-warning.js';
import { Channels } from './websocket-channels.js';
import { openWire } from './websocket-client.js';
import { WebSocketConnection, type FrameReceiver } from './websocket-connection.js';
import { closedWith } from './websocket-errors.js';
import { checkedFrame } from './websocket-frames.js';
import {
  checkLinkOptions,
  checkTry,
  isPausing,
  tlsOf,
  wsOptions,
  type NodeWebSocketLinkOptions,
  type WebSocketLinkOptions,
} from './websocket-link-options.js';

/**
 * A WebSocket connection shared by sources and sinks.
 *
 * @see webSocketLink
 */
export interface WebSocketLink extends Link<WebSocketConnection> {
  /** Whether the peer can be made to wait. Where it cannot, sources need `overflow`. */
  readonly pauses: boolean;
  /** @internal */
  readonly channels: Channels;
  /** @internal */
  readonly limits: WebSocketLimits;
}

/**
 * A link whose peer can be made to wait: no source of it needs `overflow`.
 *
 * @see webSocketLink
 */
export interface PausingWebSocketLink extends WebSocketLink {
  readonly pauses: true;
}

/** The bounds of one socket. @internal */
export interface WebSocketLimits {
  readonly maxBytes: number;
  readonly maxBufferedBytes: number;
}

/** What holds reading off until the sources of a new connection have had their turn to attach. */
const OPENING: FrameReceiver = { take: () => undefined };

/** A pong every eighth of a heartbeat: several fit between two pings of a peer that beats like this side does. */
const KEEP_ALIVE_SHARE = 8;

/**
 * A WebSocket connection that opens with its first user, closes with its last and comes back by itself: after a jittered
 * wait, with every open frame of its channels sent before anything that was queued.
 *
 * In Node the package `ws` is loaded when the link opens (`client: 'ws'`); a browser uses its own class. Compression is
 * off, messages are at most 1 MiB both ways. A silent peer is asked every `heartbeatMs` and lost after two misses, within
 * 15 s by default. Refused credentials, other 4xx answers, 301, 308, a subprotocol that was not agreed on and closes for a fault
 * (1002, 1003, 1007 to 1010, 4401) end the link; everything else is tried again, not before the server's `Retry-After`.
 * With credentials from a function, 4401 asks it for new ones first.
 *
 * @example
 * import { webSocket, webSocketLink } from 'sluice/websocket';
 * const link = webSocketLink({ url: 'wss://feed.example/v1', client: 'ws', headers: () => ({ authorization: token() }) });
 * webSocket(link).source.subscribe((message) => message.ack());
 * @throws SluiceError `CONFIG_INVALID` for options out of range, or credentials over plain text to another machine
 * Errors: `AUTH_FAILED` for credentials and closes with 1008 and 4401, `CONNECT_FAILED` for other answers, `PROTOCOL_ERROR` and
 * `PAYLOAD_TOO_LARGE` for other closes, `PEER_MISSING` where `ws` is asked for and not installed, with what to type.
 * Source: RFC 6455; close codes 7.4.1, control frames 5.5.
 * @see webSocket
 * @see webSocketServer
 */
export function webSocketLink(options: NodeWebSocketLinkOptions): PausingWebSocketLink;
export function webSocketLink(options: WebSocketLinkOptions): WebSocketLink;
export function webSocketLink(options: WebSocketLinkOptions | NodeWebSocketLinkOptions): WebSocketLink {
  const settings = checkLinkOptions(options);
  const { maxBytes = 1_048_576, maxBufferedBytes = 1_048_576, closeTimeoutMs = 2_000, heartbeatMs = 5_000 } = settings;
  const channels = new Channels(maxBytes);
  const renews = typeof settings.url === 'function' || typeof settings.headers === 'function';
  const limits = { maxBytes, maxBufferedBytes };
  const warn = insecureWarning('websocket');

  async function connect(context: LinkContext): Promise<WebSocketConnection> {
    const attempt = { isDropped: false, drop: (): void => undefined };
    context.abandoned(() => {
      attempt.isDropped = true;
      attempt.drop();
    });
    const { clock } = context;
    const url = typeof settings.url === 'function' ? await settings.url() : settings.url;
    const headers = typeof settings.headers === 'function' ? await settings.headers() : settings.headers;
    const tls = await tlsOf(settings);
    checkTry(url, headers, settings.dangerouslyAllowPlainText);
    const { protocol, hostname } = new URL(url);
    warn({
      isSecure: protocol === 'wss:',
      isUnverified: tls?.dangerouslySkipVerify,
      hosts: [hostname],
      dangerouslyAllowPlainText: settings.dangerouslyAllowPlainText,
    });
    const { protocols = [] } = settings;
    const opening = openWire({
      client: settings.client,
      url,
      protocols,
      clock,
      maxBytes,
      options: wsOptions(settings, headers, tls ?? {}, maxBytes),
    });
    attempt.drop = () => opening.drop();
    if (attempt.isDropped) opening.drop();
    const wire = await opening.wire;
    const connection: WebSocketConnection = new WebSocketConnection(wire, {
      clock,
      topic: settings.topic ?? new URL(url).pathname,
      maxBufferedBytes,
      keepAliveMs: heartbeatMs / KEEP_ALIVE_SHARE,
      closed(code, reason, cause) {
        channels.lost(connection);
        context.lost(closedWith(code, reason, cause, renews));
      },
    });
    connection.hold(OPENING);
    clock.yield(() => connection.release(OPENING));
    channels.opened(connection);
    return connection;
  }

  const link = defineLink<WebSocketConnection>(
    {
      connector: 'websocket',
      connect,
      disconnect(connection) {
        channels.lost(connection);
        return connection.close(1000, '', closeTimeoutMs);
      },
      ping: (connection) =>
        connection.ping(
          connection.canPause || settings.ping === undefined ? undefined : checkedFrame(settings.ping(), maxBytes),
        ),
    },
    { ...settings, reconnect: settings.reconnect ?? RECONNECT },
  );
  return { ...link, pauses: settings.client !== undefined && isPausing(settings.client), channels, limits };
}
