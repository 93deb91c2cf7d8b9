// Kept in the declarations, for consumers whose own settings do not name it.
/// <reference lib="esnext.disposable" preserve="true" />
import { Observable, type Subscriber } from 'rxjs';
import { currentClock, type Clock } from '../clock.js';
import type { Flow, Sink } from '../connection/flow.js';
import { checkOptions, having, numeric, text } from '../connection/options.js';
import { withScope, type SourceHandle } from '../connection/scope.js';
import { toSluiceError } from '../errors.js';
import type { SluiceEvent } from '../observability/events.js';
import { Cell } from './cell.js';
import { describe, type Graph } from './describe.js';
import { drain, type DrainReport } from './drain.js';
import { healthOf, refuseClosed, watchHealth, type Health } from './health.js';

/**
 * Where a running flow stands.
 *
 * @see Running
 */
export type RunStatus = 'running' | 'draining' | 'done' | 'failed';

/**
 * What happens to messages of a running flow that is worth somebody's attention. Never their payload.
 *
 * @see Running
 */
export type Fault = Extract<SluiceEvent, { readonly message: unknown }>;

/** Options of {@link run}. */
export interface RunOptions {
  /** What graphs and reports call it. Default: `flow`. */
  readonly name?: string;
  /** Stops it, like {@link Running.stop}, when it aborts. */
  readonly signal?: AbortSignal;
  /** Longest a stop may take before the rest is given back and reported. Default 25,000 ms. */
  readonly drainTimeoutMs?: number;
  /** How often {@link Running.health$} looks. Default 1,000 ms. */
  readonly healthEveryMs?: number;
  /** Default: the clock in force. */
  readonly clock?: Clock;
}

/**
 * A flow at work.
 *
 * @see run
 */
export interface Running extends AsyncDisposable {
  readonly name: string;
  /** Resolves with the report when it ended by itself or by a stop; rejects when it failed for good. */
  readonly done: Promise<DrainReport>;
  readonly status$: Observable<RunStatus>;
  /** Each message that was nacked, is overdue, came late or was taken back. */
  readonly faults$: Observable<Fault>;
  /** Health now, then regularly. */
  readonly health$: Observable<Health>;
  /** Health now. */
  health(): Health;
  /** Drains in the order of {@link drain}; calling it again gives the same promise. */
  stop(): Promise<DrainReport>;
  /** What it is made of. */
  describe(): Graph;
}

/**
 * Starts `flow` into `sink` at once and answers for both: a sink that throws nacks that message, a fatal error of the
 * flow or the sink fails `done`, and a stop drains.
 *
 * When the flow completes, the sink flushes and closes, then `done` resolves. What reaches the sink is settled by it.
 *
 * @example
 * import { each, run } from 'sluice';
 * const running = run(orders.pipe(each(bill)), bills, { drainTimeoutMs: 10_000 });
 * const { clean, unfinished } = await running.stop();
 * @throws SluiceError `CONFIG_INVALID` for an option out of range, `SINK_CLOSED` for a sink that was completed before
 * @see topology
 */
export function run<T>(flow: Flow<T>, sink: Sink<T>, options: RunOptions = {}): Running {
  checkOptions<RunOptions>('run', options, {
    name: text,
    signal: having('aborted'),
    drainTimeoutMs: numeric(0),
    healthEveryMs: numeric(1),
    clock: having('defer'),
  });
  refuseClosed(sink);
  const clock = options.clock ?? currentClock();
  const { name = 'flow', signal, drainTimeoutMs = 25_000, healthEveryMs = 1_000 } = options;
  const status = new Cell<RunStatus>('running');
  const sources: SourceHandle[] = [];
  const watchers = new Set<Subscriber<Fault>>();
  const healthInput = { sources, sink: sink as Sink<never>, unsettledAfterMs: 30_000 };
  let stopping: Promise<DrainReport> | undefined;
  const startMs = clock.elapsed();
  let tellEnd: { resolve: () => void; reject: (error: Error) => void };
  const ended = new Promise<void>((resolve, reject) => (tellEnd = { resolve, reject }));

  const closeSink = async (failure?: unknown): Promise<void> => {
    sink.complete();
    await sink.closed;
    const cause = failure ?? sink.failure;
    if (cause === undefined) tellEnd.resolve();
    else tellEnd.reject(toSluiceError(cause, 'CONNECTION_LOST', `${name} failed`));
  };
  const scope = {
    addSource: (source: SourceHandle) => void sources.push(source),
    event: (event: SluiceEvent) => {
      if ('message' in event) for (const watcher of [...watchers]) watcher.next(event);
    },
  };
  const subscription = withScope(scope, () =>
    flow.subscribe({
      next(message) {
        // RxJS reports a throw in `next` later and goes on: the message would never be settled.
        try {
          sink.next(message);
        } catch (error) {
          message.nack(toSluiceError(error, 'SINK_FAILED', 'The sink threw'));
        }
      },
      error: (error: unknown) => void closeSink(error),
      complete: () => void closeSink(),
    }),
  );
  // A sink that gave up by itself would refuse everything that still comes.
  void sink.closed?.then(() => {
    if (sink.failure === undefined) return;
    for (const source of sources) source.drain();
  });

  function stop(): Promise<DrainReport> {
    if (stopping !== undefined) return stopping;
    status.set('draining');
    const cut = (): void => {
      subscription.unsubscribe();
      void closeSink();
    };
    stopping = drain({ clock, sources, timeoutMs: drainTimeoutMs, ended, cut });
    return stopping;
  }

  const done = ended.then(
    () => stopping ?? { clean: true, unfinished: [], tookMs: Math.round(clock.elapsed() - startMs), error: undefined },
  );
  done.then(
    () => status.end('done'),
    () => status.end('failed'),
  );
  // What the stop reports is in `done` as well.
  const stopOnSignal = (): void => void stop().catch(() => undefined);
  if (signal?.aborted === true) stopOnSignal();
  else signal?.addEventListener('abort', stopOnSignal, { once: true });

  return {
    name,
    done,
    status$: status.value$,
    faults$: new Observable((watcher) => {
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    }),
    health$: watchHealth(healthInput, clock, healthEveryMs),
    health: () => healthOf(healthInput),
    stop,
    describe: () => describe(flow, sink),
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
