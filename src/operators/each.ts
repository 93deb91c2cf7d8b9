import type { Observable, Subscribable } from 'rxjs';
import { currentClock, type Clock } from '../clock.js';
import { type Backoff, backoffLike } from '../connection/backoff.js';
import type { Stage } from '../connection/flow.js';
import type { Message } from '../message/message.js';
import { callable, checkArgument, checkOptions, clockLike, integer, numeric, oneOf, text } from '../options.js';
import { defineStage } from './define-stage.js';
import { EachRunner } from './each-runner.js';

/** What the work of {@link each} may give: a value, a Promise of one, or an Observable of any number. */
export type Work<O> = O | PromiseLike<O> | Subscribable<O>;

/**
 * What comes out of {@link each} when its work gives `W`: the value, what the Promise resolves to, what the Observable
 * emits; never `undefined`, which is no result.
 */
export type WorkResult<W> = Exclude<
  W extends PromiseLike<infer O> ? O : W extends Observable<infer O> ? O : W extends Subscribable<infer O> ? O : W,
  undefined | void
>;

/**
 * What a handler learns of the try it is in.
 *
 * @see each
 */
export interface Try {
  /** Aborts when this try is given up: on its timeout, or when the message is settled or taken back meanwhile. */
  readonly signal: AbortSignal;
  /** 1 for the first try of this delivery. */
  readonly number: number;
}

/** Options of {@link each}. */
export interface EachOptions<I> {
  /** How many messages are worked on at once, 1 or more. Results come out as they are done. Default 1: in order. */
  readonly concurrency?: number;
  /** Messages of one lane are worked on one after the other, lanes side by side. Default: none, as for `undefined`. */
  readonly lane?: (message: Message<I>) => string | undefined;
  /**
   * How many messages one lane may hold, 1 or more, the members of batches counted; the rest waits at the source without
   * credit (`maxParked`), so that a slow key never holds the others. Default: a quarter of the credit; of `creditBytes` always.
   */
  readonly laneCredit?: number;
  /** Tries again after these waits, unless the error is not `retriable`: 3 in all, or its `tries`. Default: one try. */
  readonly retry?: Backoff;
  /** Longest one try may take; 0 is no time at all, for work that answers at once. Default: as long as it takes. */
  readonly timeoutMs?: number;
  /**
   * What becomes of a message whose work failed for good: `requeue` (default) is delivered again, `dead` moves to the dead
   * letters, `drop` is given up and counted, `fail` is delivered again later and ends the flow with the error.
   */
  readonly onError?: 'requeue' | 'dead' | 'drop' | 'fail';
  /** What reports call this stage. Default: `each(name of the function)`. */
  readonly name?: string;
  /** Default: the clock in force on subscribe. */
  readonly clock?: Clock;
}

/**
 * The results of `work` per message. One result carries the message's settlement on; none (`undefined`, or an Observable
 * that is empty) acks it; several are parts of it, and it is acked when all of them were. It is the one place where a
 * failure of work is caught: the message is tried again, then nacked by `onError`, and the flow goes on.
 *
 * Messages beyond `concurrency` wait here unsettled, so their number never passes the source's credit. Completes when the
 * source has and all work is done. On unsubscribe running work is abandoned and what it held goes back to the source
 * untouched. Its signal aborts then, and when its message is nacked or taken back; an Observable is unsubscribed.
 *
 * @example
 * import { backoff, each } from 'sluice';
 * orders.pipe(each((order) => bill(order), { concurrency: 8, lane: (m) => m.key, retry: backoff({ tries: 3 }) }));
 * @param work called with the payload, the message and the try; may throw, or give a value, Promise or Observable
 * @throws SluiceError `CONFIG_INVALID` for an option out of range, or a concurrency above the credit. Messages are nacked
 * with HANDLER_FAILED or HANDLER_TIMEOUT, unless the work's own error is a SluiceError
 * @see payload
 * @see through
 */
export function each<I, W>(
  work: (payload: I, message: Message<I>, current: Try) => W,
  options: EachOptions<I> = {},
): Stage<I, WorkResult<W>> {
  checkArgument('each', 'work', work, callable);
  checkOptions<EachOptions<I>>('each', options, {
    concurrency: integer(1),
    lane: callable,
    laneCredit: integer(1),
    retry: backoffLike,
    timeoutMs: numeric(0),
    onError: oneOf('requeue', 'dead', 'drop', 'fail'),
    name: text,
    clock: clockLike,
  });
  const name = options.name ?? `each(${work.name})`;
  return defineStage(
    name,
    (output) => new EachRunner<I, WorkResult<W>>(work as never, options, name, output, options.clock ?? currentClock()),
    undefined,
    { wants: { option: 'concurrency', count: options.concurrency ?? 1 } },
  );
}
