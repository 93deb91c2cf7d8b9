import { backoffLike } from '../connection/backoff.js';
import { currentClock } from '../clock.js';
import type { Stage } from '../connection/flow.js';
import { callable, checkArgument, checkOptions, clockLike, numeric, oneOf, text } from '../connection/options.js';
import { handBack } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { defineStage } from './define-stage.js';
import { EachRunner } from './each-runner.js';
import type { EachOptions, Try, WorkResult } from './each.js';

/**
 * Options of {@link busy}.
 *
 * @see EachOptions
 */
export interface BusyOptions<I> extends Omit<EachOptions<I>, 'concurrency' | 'lane' | 'laneCredit'> {
  /**
   * What becomes of a message that comes while work is going on: `ack` (default) gives it up with the note `busy`,
   * `requeue` hands it back without counting an attempt; it comes again after a while. Not for parts of
   * one message: they would turn each other away for ever.
   */
  readonly busy?: 'ack' | 'requeue';
}

/** How long a message stays away that came at the wrong moment, so that it does not come round and round. */
export const COME_AGAIN_MS = 100;

/**
 * The results of `work`, one message at a time; messages that come meanwhile are turned away, settled at once as `busy`
 * says. RxJS's `exhaustMap` would leave those unsettled.
 *
 * Results, failures, completion and unsubscribe are as in `each`.
 *
 * @example
 * import { busy } from 'sluice';
 * orders.pipe(busy((order) => bill(order)));
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * @see latest
 * @see each
 */
export function busy<I, W>(
  work: (payload: I, message: Message<I>, current: Try) => W,
  options: BusyOptions<I> = {},
): Stage<I, WorkResult<W>> {
  checkArgument('busy', 'work', work, callable);
  checkOptions<BusyOptions<I>>('busy', options, {
    busy: oneOf('ack', 'requeue'),
    retry: backoffLike,
    timeoutMs: numeric(0),
    onError: oneOf('requeue', 'dead', 'drop', 'fail'),
    name: text,
    clock: clockLike,
  });
  const name = options.name ?? `busy(${work.name})`;
  const refuse = (message: Message<I>): boolean => {
    if (options.busy === 'requeue') handBack(message, COME_AGAIN_MS);
    else message.ack('busy');
    return false;
  };
  return defineStage(
    name,
    (output) =>
      new EachRunner<I, WorkResult<W>>(work as never, options, name, output, options.clock ?? currentClock(), refuse),
  );
}
