import { report } from '../observability/observe.js';
import type { Sink } from './flow.js';
import { isThenable } from './is-thenable.js';

/** Something that was thrown or failed with, which may be `undefined` itself. @internal */
export interface Failure {
  readonly error: unknown;
}

/**
 * Completes a sink, or with a reason hands it the error, and calls `ended` once it is closed: everything flushed and
 * confirmed, its connection given back. At once for a sink that does not say when it is closed. One that throws is
 * reported, and has ended with what it threw.
 *
 * @internal
 */
export function endSink(
  sink: Sink<never>,
  stage: string,
  ended: (thrown?: Failure) => unknown,
  reason?: Failure,
): void {
  try {
    if (reason === undefined) sink.complete();
    else sink.error(reason.error);
  } catch (error) {
    report({ type: 'stage.failed', stage, reason: error });
    ended({ error });
    return;
  }
  if (!onClosed(sink, ended)) ended();
}

/**
 * Calls `closed` once the sink is closed, with what its promise was rejected with. False for a sink that does not say: a
 * Subject has a `closed` too, but no promise.
 *
 * @internal
 */
export function onClosed(sink: Sink<never>, closed: (thrown?: Failure) => unknown): boolean {
  const promise: unknown = sink.closed;
  if (!isThenable(promise)) return false;
  promise.then(
    () => void closed(),
    (error: unknown) => void closed({ error }),
  );
  return true;
}
