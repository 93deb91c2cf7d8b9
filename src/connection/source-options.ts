import type { Observable } from 'rxjs';
import type { Clock } from '../clock.js';
import { type Backoff, backoffLike } from './backoff.js';
import {
  checkOptions,
  clockLike,
  configInvalid,
  either,
  called,
  integer,
  numeric,
  oneOf,
  type OptionRule,
} from './options.js';
import { RECONNECT } from './reconnect.js';

/**
 * What to give up when more comes than fits: the oldest waiting message, the newest, or the connection.
 *
 * @see SourceOptions
 */
export type Overflow = 'drop-oldest' | 'drop-newest' | 'close';

/**
 * Options every source has.
 *
 * @see defineSource
 */
export interface SourceOptions {
  /**
   * How many messages may be emitted and not yet settled, up to 65,535, or an Observable of it; 0 pauses. One that
   * completes leaves its last value in force; if that is 0 while there may be more, the flow fails with `SOURCE_FAILED` once
   * all is settled. Default: the connector's.
   */
  readonly credit?: number | Observable<number>;
  /** The same in bytes, of payloads, and of the headers that a broker brings; the tighter of both holds. A message larger than it passes when it is alone. Default 16 MiB. */
  readonly creditBytes?: number;
  /** After so many deliveries a requeue becomes `dead`. Default 5. */
  readonly maxAttempts?: number;
  /**
   * While so many messages wait without credit in lanes, for example behind a slow key in `each`, nothing new is taken;
   * so at most this many and the credit wait. The same is true of `creditBytes` of them. Default 1,024.
   */
  readonly maxParked?: number;
  /** A message unsettled for longer is reported, with the stage that holds it. 0 turns it off. Default 30,000 ms. */
  readonly settleWithinMs?: number;
  /** How long messages may still settle after an unsubscribe, before they are taken back. Default 30,000 ms. */
  readonly closeTimeoutMs?: number;
  /** Longest an opening may take. Default 10,000 ms. */
  readonly connectTimeoutMs?: number;
  /**
   * Longest a connected source with credit may go without a message. One that is silent for longer counts as stalled:
   * it is degraded and opened anew, the second time with its connection. A topic that is quiet looks the same, so set it
   * only where one never is; 0 turns it off. Default: 10,000 ms for a transport that can be asked whether it has messages,
   * otherwise 0.
   */
  readonly stallTimeoutMs?: number;
  /**
   * Waits between openings; after as many as its `tries`, where it has such, the flow errors with the last failure. Default:
   * 500 ms doubling to 4 s, full jitter, without end.
   */
  readonly reconnect?: Backoff;
  /** What is given up when a transport that cannot wait brings more than fits; required there. Default: none. */
  readonly overflow?: Overflow;
  /** Default: the clock in force on subscribe. */
  readonly clock?: Clock;
}

/** The options of a source made whole. @internal */
export interface SourceSettings extends Required<Omit<SourceOptions, 'overflow' | 'clock' | 'stallTimeoutMs'>> {
  readonly stallTimeoutMs: number | undefined;
  readonly overflow: Overflow | undefined;
  readonly maxInbox: number;
  readonly maxInboxBytes: number;
}

const credit = either(integer(0, 65_535), called('an Observable', 'subscribe'));

/** The rules of {@link SourceOptions}, to be spread into those of a connector. */
export const SOURCE_RULES: { readonly [K in keyof SourceOptions]-?: OptionRule } = {
  credit,
  creditBytes: integer(1),
  maxAttempts: integer(1),
  maxParked: integer(0),
  settleWithinMs: numeric(0),
  closeTimeoutMs: numeric(0),
  connectTimeoutMs: numeric(1),
  stallTimeoutMs: numeric(0),
  reconnect: backoffLike,
  overflow: oneOf('drop-oldest', 'drop-newest', 'close'),
  clock: clockLike,
};

/** What other libraries call what every source has. @internal */
export const SOURCE_ELSEWHERE: Readonly<Record<string, string>> = {
  prefetch: 'credit',
  highWaterMark: 'credit',
  concurrency: 'concurrency is an option of each, behind the source',
  retry: 'work is tried again by each, a connection by reconnect',
};

/** What a connector decides about the options of its source. */
interface Decided {
  readonly connector: string;
  readonly credit: number;
  readonly needsOverflow?: boolean;
  readonly maxInboxBytes?: number;
}

/** Checks the options of a source and fills in the defaults. @internal */
export function sourceSettings(definition: Decided, options: SourceOptions): SourceSettings {
  const { connector } = definition;
  const given = Object.fromEntries(
    Object.keys(SOURCE_RULES).map((name) => [name, options[name as keyof SourceOptions]]),
  );
  checkOptions<SourceOptions>(`${connector} source`, given, SOURCE_RULES);
  if (definition.needsOverflow === true && options.overflow === undefined) {
    throw configInvalid(`${connector} source`, [
      `'overflow' is missing: this transport cannot be paused, choose drop-oldest, drop-newest or close`,
    ]);
  }
  const window = options.credit ?? definition.credit;
  return {
    credit: window,
    creditBytes: options.creditBytes ?? 16 * 1024 * 1024,
    maxAttempts: options.maxAttempts ?? 5,
    maxParked: options.maxParked ?? 1_024,
    settleWithinMs: options.settleWithinMs ?? 30_000,
    closeTimeoutMs: options.closeTimeoutMs ?? 30_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    stallTimeoutMs: options.stallTimeoutMs,
    reconnect: options.reconnect ?? RECONNECT,
    overflow: options.overflow,
    // What cannot wait may queue up to its credit; what can only brings the rest of a chunk.
    maxInbox: definition.needsOverflow === true && typeof window === 'number' ? Math.max(1, window) : 65_536,
    maxInboxBytes: definition.maxInboxBytes ?? Infinity,
  };
}
