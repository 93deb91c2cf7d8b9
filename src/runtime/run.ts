import { currentClock } from '../clock.js';
import { subscribeTo } from '../connection/attach.js';
import type { Flow, Sink } from '../connection/flow.js';
import type { Failure } from '../connection/end-sink.js';
import { holdSink } from '../connection/hold-sink.js';
import { withScope } from '../connection/scope.js';
import { sinkThrew } from '../connection/sink-threw.js';
import { type SluiceError, toSluiceError } from '../errors.js';
import { report } from '../observability/observe.js';
import { Cell } from './cell.js';
import { describe } from './describe.js';
import { drain, type DrainReport } from './drain.js';
import { flowName } from './flow-name.js';
import { FlowScope } from './flow-scope.js';
import { healthOf, watchHealth, type HealthInput } from './health.js';
import { watchLoop } from './loop-watch.js';
import { nowhere } from './nowhere.js';
import { runArguments } from './run-arguments.js';
import type { Running, RunOptions, RunStatus } from './running.js';

/**
 * Starts `flow` into `sink` at once and answers for both: a sink that throws nacks that message, a fatal error of the
 * flow or the sink fails `done`, and a stop drains. A flow that emits nothing, as the work of its last `each` gives nothing or
 * all branches of its `route` are sinks, needs none.
 *
 * When the flow completes, the sink flushes and closes, then `done` resolves. When it fails, the sink gets the error, and
 * `done` rejects once it is closed; the event `flow.failed` tells it too. What reaches the sink is settled by it. One that
 * others give to as well goes on for them; `done` then waits until the flow's own messages are settled. A stop knows the
 * sources of the flow, also those that RxJS subscribes later (`mergeMap`, a `retry` with a delay); what would be subscribed
 * after it began completes at once and opens nothing. Others, behind a `subscribe` of your own, it cuts at its deadline.
 *
 * @example
 * import { each, run } from 'sluice';
 * const running = run(orders.pipe(each(bill)), billing, { drainTimeoutMs: 10_000 });
 * const { clean, unfinished } = await running.stop();
 * @throws SluiceError `CONFIG_INVALID` for an option out of range, `SINK_CLOSED` for a sink that has ended; `done` rejects
 *   with the latter when somebody else completes the sink meanwhile, with the former when the flow emits what is no message,
 *   or any without a sink
 * @see topology
 */
export function run<T>(flow: Flow<T>, sink: Sink<T>, options?: RunOptions): Running;
// A flow that emits asks for a sink by the number of arguments, which is easier to read than what is no `never`.
export function run<T>(flow: Flow<T>, ...rest: [T] extends [never] ? [options?: RunOptions] : [sink: Sink<T>]): Running;
export function run<T>(flow: Flow<T>, to?: Sink<T> | RunOptions, rest?: RunOptions): Running {
  const { into, options } = runArguments(flow, to, rest);
  const clock = options.clock ?? currentClock();
  const { name = flowName(), signal, drainTimeoutMs = 25_000, healthEveryMs = 1_000 } = options;
  const status = new Cell<RunStatus>('running');
  const sink = into ?? nowhere(name, failed);
  const scope = new FlowScope(sink);
  const { sources, sinks, faults$ } = scope;
  /** Why it ended, once it has failed. */
  let failure: SluiceError | undefined;
  const healthInput: HealthInput = {
    name,
    sources,
    sinks,
    unsettledAfterMs: 30_000,
    failure: () => failure,
  };
  let stopping: Promise<DrainReport> | undefined;
  const startMs = clock.elapsed();
  let tellEnd: { resolve: () => void; reject: (error: Error) => void };
  const ended = new Promise<void>((resolve, reject) => (tellEnd = { resolve, reject }));

  let isEnding = false;
  const hold = withScope(scope, () => holdSink(sink, name, failed));
  /** Why the sink was closed before the flow had ended. */
  let lost: SluiceError | undefined;
  const end = (reason?: Failure): void => {
    if (isEnding) return;
    isEnding = true;
    const closed = (thrown?: Failure): void => {
      const failed = lost ?? sink.failure;
      const cause = reason ?? (failed === undefined ? thrown : { error: failed });
      const code = reason === undefined ? 'SINK_FAILED' : 'HANDLER_FAILED';
      if (cause === undefined) tellEnd.resolve();
      else tellEnd.reject(toSluiceError(cause.error, code, `${name} failed`));
    };
    // A sink that goes on for others does not say when it has settled what came from here; the sources do.
    hold.leave((thrown, goesOn) => (goesOn === true ? scope.whenClosed(closed) : closed(thrown)), reason);
  };
  const subscription = withScope(scope, () =>
    subscribeTo(flow, {
      next(message) {
        // RxJS reports a throw in `next` later and goes on: the message would never be settled.
        try {
          sink.next(message);
        } catch (error) {
          sinkThrew(message, name, error);
        }
      },
      error: (error: unknown) => end({ error }),
      complete: () => end(),
    }),
  );
  watchLoop(clock, name, status.value$);
  const over = (last: RunStatus): void => {
    signal?.removeEventListener('abort', drainUnasked);
    status.end(last);
    scope.end();
  };
  const done = ended.then(
    async () => {
      const tookMs = Math.round(clock.elapsed() - startMs);
      const drained = await (stopping ?? { clean: true, unfinished: [], tookMs, error: undefined });
      over('done');
      return drained;
    },
    (error: unknown) => {
      failure = error as SluiceError;
      report({ type: 'flow.failed', flow: name, reason: error });
      over('failed');
      throw error;
    },
  );

  function drainAll(): Promise<DrainReport> {
    if (stopping !== undefined) return stopping;
    status.set('draining');
    const cut = (): void => {
      subscription.unsubscribe();
      end();
      // Also when the sink is what did not end in time; one that closed by itself has, and says so.
      if ((lost ?? sink.failure) === undefined) tellEnd.resolve();
    };
    stopping = drain({ clock, scope, timeoutMs: drainTimeoutMs, ended, cut });
    return stopping;
  }

  /** The sink has closed, and would refuse everything that still comes, also what is emitted again because it did. */
  function failed(error: SluiceError): void {
    if (isEnding) return;
    lost = error;
    scope.cease();
    drainUnasked();
  }

  /** On a signal, or as the sink failed: what comes of it is in `done` as well. */
  function drainUnasked(): void {
    drainAll().catch(() => undefined);
  }

  function stop(): Promise<DrainReport> {
    // Whoever stops hears of a failure from what this returns.
    done.catch(() => undefined);
    return drainAll();
  }

  if (signal?.aborted === true) drainUnasked();
  else signal?.addEventListener('abort', drainUnasked, { once: true });

  return {
    name,
    done,
    status$: status.value$,
    faults$,
    health$: watchHealth(healthInput, status.value$, clock, healthEveryMs),
    health: () => healthOf(healthInput),
    stop,
    describe: () => describe(flow, into),
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
