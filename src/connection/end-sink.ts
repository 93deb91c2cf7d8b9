import { report } from '../observability/observe.js';
import type { Sink } from './flow.js';

/**
 * Completes a sink and calls `ended` once it is closed: everything flushed and confirmed, its connection given back. At
 * once for a sink that does not say when it is closed. A `complete` that throws is reported and ends it.
 *
 * @internal
 */
export function endSink(sink: Sink<never>, stage: string, ended: () => unknown): void {
  try {
    sink.complete();
  } catch (error) {
    report({ type: 'stage.failed', stage, reason: error });
    ended();
    return;
  }
  if (sink.closed === undefined) ended();
  else void sink.closed.then(ended, ended);
}
