// Kept in the declarations, for consumers whose own settings do not name it.
/// <reference lib="esnext.disposable" preserve="true" />
import type { Observable } from 'rxjs';
import type { Clock } from '../clock.js';
import type { SluiceEvent } from '../observability/events.js';
import type { Graph } from './describe.js';
import type { DrainReport } from './drain.js';
import type { Health } from './health.js';

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
  /** What reports call it. Default: its name in the topology, otherwise `flow`. */
  readonly name?: string;
  /** Stops it, like {@link Running.stop}, when it aborts. Default: none. */
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
  /**
   * Resolves with the report when it ended by itself or by a stop; rejects when it failed for good. A failure that nobody
   * waits for, here or by {@link stop}, is an unhandled rejection: Node prints it and ends with exit code 1.
   */
  readonly done: Promise<DrainReport>;
  readonly status$: Observable<RunStatus>;
  /** Each message that was nacked, is overdue, came late or was taken back. Completes with the flow. */
  readonly faults$: Observable<Fault>;
  /** Health now, then regularly, and a last time when the flow has ended. */
  readonly health$: Observable<Health>;
  /** Health now. */
  health(): Health;
  /**
   * Drains in the order of {@link drain}; calling it again gives the same promise. It rejects as `done` does, which then
   * counts as looked at.
   */
  stop(): Promise<DrainReport>;
  /** What it is made of. */
  describe(): Graph;
}
