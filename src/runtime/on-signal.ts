import { constants } from 'node:os';
import process from 'node:process';
import { inspect } from 'node:util';
import { currentClock } from '../clock.js';
import { callable, called, checkArgument, checkOptions, type OptionRule } from '../connection/options.js';
import type { SluiceError } from '../errors.js';

/**
 * What can be stopped on a signal: a running flow or a topology.
 *
 * @see onSignal
 */
export interface Stoppable {
  stop(): Promise<unknown>;
}

/**
 * The signals that ask a process to end. Spelled out, so that these declarations need no types of Node.
 *
 * @see onSignal
 */
export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGQUIT' | 'SIGBREAK' | 'SIGUSR2';

/** Options of {@link onSignal}. */
export interface OnSignalOptions {
  /** Default: SIGINT and SIGTERM. */
  readonly signals?: readonly StopSignal[];
  /** Told when the stop begins. Default: nobody is. */
  readonly onStop?: (signal: StopSignal) => void;
  /** Told the report before the process ends; a promise is awaited. Default: nobody is. */
  readonly onStopped?: (report: unknown) => void | Promise<void>;
}

const SIGNALS: OptionRule = (value) =>
  Array.isArray(value) && value.every((name) => Object.hasOwn(constants.signals, String(name)))
    ? undefined
    : 'expected an array of names of signals';

// One press of Ctrl-C comes twice: the terminal signals every process of the job, and npm passes on the one that it got.
const SAME_PRESS_MS = 1_000;

/**
 * Stops `target` on SIGINT or SIGTERM and ends the process when it has drained: with exit code 0 when it was clean, with 1
 * when messages had to be given back unfinished or something failed, which is printed. A second signal, a second or more after
 * the first, ends at once, with 128 and the signal's number. The returned function takes the handlers off.
 *
 * @example
 * import { run } from 'sluice';
 * import { onSignal } from 'sluice/on-signal';
 * onSignal(run(orders, audit));
 * @throws SluiceError `CONFIG_INVALID` for a target that cannot be stopped, or an option that is none
 * Source: POSIX, exit status of a shell command ended by a signal.
 * @see run
 */
export function onSignal(target: Stoppable, options: OnSignalOptions = {}): () => void {
  checkArgument('onSignal', 'target', target, called('something to stop, such as what run() gives', 'stop'));
  checkOptions<OnSignalOptions>('onSignal', options, { signals: SIGNALS, onStop: callable, onStopped: callable });
  const signals: readonly StopSignal[] = options.signals ?? ['SIGINT', 'SIGTERM'];
  const clock = currentClock();
  let stoppingSinceMs: number | undefined;
  const handler = (signal: StopSignal): void => {
    const nowMs = clock.elapsed();
    if (stoppingSinceMs !== undefined) {
      if (nowMs - stoppingSinceMs >= SAME_PRESS_MS) process.exit(128 + constants.signals[signal]);
      return;
    }
    stoppingSinceMs = nowMs;
    void end(signal);
  };
  const end = async (signal: StopSignal): Promise<void> => {
    // Whatever the user's own functions do, the flow is drained first.
    const told = attempt(() => options.onStop?.(signal));
    const report = await attempt(() => target.stop());
    const done = await attempt(() => (isFailed(report) ? undefined : options.onStopped?.(report)));
    const failures = [await told, report, done].filter(isFailed);
    for (const { failure } of failures) process.stderr.write(`${inspect(failure)}\n`);
    process.exitCode = failures.length === 0 && isClean(report) ? 0 : 1;
    process.exit();
  };
  for (const signal of signals) process.on(signal, handler);
  return () => {
    for (const signal of signals) process.off(signal, handler);
  };
}

class Failed {
  readonly failure: unknown;

  constructor(failure: unknown) {
    this.failure = failure;
  }
}

const isFailed = (result: unknown): result is Failed => result instanceof Failed;

async function attempt(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return new Failed(error);
  }
}

function isClean(report: unknown): boolean {
  if (typeof report !== 'object' || report === null) return true;
  const { clean, error } = report as { clean?: boolean; error?: SluiceError };
  if (clean !== undefined) return clean && error === undefined;
  return Object.values(report).every(isClean);
}
