import { currentClock, type Clock } from '../clock.js';
import type { Message, NackThen } from '../message/message.js';
import { type Backoff, backoffLike } from './backoff.js';
import type { Link } from './define-link.js';
import type { Sink } from './flow.js';
import {
  called,
  checkArgument,
  checkOptions,
  clockLike,
  integer,
  numeric,
  oneOf,
  type OptionRule,
  someOptions,
} from './options.js';
import { RECONNECT } from './reconnect.js';
import { SinkSession } from './sink-session.js';

/**
 * One message on its way out. The writer answers for it exactly once.
 *
 * @see Writer
 */
export interface Sending<T> {
  readonly message: Message<T>;
  /** The far side has it, as far as this transport can say. Acks the message. */
  confirm(): void;
  /**
   * The far side refused it. Nacks the message; `then` defaults to the sink's `onError`, where a requeue becomes `dead`
   * for an error that is not retriable.
   */
  fail(reason: unknown, then?: NackThen): void;
}

/**
 * What a writer gets from the kit.
 *
 * @see Writer
 */
export interface WriterContext {
  readonly clock: Clock;
  /** After a `send` that returned false: more may be sent. */
  resume(): void;
  /**
   * The far side said that it takes nothing for now, or that it takes again. Meanwhile the sink is degraded, and no
   * deadline to confirm runs out.
   */
  blocked(isBlocked: boolean, reason?: unknown): void;
  /** The writer is not usable any more. What was not confirmed is sent again over the next one. */
  lost(error: unknown): void;
}

/**
 * One open way out.
 *
 * @see defineSink
 */
export interface Writer<T> {
  /**
   * Sends one message and later confirms or fails it; may do so at once. Returning false asks for a pause until
   * `context.resume`. A throw fails the message.
   */
  send(sending: Sending<T>): boolean | void;
  /** Everything was sent: write out what is still held back. Confirmations may come during it. A throw or a rejection loses the writer. */
  flush?(): void | PromiseLike<void>;
  /** Idempotent, and works while a send is pending. What takes longer than 30 s is not waited for. */
  close(): void | PromiseLike<void>;
}

/**
 * What a connector says of its sink.
 *
 * @see defineSink
 */
export interface SinkDefinition<T, C = undefined> {
  readonly connector: string;
  readonly link?: Link<C>;
  /** How many may be unconfirmed when the user names no number. */
  readonly maxUnconfirmed: number;
  /** Opens the way out, at once or later. Called again after every loss. */
  open(context: WriterContext, connection: C): Writer<T> | PromiseLike<Writer<T>>;
}

/**
 * Options every sink has.
 *
 * @see defineSink
 */
export interface SinkOptions {
  /** How many messages may be sent and not yet confirmed: 1 to 65,535. Default: the connector's. */
  readonly maxUnconfirmed?: number;
  /** How many may wait behind those; one more is nacked with OVERFLOW. Default 65,535. */
  readonly maxQueued?: number;
  /**
   * A message unconfirmed for longer loses the connection and is sent again. 0 turns it off. Default 10,000 ms; 0 for
   * WebSocket.
   */
  readonly confirmTimeoutMs?: number;
  /**
   * What becomes of a message that the far side refused. Default `requeue`, which is `dead` where the error is not
   * retriable.
   */
  readonly onError?: NackThen;
  /** How long `complete` waits for confirmations before the rest is nacked. Default 30,000 ms. */
  readonly closeTimeoutMs?: number;
  /** Longest an opening may take. Default 10,000 ms. */
  readonly connectTimeoutMs?: number;
  /**
   * Waits between openings; after as many as its `tries`, where it has such, the sink fails. Default: 500 ms doubling to 4 s,
   * full jitter, without end.
   */
  readonly reconnect?: Backoff;
  /** Default: the clock in force when the sink is made. */
  readonly clock?: Clock;
}

/** How long a message may be unconfirmed unless somebody says. @internal */
export const CONFIRM_TIMEOUT_MS = 10_000;

/** The options of a sink made whole. @internal */
export type SinkSettings = Required<SinkOptions>;

/** The rules of {@link SinkOptions}, to be spread into those of a connector. */
export const SINK_RULES: { readonly [K in keyof SinkOptions]-?: OptionRule } = {
  maxUnconfirmed: integer(1, 65_535),
  maxQueued: integer(1),
  confirmTimeoutMs: numeric(0),
  onError: oneOf('requeue', 'dead', 'drop'),
  closeTimeoutMs: numeric(0),
  connectTimeoutMs: numeric(1),
  reconnect: backoffLike,
  clock: clockLike,
};

const DEFINITION = called(
  'a definition with connector, maxUnconfirmed and open',
  'connector',
  'maxUnconfirmed',
  'open',
);

/**
 * Makes a sink from how to send. The connector brings its protocol; the kit adds the window of unconfirmed messages, a
 * bounded queue behind it, reconnecting, sending again what was not confirmed, the deadline to confirm, and a `complete`
 * that flushes before it closes.
 *
 * It opens with its first message. Every message it gets is settled: acked when the writer confirmed it, nacked when it
 * was refused or found no place. `complete` and `error` flush, then close; `closed` resolves after that, and later
 * messages are handed back, which the event `stage.failed` tells once with SINK_CLOSED.
 *
 * @example
 * import { defineSink } from 'sluice/connection';
 * const prints = defineSink({
 *   connector: 'print',
 *   maxUnconfirmed: 1,
 *   open: () => ({ send: (s) => (console.log(s.message.payload), s.confirm()), close: () => undefined }),
 * });
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * @see defineSource
 */
export function defineSink<T, C = undefined>(definition: SinkDefinition<T, C>, options: SinkOptions = {}): Sink<T> {
  checkArgument('defineSink', 'definition', definition, DEFINITION);
  checkArgument('defineSink', 'options', options, someOptions);
  const given = Object.fromEntries(Object.keys(SINK_RULES).map((name) => [name, options[name as keyof SinkOptions]]));
  checkOptions<SinkOptions>(`${definition.connector} sink`, given, SINK_RULES);
  return new SinkSession<T, C>(definition, {
    maxUnconfirmed: options.maxUnconfirmed ?? definition.maxUnconfirmed,
    maxQueued: options.maxQueued ?? 65_535,
    confirmTimeoutMs: options.confirmTimeoutMs ?? CONFIRM_TIMEOUT_MS,
    onError: options.onError ?? 'requeue',
    closeTimeoutMs: options.closeTimeoutMs ?? 30_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    reconnect: options.reconnect ?? RECONNECT,
    clock: options.clock ?? currentClock(),
  });
}
