import { currentClock, type Cancel, type Clock } from '../clock.js';
import type { SluiceError } from '../errors.js';
import type { Message } from '../message/message.js';
import type { Outcome } from '../message/settlement.js';
import { attachable } from './attach.js';
import type { Link } from './define-link.js';
import type { Delivery, DeliveryFacts } from './delivery.js';
import { describeAs } from './describe.js';
import type { Flow } from './flow.js';
import { called, checkArgument, someOptions } from './options.js';
import type { Supply } from './reader-context.js';
import { currentScope } from './scope.js';
import { type SourceOptions, sourceSettings } from './source-options.js';
import { SourceSession } from './source-session.js';

export type { Delivery, DeliveryFacts } from './delivery.js';
export type { Supply } from './reader-context.js';
export { SOURCE_RULES, type Overflow, type SourceOptions, type SourceSettings } from './source-options.js';

/**
 * What a reader gets from the kit. All of it may be called at any time; after the end it does nothing.
 *
 * @see Reader
 */
export interface ReaderContext<T> {
  readonly clock: Clock;
  /** True while an offer would be emitted at once. A reader that can leave a message where it is looks here first. */
  readonly ready: boolean;
  /** How many more messages the credit allows. */
  readonly free: number;
  /** How many offered messages wait for credit, and their bytes: a reader that can make its peer wait looks here. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /**
   * Hands over a message. False means: stop, `resume` will be called. What is offered all the same waits in a bounded
   * inbox, so that the rest of a chunk has a place. What is no delivery ends the flow with `CONFIG_INVALID`.
   */
  offer(delivery: Delivery<T>): boolean;
  /** The same where many messages differ in nothing but the payload: `facts` is made once for all of them. */
  offerAs(payload: T, facts: DeliveryFacts): boolean;
  /** Hands over what `supply` gives while there is credit, and says the end for it. `facts` is made once for all of them. */
  offerEach(supply: Supply<T>, facts: DeliveryFacts): void;
  /**
   * Hands over what was read but has no payload of type T, with the raw input as payload. It counts against the credit
   * like any message, skips the flow, and goes to the stage downstream that keeps dead letters; without one it is settled
   * as dead at once. The same as an offer with `refusal`, and returns like it.
   */
  refuse(delivery: Delivery<unknown>, reason: SluiceError): boolean;
  /** There is something to read: `resume` will be called in a turn of its own. */
  wake(): void;
  /** Takes back what is unsettled, where `isMeant` says so of its position: it is another reader's from now on. */
  takeBack(isMeant: (position: unknown) => boolean, reason: SluiceError): void;
  /** Nothing more will come. The flow completes once everything emitted was settled. */
  end(): void;
  /** The reader is not usable any more. It is closed and, unless the error is not retriable, opened again. */
  lost(error: unknown): void;
}

/**
 * One open subscription at the far side.
 *
 * @see defineSource
 */
export interface Reader {
  /** There is credit: offer what there is, until an offer returns false. It surely comes only after that, and after `wake`. */
  resume(): void;
  /** The credit is 0 and all is settled: say `end` if nothing is left. What is taken out to know may be offered. */
  peek?(): void;
  /** Asked after a long silence: true when nothing is there for it. False, an error or no answer: it is `STALLED`. */
  probe?(): boolean | PromiseLike<boolean>;
  /**
   * Passes one settlement on. `position` is the delivery's; `message` is missing for one that was never emitted, which is
   * handed back with `release`. Must not offer. A throw loses the reader, so that what was not settled comes again.
   */
  settle(position: unknown, outcome: Outcome, reason: unknown, message: Message<unknown> | undefined): void;
  /**
   * A drain begins. True: what the far side holds for this reader alone, and would give nobody else, is still offered, and
   * `end` said behind it. False, or without this: the reader is stopped. Idempotent.
   */
  leave?(): boolean;
  /** No further message is wanted; settlements still come. */
  stop?(): void;
  /**
   * Idempotent. Passes on what was settled, gives back what was not, and works while anything else is pending. What takes
   * longer than 30 s is not waited for.
   */
  close(): void | PromiseLike<void>;
}

/**
 * What a connector says of its source.
 *
 * @see defineSource
 */
export interface SourceDefinition<T, C = undefined> {
  readonly connector: string;
  /** The shared connection, where there is one. A function gives each subscription a link of its own. */
  readonly link?: Link<C> | (() => Link<C>);
  /** Credit when the user names none. */
  readonly credit: number;
  /** Set where the transport cannot be made to wait: the user then has to choose what is given up. */
  readonly needsOverflow?: boolean;
  /** How many bytes may wait for credit before what came is given up. Default: without limit, only counted. */
  readonly maxInboxBytes?: number;
  /**
   * Set where the far side hears of no settlement and brings nothing again. What was received then outlives the
   * connection, a requeued message waits here for its next attempt, and a drain still emits what waits.
   */
  readonly local?: boolean;
  /** Called with each subscription, before any connection; what it returns is called once nothing more is wanted. */
  subscribed?(): Cancel;
  /** Begins to read, at once or later. Called again after every loss. */
  open(context: ReaderContext<T>, connection: C): Reader | PromiseLike<Reader>;
}

const DEFINITION = called('a definition with connector, credit and open', 'connector', 'credit', 'open');

/**
 * Makes a source from how to read. The connector brings its protocol; the kit adds the window of credit (by count, by
 * bytes, as an Observable), the bounded inbox, hand-over in turns, reconnecting, generations, the deadline to settle,
 * the watch for a reader that stalls, and an end that cuts nothing off.
 *
 * Each subscription opens a reader of its own. The flow errors only on a failure that is not retriable; completes when
 * the reader ended, or a drain was asked for, and everything emitted was settled. On unsubscribe no further message is
 * emitted, what had not been emitted is handed back at once, and what had been may settle until `closeTimeoutMs`.
 *
 * @example
 * import { defineSource } from 'sluice/connection';
 * const ones = defineSource<number>({
 *   connector: 'ones',
 *   credit: 16,
 *   open: (context) => ({
 *     resume: () => { while (context.ready) context.offer({ payload: 1, topic: 'ones' }); },
 *     settle: () => undefined,
 *     close: () => undefined,
 *   }),
 * });
 * @param options as the user gave them; keys of the connector itself are ignored here, so check them before
 * @throws SluiceError `CONFIG_INVALID` for an option out of range, or a missing `overflow` where there is no pausing
 * Source: Reactive Streams 1.0.4, rules 1.1 and 3.3, with settlement as the demand.
 * @see defineSink
 */
export function defineSource<T, C = undefined>(
  definition: SourceDefinition<T, C>,
  options: SourceOptions = {},
): Flow<T> {
  checkArgument('defineSource', 'definition', definition, DEFINITION);
  checkArgument('defineSource', 'options', options, someOptions);
  const settings = sourceSettings(definition, options);
  const flow = attachable<T>((subscriber) => {
    const scope = currentScope();
    const clock = options.clock ?? currentClock();
    const session = new SourceSession<T, C>(definition, settings, subscriber, clock, scope);
    scope?.addSource(session);
    session.start();
    return () => session.unsubscribe();
  });
  const known = typeof settings.credit === 'number' ? { credit: settings.credit } : {};
  return describeAs(flow, { kind: 'source', name: definition.connector, ...known });
}
