import type { Clock } from '../clock.js';
import type { Unfinished } from '../connection/scope.js';
import { SluiceError } from '../errors.js';
import type { FlowScope } from './flow-scope.js';

/**
 * How a flow ended.
 *
 * @see Running
 */
export interface DrainReport {
  /** True when every message was settled and the sink closed in time. */
  readonly clean: boolean;
  /** The messages that were given back unsettled at the deadline, each with the stage that held it. */
  readonly unfinished: readonly Unfinished[];
  readonly tookMs: number;
  /** DRAIN_TIMEOUT when it was not clean; it names the count, never a payload. */
  readonly error: SluiceError | undefined;
}

/** What a drain works on. */
export interface Draining {
  readonly clock: Clock;
  readonly scope: FlowScope;
  readonly timeoutMs: number;
  /** Resolves when the flow has completed and its sink is closed. */
  readonly ended: Promise<void>;
  /** Ends the flow whatever it still does. */
  readonly cut: () => void;
}

/**
 * The order in which a flow ends:
 *
 * 1. Sources stop taking in; what they had not emitted goes back at once.
 * 2. What was emitted is worked off; batches that wait for more give out what they have.
 * 3. Everything is settled; each source closes and completes.
 * 4. The flow completes, the sink flushes, waits for its confirmations and closes.
 * 5. Links close with their last user.
 *
 * At the deadline what is still unsettled is listed, given back and the rest is cut off.
 *
 * @internal
 */
export async function drain({ clock, scope, timeoutMs, ended, cut }: Draining): Promise<DrainReport> {
  const startMs = clock.elapsed();
  scope.drain();
  const inTime = await within(clock, timeoutMs, ended);
  const tookMs = Math.round(clock.elapsed() - startMs);
  if (inTime) return { clean: true, unfinished: [], tookMs, error: undefined };
  const { sources } = scope;
  const unfinished = sources.flatMap((source) => source.unfinished());
  const stages = [...new Set(unfinished.map(({ stage }) => stage))].join(', ');
  const what =
    unfinished.length === 0
      ? 'Everything is settled, but the flow or its sink has not ended'
      : `${unfinished.length} messages unsettled, held by ${stages},`;
  const error = new SluiceError('DRAIN_TIMEOUT', `${what} after ${timeoutMs} ms (drainTimeoutMs).`, {
    details: { unfinished: unfinished.length },
  });
  for (const source of sources) source.release(error);
  cut();
  return { clean: false, unfinished, tookMs, error };
}

async function within(clock: Clock, timeoutMs: number, ended: Promise<void>): Promise<boolean> {
  let cancel = (): void => undefined;
  const late = new Promise<false>((resolve) => (cancel = clock.timer(timeoutMs, () => resolve(false))));
  try {
    return await Promise.race([ended.then(() => true), late]);
  } finally {
    cancel();
  }
}
