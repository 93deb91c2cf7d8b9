import type { SluiceError } from '../errors.js';
import { onClosed } from './end-sink.js';
import type { Sink } from './flow.js';
import { currentScope } from './scope.js';

/**
 * Calls `failed` when a sink has closed by itself, because it failed for good: it takes nothing any more, so a flow that
 * gives to it has to end. To be called on subscribe: it makes the sink known to the runtime as well.
 *
 * @internal
 */
export function watchSink(sink: Sink<never>, failed: (error: SluiceError) => void): void {
  currentScope()?.addSink?.(sink);
  onClosed(sink, () => {
    if (sink.failure !== undefined) failed(sink.failure);
  });
}
