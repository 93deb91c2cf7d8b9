// Kept in the declarations, for consumers whose own settings do not name it.
/// <reference lib="esnext.disposable" preserve="true" />
import { currentClock, type Cancel, type Clock } from '../clock.js';
import { backoff, type Backoff, backoffLike } from '../connection/backoff.js';
import { called, checkArgument, checkOptions, clockLike, oneOf, type OptionRule } from '../connection/options.js';
import { isSluiceError, type SluiceError, toSluiceError } from '../errors.js';
import { report } from '../observability/observe.js';
import type { Graph } from './describe.js';
import type { DrainReport } from './drain.js';
import { withFlowName } from './flow-name.js';
import type { Health } from './health.js';
import type { Running } from './running.js';

/** Options of {@link topology}. */
export interface TopologyOptions {
  /**
   * What happens when a flow fails for good: `restart` (default) starts it again after a wait, unless the program itself is
   * wrong, which no restart cures; `stop` stops all of them and rejects `done`. A flow that completes is not started again.
   */
  readonly onFailure?: 'restart' | 'stop';
  /** Waits between restarts of one flow. Default `backoff()`. */
  readonly restart?: Backoff;
  /** Default: the clock in force. */
  readonly clock?: Clock;
}

/**
 * How several flows ended, by name.
 *
 * @see Topology
 */
export type TopologyReport = Readonly<Record<string, DrainReport>>;

/**
 * Several flows at work together.
 *
 * @see topology
 */
export interface Topology extends AsyncDisposable {
  /**
   * Resolves when every flow has ended; rejects, once all are stopped, when one failed for good under `stop`, as often as the
   * `tries` of `restart`, or by a mistake in the program. As with one flow, a failure that nobody waits for is an unhandled
   * rejection.
   */
  readonly done: Promise<TopologyReport>;
  /** The flow of that name as it runs now; a restart exchanges it. */
  running(name: string): Running | undefined;
  health(): Readonly<Record<string, Health>>;
  /** Stops in the reverse order of starting, each drained before the next begins. */
  stop(): Promise<TopologyReport>;
  describe(): Readonly<Record<string, Graph>>;
}

const STARTS: OptionRule = (value) =>
  typeof value === 'function' ? undefined : 'expected a function that starts the flow, such as () => run(flow, sink)';

const RUNNING = called('what run() gives, not a promise of it', 'done', 'stop');

/**
 * Starts several flows in the order given, keeps them going and stops them together. Each entry is a function, so that a
 * flow that failed for good can be started anew: one that fails does not stop the others. Only where the program itself is
 * wrong (an option or a flow of the wrong kind, a client that is not installed, a sink that has ended when its flow is
 * started again) all of them stop, and `done` rejects with it. A flow that completes has ended; the others go on.
 *
 * @example
 * import { memorySink, run, topology } from 'sluice';
 * const app = topology({
 *   bills: () => run(orders, memorySink(broker, { topic: 'bills' })), // a sink that has ended stays so: make it in here
 *   audit: () => run(raw, memorySink(broker, { topic: 'audit' })),
 * });
 * await app.stop(); // audit first, then bills
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * @see run
 */
export function topology(flows: Readonly<Record<string, () => Running>>, options: TopologyOptions = {}): Topology {
  checkArgument('topology', 'flows', flows, called('an object with a function for each flow'));
  for (const [name, flow] of Object.entries(flows)) checkArgument('topology', name, flow, STARTS);
  checkOptions<TopologyOptions>('topology', options, {
    onFailure: oneOf('restart', 'stop'),
    restart: backoffLike,
    clock: clockLike,
  });
  const clock = options.clock ?? currentClock();
  const schedule = options.restart ?? backoff();
  const names = Object.keys(flows);
  const current = new Map<string, Running>();
  const waits = new Map<string, Cancel>();
  // A flow may have any name, also that of something that every other object has.
  const reports = Object.create(null) as Record<string, DrainReport>;
  let stopping: Promise<TopologyReport> | undefined;
  /** Why everything is stopped, when one flow's failure is the cause. */
  let failure: SluiceError | undefined;
  let isStarted = false;
  let settle: { resolve: (reports: TopologyReport) => void; reject: (error: unknown) => void };
  const done = new Promise<TopologyReport>((resolve, reject) => (settle = { resolve, reject }));

  function start(name: string, failures: number): void {
    const startedMs = clock.elapsed();
    let running: Running;
    try {
      running = withFlowName(name, flows[name] as () => Running);
      checkArgument('topology', `what '${name}' gives`, running, RUNNING);
    } catch (error) {
      // At the first start whoever called hears of it; at a restart nobody is there but the schedule.
      if (!isStarted) throw error;
      const reason = toSluiceError(error, 'SOURCE_FAILED', `${name} could not be started`);
      report({ type: 'flow.failed', flow: name, reason });
      failed(name, reason, failures + 1);
      return;
    }
    current.set(name, running);
    running.done.then(
      (ended) => {
        reports[name] = ended;
        endIfAll();
      },
      (error: unknown) => {
        const stable = clock.elapsed() - startedMs >= schedule.stableMs;
        failed(name, error as SluiceError, stable ? 1 : failures + 1);
      },
    );
  }

  function failed(name: string, error: SluiceError, failures: number): void {
    const over = stopping !== undefined;
    const isLast = options.onFailure === 'stop' || failures >= (schedule.tries ?? Infinity);
    if (over || isLast || isMistake(error, failures)) {
      reports[name] = { clean: false, unfinished: [], tookMs: 0, error };
      if (!over) {
        failure = error;
        void stop();
      }
      return;
    }
    waits.set(
      name,
      clock.timer(schedule.delayMs(failures, clock), () => {
        waits.delete(name);
        start(name, failures);
      }),
    );
  }

  async function stopAll(): Promise<TopologyReport> {
    for (const name of [...names].reverse()) {
      const wait = waits.get(name);
      wait?.();
      const running = current.get(name);
      if (running === undefined || wait !== undefined) {
        reports[name] ??= { clean: true, unfinished: [], tookMs: 0, error: undefined };
        continue;
      }
      reports[name] ??= await running.stop().catch((error: unknown) => ({
        clean: false,
        unfinished: [],
        tookMs: 0,
        error: error as SluiceError,
      }));
    }
    endIfAll();
    return reports;
  }

  function endIfAll(): void {
    if (!names.every((name) => name in reports)) return;
    if (failure === undefined) settle.resolve(reports);
    else settle.reject(failure);
  }

  function stop(): Promise<TopologyReport> {
    return (stopping ??= stopAll());
  }

  try {
    for (const name of names) start(name, 0);
  } catch (error) {
    // What runs already is not left without anybody who could stop it.
    for (const running of current.values()) void running.stop().catch(() => undefined);
    throw error;
  }
  isStarted = true;
  endIfAll();
  const byName = <V>(of: (running: Running) => V): Readonly<Record<string, V>> =>
    Object.fromEntries([...current].map(([name, running]) => [name, of(running)]));
  return {
    done,
    running: (name) => current.get(name),
    health: () => byName((running) => running.health()),
    stop,
    describe: () => byName((running) => running.describe()),
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

/**
 * True where each start would end in the same way: what the program hands over is wrong, or is not installed. What the far side
 * says of it names no faults: a queue that is not there may come back. A sink that is made with its flow has not ended yet.
 */
function isMistake(error: SluiceError, failures: number): boolean {
  if (isSluiceError(error, 'CONFIG_INVALID')) return error.details['faults'] !== undefined;
  return isSluiceError(error, 'PEER_MISSING') || (isSluiceError(error, 'SINK_CLOSED') && failures > 1);
}
