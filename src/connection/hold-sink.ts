import { currentClock } from '../clock.js';
import { SluiceError, toSluiceError } from '../errors.js';
import { endSink, type Failure, onClosed } from './end-sink.js';
import type { Sink } from './flow.js';
import { currentScope, isSinkHandle } from './scope.js';

/** A flow's hold on a sink that it gives to. */
export interface SinkHold {
  /** Other flows, or other branches of this one, give to it as well. */
  readonly isShared: boolean;
  /**
   * Gives up the hold, once. The last one to do so ends the sink, with `reason` by its `error`, and `ended` is called once
   * it is closed. As long as others give to it the sink goes on, and `ended` is called at once.
   */
  leave(ended: (thrown?: Failure) => unknown, reason?: Failure): void;
  /**
   * The same for who was unsubscribed, or has failed. Whoever is subscribed again for it, as `retry` and a branch that broke
   * are, gives to the same sink again: so the last one ends it only after this turn.
   */
  drop(reason?: Failure): void;
}

/** Who gives to a sink. */
interface Givers {
  count: number;
  /** Grows with each that comes or goes. */
  changes: number;
}

const givers = new WeakMap<Sink<never>, Givers>();

/**
 * Takes hold of a sink for somebody who is about to give to it: a sink ends with the last flow that gives to it, not with
 * the first. `failed` hears when it closes meanwhile, because it failed for good or somebody else completed it: it takes
 * nothing any more, so who gives to it has to end. To be called on subscribe: it makes the sink known to the runtime as well.
 *
 * @throws SluiceError `SINK_CLOSED` for a sink that has ended
 * @internal
 */
export function holdSink(sink: Sink<never>, stage: string, failed: (error: SluiceError) => void): SinkHold {
  refuseClosed(sink, stage);
  const clock = currentClock();
  const all = giversOf(sink);
  let hasLeft = true;
  const change = (by: 1 | -1): void => {
    hasLeft = by < 0;
    all.count += by;
    all.changes += 1;
  };
  change(1);
  currentScope()?.addSink?.(sink);
  onClosed(sink, (thrown) => {
    if (sink.failure !== undefined) failed(sink.failure);
    else if (!hasLeft) failed(closedEarly(stage, thrown));
  });
  return {
    get isShared() {
      return all.count > 1;
    },
    leave(ended, reason) {
      if (hasLeft) return;
      change(-1);
      if (all.count > 0) ended();
      else endSink(sink, stage, ended, reason);
    },
    drop(reason) {
      if (hasLeft) return;
      change(-1);
      if (all.count > 0) return;
      const { changes } = all;
      clock.yield(() => {
        if (changes === all.changes) endSink(sink, stage, () => undefined, reason);
      });
    },
  };
}

function giversOf(sink: Sink<never>): Givers {
  let all = givers.get(sink);
  if (all === undefined) givers.set(sink, (all = { count: 0, changes: 0 }));
  return all;
}

/** @throws SluiceError `SINK_CLOSED` @internal */
export function refuseClosed(sink: Sink<never>, stage: string): void {
  if (!isSinkHandle(sink) || (sink.status !== 'closing' && sink.status !== 'closed')) return;
  const { failure } = sink;
  const why = failure === undefined ? 'with the last flow that gave to it' : `as it failed (${failure.code})`;
  const cure = 'make one for each flow: in a topology inside the factory, before a retry inside defer';
  throw new SluiceError('SINK_CLOSED', `${stage}: the sink has ended, ${why}; ${cure}.`, { cause: failure });
}

function closedEarly(stage: string, thrown: Failure | undefined): SluiceError {
  if (thrown !== undefined) return toSluiceError(thrown.error, 'SINK_FAILED', `The sink of ${stage} failed`);
  const cure = 'leave its end to the flows that give to it';
  return new SluiceError('SINK_CLOSED', `The sink of ${stage} was completed by somebody else; ${cure}.`);
}
