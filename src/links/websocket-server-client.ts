import { StatusCell } from '../connection/status-cell.js';
import type { SinkOptions } from '../connection/define-sink.js';
import type { Duplex } from '../connection/duplex.js';
import { checkArgument, type OptionRule } from '../connection/options.js';
import type { Cancel, Clock } from '../clock.js';
import { WebSocketConnection, type FrameReceiver } from './websocket-connection.js';
import { framesIn, framesOut, type WebSocketSourceOptions } from './websocket-flow.js';
import type { WebSocketRequest } from './websocket-request.js';
import type { WebSocketAccepted } from './websocket-server-options.js';
import type { WebSocketLimits } from './websocket.js';
import type { Wire, WebSocketData } from './websocket-wire.js';

/**
 * One client of a {@link webSocketServer}: both directions of its connection. The source completes when the client is
 * gone and everything was settled; the sink then refuses what still comes.
 *
 * @see webSocketServer
 */
export interface WebSocketClient<P> extends Duplex<WebSocketData, WebSocketData> {
  /** Random, and different for every connection. */
  readonly id: string;
  /** Who it is, as `authenticate` said; `undefined` for an anonymous one. */
  readonly principal: P;
  readonly request: WebSocketRequest;
  /** The subprotocol that was chosen, empty when none was. */
  readonly protocol: string;
  readonly isOpen: boolean;
  /**
   * Closes the connection in order; resolves when it is gone. Default code 1000.
   * @throws SluiceError `CONFIG_INVALID` for a code that may not be sent, or a reason of more than 123 bytes
   */
  close(code?: number, reason?: string): Promise<void>;
}

/** What a server knows of a client besides what it shows. */
export interface ServedClient<P> {
  readonly client: WebSocketClient<P>;
  readonly connection: WebSocketConnection;
  /** Heartbeats in a row without a sign of life. */
  missedBeats: number;
}

/** What a client is made of. */
export interface ServeClient<P> {
  readonly wire: Wire;
  readonly request: WebSocketRequest;
  readonly accepted: WebSocketAccepted<P>;
  readonly limits: WebSocketLimits;
  readonly clock: Clock;
  readonly keepAliveMs: number;
  readonly closeTimeoutMs: number;
  readonly source?: WebSocketSourceOptions | undefined;
  readonly sink?: SinkOptions | undefined;
  closed(): void;
}

/** The credentials that the client came with are not valid any more. */
const CREDENTIALS_EXPIRED = 4401;

/** Source: RFC 6455, 7.4. The others stand for closes that no frame said. */
const CLOSE_CODE: OptionRule = (code) =>
  Number.isInteger(code) && /^(100[0-37-9]|101[0-4]|[34]\d{3})$/.test(String(code))
    ? undefined
    : 'expected 1000 to 1003, 1007 to 1014, or 3000 to 4999';
/** Source: RFC 6455, 5.5: a control frame has at most 125 bytes, and two of them are the code. */
const CLOSE_REASON: OptionRule = (reason) =>
  typeof reason === 'string' && new TextEncoder().encode(reason).byteLength <= 123
    ? undefined
    : 'expected a text of up to 123 bytes';

/** Holds reading off until those who were told of the client have had their turn to subscribe. */
const OPENING: FrameReceiver = { take: () => undefined };

/** Makes a client of an open socket. @internal */
export function serveClient<P>(options: ServeClient<P>): ServedClient<P> {
  const { wire, request, accepted, limits, clock, keepAliveMs, closeTimeoutMs } = options;
  const status = new StatusCell('websocket client');
  let cancelExpiry: Cancel | undefined;
  const connection = new WebSocketConnection(wire, {
    clock,
    topic: request.path,
    maxBufferedBytes: limits.maxBufferedBytes,
    keepAliveMs,
    closed(_, __, cause) {
      cancelExpiry?.();
      if (status.value !== 'closing') status.to('closing', cause);
      status.to('closed', cause);
      options.closed();
    },
  });
  status.to('connecting');
  status.to('connected');
  connection.hold(OPENING);
  clock.yield(() => connection.release(OPENING));

  const close = (code: number = 1000, reason: string = ''): Promise<void> => {
    checkArgument('close', 'code', code, CLOSE_CODE);
    checkArgument('close', 'reason', reason, CLOSE_REASON);
    if (connection.isOpen) status.to('closing');
    return connection.close(code, reason, closeTimeoutMs);
  };
  if (accepted.expiresAtMs !== undefined) {
    cancelExpiry = atWallTime(
      clock,
      accepted.expiresAtMs,
      () => void close(CREDENTIALS_EXPIRED, 'credentials expired'),
    );
  }
  const way = { connection, limits };
  const client = new ServerClient<P>(connection, {
    id: `${randomText(clock)}${randomText(clock)}`,
    principal: accepted.principal,
    request,
    source: framesIn(way, { clock, ...options.source }),
    sink: framesOut(way, { clock, ...options.sink }),
    status$: status.status$,
    close,
  });
  return { client, connection, missedBeats: 0 };
}

/** A class, as each object literal with a getter would get a shape of its own, and every look at it would be slow. */
class ServerClient<P> implements WebSocketClient<P> {
  readonly id: string;
  readonly principal: P;
  readonly request: WebSocketRequest;
  readonly protocol: string;
  readonly source: WebSocketClient<P>['source'];
  readonly sink: WebSocketClient<P>['sink'];
  readonly status$: WebSocketClient<P>['status$'];
  readonly close: WebSocketClient<P>['close'];
  private readonly connection: WebSocketConnection;

  constructor(connection: WebSocketConnection, shown: Omit<WebSocketClient<P>, 'isOpen' | 'protocol'>) {
    this.connection = connection;
    this.id = shown.id;
    this.principal = shown.principal;
    this.request = shown.request;
    this.protocol = connection.protocol;
    this.source = shown.source;
    this.sink = shown.sink;
    this.status$ = shown.status$;
    this.close = shown.close;
  }

  get isOpen(): boolean {
    return this.connection.isOpen;
  }
}

const randomText = (clock: Clock): string => Math.floor(clock.random() * 2 ** 48).toString(36);

/** The longest that a timer of the host can wait; a later time is looked at again then. */
const LONGEST_TIMER_MS = 2_147_483_647;

function atWallTime(clock: Clock, atMs: number, work: () => void): Cancel {
  const waitMs = Math.max(0, atMs - clock.now());
  let cancel = clock.timer(
    Math.min(waitMs, LONGEST_TIMER_MS),
    () => {
      if (clock.now() >= atMs) work();
      else cancel = atWallTime(clock, atMs, work);
    },
    true,
  );
  return () => cancel();
}
