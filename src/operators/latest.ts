import { backoffLike } from '../connection/backoff.js';
import { currentClock } from '../clock.js';
import type { Stage } from '../connection/flow.js';
import { callable, checkArgument, checkOptions, clockLike, numeric, oneOf, text } from '../connection/options.js';
import { handBack } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { COME_AGAIN_MS } from './busy.js';
import { defineStage } from './define-stage.js';
import { EachRunner } from './each-runner.js';
import type { EachOptions, Try, WorkResult } from './each.js';

/**
 * Options of {@link latest}.
 *
 * @see EachOptions
 */
export interface LatestOptions<I> extends Omit<EachOptions<I>, 'concurrency' | 'lane' | 'laneCredit'> {
  /**
   * What becomes of a message whose work is given up for a newer one: `ack` (default) with the note `superseded`, `requeue`
   * hands it back without counting an attempt; it comes again after a while. Not for parts of
   * one message: they would supersede each other for ever.
   */
  readonly superseded?: 'ack' | 'requeue';
}

/**
 * The results of `work` for the newest message: a new message ends the work on the one before it, whose signal aborts and
 * which is settled at once as `superseded` says. RxJS's `switchMap` would leave it unsettled.
 *
 * Results that came out before count: such a message is acked once they were. Failures, completion and unsubscribe are as
 * in `each`.
 *
 * @example
 * import { latest } from 'sluice';
 * orders.pipe(latest((order, _, { signal }) => fetch(`/stock/${order.id}`, { signal })));
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * @see busy
 * @see each
 */
export function latest<I, W>(
  work: (payload: I, message: Message<I>, current: Try) => W,
  options: LatestOptions<I> = {},
): Stage<I, WorkResult<W>> {
  checkArgument('latest', 'work', work, callable);
  checkOptions<LatestOptions<I>>('latest', options, {
    superseded: oneOf('ack', 'requeue'),
    retry: backoffLike,
    timeoutMs: numeric(0),
    onError: oneOf('requeue', 'dead', 'drop', 'fail'),
    name: text,
    clock: clockLike,
  });
  const name = options.name ?? `latest(${work.name})`;
  const replace = (_: Message<I>, runner: EachRunner<I, WorkResult<W>>): boolean => {
    runner.giveUp((old, parts) => {
      if (options.superseded === 'requeue') handBack(old, COME_AGAIN_MS);
      else if (parts === undefined) old.ack('superseded');
      else parts.seal('superseded');
    });
    return true;
  };
  return defineStage(
    name,
    (output) =>
      new EachRunner<I, WorkResult<W>>(work as never, options, name, output, options.clock ?? currentClock(), replace),
  );
}
