import { Observable } from 'rxjs';
import type { Cancel, Clock } from '../clock.js';
import type { Sink } from '../connection/flow.js';
import { isSinkHandle, type SinkHandle, type SourceCounts, type SourceHandle } from '../connection/scope.js';
import type { SluiceError } from '../errors.js';
import type { Status } from '../observability/status.js';

/**
 * One source, as health shows it.
 *
 * @see Health
 */
export interface SourceHealth {
  readonly connector: string;
  readonly status: Status;
  readonly credit: number;
  readonly unsettled: number;
  readonly unsettledBytes: number;
  /** Messages that wait in lanes without credit, at most `maxParked` and the credit. While it is full nothing new is taken. */
  readonly parked: number;
  /** Age of the message that has been unsettled longest, at work or waiting: the best single gauge of a flow. */
  readonly oldestUnsettledMs: number;
  readonly counts: SourceCounts;
}

/**
 * One sink, as health shows it.
 *
 * @see Health
 */
export interface SinkHealth {
  readonly connector: string;
  readonly status: Status;
  readonly unconfirmed: number;
  readonly queued: number;
  readonly confirmed: number;
  readonly failed: number;
}

/**
 * How a flow is doing.
 *
 * @see Running
 */
export interface Health {
  /** False while there is a reason in {@link reasons}. */
  readonly ready: boolean;
  /** Why not, each as one short sentence. */
  readonly reasons: readonly string[];
  readonly sources: readonly SourceHealth[];
  /** That of `run` first, then those inside of the flow that are not closed: of `deliver`, `deadLetter`, `fanout`, `route`. */
  readonly sinks: readonly SinkHealth[];
}

/** What health looks at. */
export interface HealthInput {
  readonly name: string;
  readonly sources: readonly SourceHandle[];
  readonly sinks: ReadonlyMap<Sink<never>, unknown>;
  /** A message unsettled for longer makes the flow not ready. */
  readonly unsettledAfterMs: number;
  /** Why the flow ended, if it failed. */
  failure(): SluiceError | undefined;
}

/** The health of now. @internal */
export function healthOf(input: HealthInput): Health {
  const sources = input.sources.map(
    ({ connector, status, credit, unsettled, unsettledBytes, parked, oldestUnsettledMs, counts }): SourceHealth => ({
      connector,
      status,
      credit,
      unsettled,
      unsettledBytes,
      parked,
      oldestUnsettledMs: Math.round(oldestUnsettledMs),
      counts: { ...counts },
    }),
  );
  const sinks = [...input.sinks.keys()].flatMap((sink) => (isSinkHandle(sink) ? [sinkHealth(sink)] : []));
  const failure = input.failure();
  const reasons = [
    ...(failure === undefined ? [] : [`${input.name} failed with ${failure.code}`]),
    ...[...sources, ...sinks].filter(isDown).map(({ connector, status }) => `${connector} is ${status}`),
    ...input.sources
      .filter(({ isParkingFull }) => isParkingFull)
      .map(({ connector, parked }) => `${connector} takes nothing new, ${parked} messages wait in lanes (maxParked)`),
    ...sources
      .filter((source) => source.oldestUnsettledMs > input.unsettledAfterMs)
      .map((source) => `${source.connector} has a message unsettled for ${source.oldestUnsettledMs} ms`),
  ];
  return { ready: reasons.length === 0, reasons, sources, sinks };
}

/**
 * Health now and then every `everyMs`, and a last time once `running$` completes, until unsubscribed.
 *
 * @internal
 */
export function watchHealth(
  input: HealthInput,
  running$: Observable<unknown>,
  clock: Clock,
  everyMs: number,
): Observable<Health> {
  return new Observable((watcher) => {
    let cancel: Cancel | undefined;
    const look = (): void => {
      cancel = clock.timer(everyMs, look, true);
      watcher.next(healthOf(input));
    };
    const subscription = running$.subscribe({
      complete() {
        watcher.next(healthOf(input));
        watcher.complete();
      },
    });
    if (!watcher.closed) look();
    return () => {
      subscription.unsubscribe();
      cancel?.();
    };
  });
}

function isDown({ status }: { readonly status: Status }): boolean {
  return status === 'reconnecting' || status === 'connecting' || status === 'degraded';
}

function sinkHealth(sink: SinkHandle): SinkHealth {
  const { connector, status, unconfirmed, queued, confirmedCount, failedCount } = sink;
  return { connector, status, unconfirmed, queued, confirmed: confirmedCount, failed: failedCount };
}
