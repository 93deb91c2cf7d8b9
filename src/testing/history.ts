import type { Outcome } from '../message/settlement.js';
import { checkArgument, type OptionRule } from '../options.js';
import { checkHistory, type HistoryReport } from './check-history.js';

/**
 * One thing that happened to the message `id` during a run.
 *
 * @see history
 */
export type HistoryEvent =
  /** A writer hands it over. What became of that: it was confirmed, refused, or nobody can say. */
  | { readonly type: 'attempted' | 'confirmed' | 'refused' | 'unknown'; readonly id: string }
  | {
      readonly type: 'delivered';
      readonly id: string;
      readonly attempt: number;
      readonly bytes: number;
      /** Where it stands in a log that is committed by position. */
      readonly position?: number | undefined;
      readonly partition?: string | undefined;
    }
  /** A settlement that took effect. */
  | { readonly type: 'settled'; readonly id: string; readonly outcome: Outcome }
  /** All of the partition before `position` is done, its reader says. */
  | { readonly type: 'committed'; readonly partition: string; readonly position: number }
  /** Nothing was left at the far side, and nothing more is read. */
  | { readonly type: 'drained' };

/** What {@link History.delivered} may add. */
export interface DeliveredDetails {
  /** Default 1. */
  readonly attempt?: number;
  /** Default 0. */
  readonly bytes?: number;
  readonly position?: number | undefined;
  readonly partition?: string | undefined;
}

/**
 * What happened in a run, written down as it happens and judged at its end.
 *
 * @see history
 */
export interface History {
  readonly runId: string;
  readonly events: readonly HistoryEvent[];
  /** Ids for one writer: `runId.writer.counter`, the counter from 0. */
  writer(name: string): () => string;
  attempted(id: string): void;
  confirmed(id: string): void;
  /** The far side said no: the message must not turn up. */
  refused(id: string): void;
  /** Whether it arrived cannot be told: it may turn up or not. */
  unknown(id: string): void;
  delivered(id: string, details?: DeliveredDetails): void;
  settled(id: string, outcome: Outcome): void;
  committed(position: number, partition?: string): void;
  drained(): void;
  check(): HistoryReport;
}

/**
 * Writes down what writers attempted and what readers got, to derive afterwards what was lost, doubled, out of order or
 * never sent. Ids name their run, writer and number, so that a stray message of another run is recognised too.
 *
 * @example
 * import { history } from 'sluice/testing';
 * const seen = history('run-1');
 * const nextId = seen.writer('w');
 * const id = nextId();
 * seen.attempted(id);
 * seen.confirmed(id);
 * seen.drained();
 * seen.check().lost; // ['run-1.w.0']: confirmed and never delivered
 * @param runId letters, digits and `-`
 * @throws SluiceError `CONFIG_INVALID` for a run or writer without a name, or whose name contains a full stop
 * @see checkHistory
 */
export function history(runId: string): History {
  const events: HistoryEvent[] = [];
  noStop('run', runId);
  return {
    runId,
    events,
    writer(name) {
      noStop('writer', name);
      let counter = -1;
      return () => `${runId}.${name}.${(counter += 1)}`;
    },
    attempted: (id) => void events.push({ type: 'attempted', id }),
    confirmed: (id) => void events.push({ type: 'confirmed', id }),
    refused: (id) => void events.push({ type: 'refused', id }),
    unknown: (id) => void events.push({ type: 'unknown', id }),
    delivered: (id, { attempt = 1, bytes = 0, position, partition } = {}) =>
      void events.push({ type: 'delivered', id, attempt, bytes, position, partition }),
    settled: (id, outcome) => void events.push({ type: 'settled', id, outcome }),
    committed: (position, partition = '') => void events.push({ type: 'committed', position, partition }),
    drained: () => void events.push({ type: 'drained' }),
    check: () => checkHistory(events),
  };
}

const NAME: OptionRule = (value) =>
  typeof value === 'string' && value !== '' && !value.includes('.') ? undefined : 'expected a name without a full stop';

function noStop(what: string, name: string): void {
  checkArgument('history', what, name, NAME);
}
