import { currentClock } from '../clock.js';
import { SluiceError, toSluiceError } from '../errors.js';
import { endSink, type Failure, onClosed } from './end-sink.js';
import type { Sink } from './flow.js';
import { isThenable } from './is-thenable.js';
import { currentScope, isSinkHandle } from './scope.js';

/** A flow's hold on a sink that it gives to. */
export interface SinkHold {
  /**
   * Gives up the hold, once. The last one to do so ends the sink, with `reason` by its `error`, and `ended` is called once
   * it is closed. As long as others give to it the sink goes on, and `ended` is called at once and told so.
   */
  leave(ended: (thrown?: Failure, goesOn?: boolean) => unknown, reason?: Failure): void;
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
  /** Those who hear when it closes. One promise callback for all: what hangs on a promise is kept as long as it is open. */
  readonly watchers: Set<(thrown?: Failure) => void>;
  /** It was ended, or is closed. An observer that does not say when it is closed may be given to again. */
  isOver: boolean;
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
  const forget = currentScope()?.addSink?.(sink);
  let hasLeft = true;
  const watcher = (thrown?: Failure): void => {
    over();
    if (sink.failure !== undefined) failed(sink.failure);
    else if (!hasLeft) failed(closedEarly(stage, thrown));
  };
  function change(by: 1 | -1): void {
    hasLeft = by < 0;
    all.count += by;
    all.changes += 1;
  }
  function over(): void {
    all.watchers.delete(watcher);
    forget?.();
  }
  function end(ended: (thrown?: Failure) => unknown, reason?: Failure): void {
    all.isOver = isThenable(sink.closed);
    endSink(sink, stage, ended, reason);
  }
  change(1);
  all.watchers.add(watcher);
  return {
    leave(ended, reason) {
      if (hasLeft) return;
      change(-1);
      const left = (thrown?: Failure): void => {
        over();
        ended(thrown, all.count > 0);
      };
      if (all.count > 0) left();
      else end(left, reason);
    },
    drop(reason) {
      if (hasLeft) return;
      change(-1);
      over();
      if (all.count > 0) return;
      const { changes } = all;
      clock.yield(() => {
        if (changes === all.changes) end(() => undefined, reason);
      });
    },
  };
}

function giversOf(sink: Sink<never>): Givers {
  const known = givers.get(sink);
  if (known !== undefined) return known;
  const all: Givers = { count: 0, changes: 0, watchers: new Set(), isOver: false };
  givers.set(sink, all);
  onClosed(sink, (thrown) => {
    all.isOver = true;
    for (const watcher of [...all.watchers]) watcher(thrown);
  });
  return all;
}

/** @throws SluiceError `SINK_CLOSED` @internal */
export function refuseClosed(sink: Sink<never>, stage: string): void {
  const isEnding = isSinkHandle(sink) && (sink.status === 'closing' || sink.status === 'closed');
  if (!isEnding && givers.get(sink)?.isOver !== true && !isStopped(sink)) return;
  const { failure } = sink;
  const asOther = isStopped(sink) ? 'by its own complete or error' : 'with the last flow that gave to it';
  const why = failure === undefined ? asOther : `as it failed (${failure.code})`;
  const cure = 'make one for each flow: in a topology inside the factory, before a retry inside defer';
  throw new SluiceError('SINK_CLOSED', `${stage}: the sink has ended, ${why}; ${cure}.`, { cause: failure });
}

/** A Subject that has completed or failed takes what it is given and says nothing: nobody would ever settle it. */
function isStopped(sink: Sink<never> & { readonly isStopped?: unknown }): boolean {
  return sink.isStopped === true;
}

function closedEarly(stage: string, thrown: Failure | undefined): SluiceError {
  if (thrown !== undefined) return toSluiceError(thrown.error, 'SINK_FAILED', `The sink of ${stage} failed`);
  const cure = 'leave its end to the flows that give to it';
  return new SluiceError('SINK_CLOSED', `The sink of ${stage} was completed by somebody else; ${cure}.`);
}
