import { checkArgument, type OptionRule } from '../options.js';
import type { HistoryEvent } from './history.js';

/**
 * Where in a writer's sequence its lost messages were: before all that arrived, between, or after.
 *
 * @see checkHistory
 */
export interface LossPlaces {
  readonly prefix: number;
  readonly middle: number;
  readonly postfix: number;
}

/** What {@link checkHistory} found. Lists hold ids, in the order they first appeared. */
export interface HistoryReport {
  /** False when the run says nothing, with the reason in `invalid`. */
  readonly valid: boolean;
  /** Empty when valid. */
  readonly invalid: string;
  readonly attempted: number;
  readonly confirmed: number;
  /** Different messages, each counted once. */
  readonly delivered: number;
  /** Confirmed, or once delivered, and not settled for good at the end. */
  readonly lost: readonly string[];
  /** Delivered and never attempted, or refused. */
  readonly unexpected: readonly string[];
  /** Delivered more than once, without having been requeued or handed back in between. */
  readonly duplicated: readonly string[];
  /** Deliveries beyond the first, those after a requeue left out. */
  readonly duplicates: number;
  /** Delivered although nobody could say whether they had been sent. */
  readonly recovered: readonly string[];
  /** First delivered after a later one of the same writer. */
  readonly disordered: readonly string[];
  /** By writer, only those with losses. */
  readonly losses: Readonly<Record<string, LossPlaces>>;
  /** Most messages, and most bytes, that were delivered and unsettled at one instant. */
  readonly maxInFlight: number;
  readonly maxInFlightBytes: number;
  /** Unsettled when a commit passed them. */
  readonly committedPast: readonly string[];
}

type Delivered = Extract<HistoryEvent, { type: 'delivered' }>;

const EVENTS: OptionRule = (value) => (Array.isArray(value) ? undefined : 'expected an array of events');

/** Everything that is known of one id. */
interface Fate {
  readonly id: string;
  attempted: boolean;
  confirmed: boolean;
  refused: boolean;
  unknown: boolean;
  deliveries: number;
  /** Deliveries that a requeue or release asked for. */
  askedAgain: number;
  /** The delivery that is unsettled now. */
  open: Delivered | undefined;
  done: boolean;
}

/**
 * Derives from a history what was lost, unexpected, doubled, recovered or out of order, the most in flight, and commits
 * that passed an unsettled message. A run that did not end with a full drain is invalid, not passed: what was not read
 * yet cannot be told from what was lost.
 *
 * @example
 * import { checkHistory } from 'sluice/testing';
 * const { valid, lost } = checkHistory([{ type: 'attempted', id: 'run.w.0' }, { type: 'drained' }]);
 * @throws SluiceError `CONFIG_INVALID` for what is no list of events
 * @see history
 */
export function checkHistory(events: readonly HistoryEvent[]): HistoryReport {
  checkArgument('checkHistory', 'events', events, EVENTS);
  const fates = new Map<string, Fate>();
  const open = new Map<string, Delivered>();
  const newest = new Map<string, number>();
  const disordered: string[] = [];
  const committedPast = new Set<string>();
  let inFlightBytes = 0;
  let maxInFlight = 0;
  let maxInFlightBytes = 0;

  function fateOf(id: string): Fate {
    let fate = fates.get(id);
    if (fate === undefined) {
      fate = {
        id,
        attempted: false,
        confirmed: false,
        refused: false,
        unknown: false,
        deliveries: 0,
        askedAgain: 0,
        open: undefined,
        done: false,
      };
      fates.set(id, fate);
    }
    return fate;
  }

  function close(fate: Fate): void {
    if (fate.open !== undefined) inFlightBytes -= fate.open.bytes;
    fate.open = undefined;
    open.delete(fate.id);
  }

  function deliver(event: Delivered): void {
    const fate = fateOf(event.id);
    fate.deliveries += 1;
    // Delivered again while it was open: its source lost the first delivery, there is only one to settle now.
    close(fate);
    fate.open = event;
    fate.done = false;
    open.set(event.id, event);
    inFlightBytes += event.bytes;
    maxInFlight = Math.max(maxInFlight, open.size);
    maxInFlightBytes = Math.max(maxInFlightBytes, inFlightBytes);
    if (fate.deliveries > 1) return;
    const { writer, counter } = partsOf(event.id);
    if (counter < (newest.get(writer) ?? -1)) disordered.push(event.id);
    else newest.set(writer, counter);
  }

  for (const event of events) {
    if (event.type === 'delivered') deliver(event);
    else if (event.type === 'settled') {
      const fate = fateOf(event.id);
      close(fate);
      if (event.outcome === 'requeue' || event.outcome === 'release') fate.askedAgain += 1;
      else fate.done = true;
    } else if (event.type === 'committed') {
      for (const delivery of open.values()) {
        const { partition = '', position = Infinity } = delivery;
        if (partition === event.partition && position < event.position) committedPast.add(delivery.id);
      }
    } else if (event.type !== 'drained') fateOf(event.id)[event.type] = true;
  }

  const all = [...fates.values()];
  const ids = (matching: (fate: Fate) => boolean): string[] => all.filter(matching).map((fate) => fate.id);
  const again = (fate: Fate): number => Math.max(0, fate.deliveries - 1 - fate.askedAgain);
  const lost = ids((fate) => (fate.confirmed || fate.deliveries > 0) && !fate.done);
  const invalid = reasonAgainst(events, open.size);
  return {
    valid: invalid === '',
    invalid,
    attempted: ids((fate) => fate.attempted).length,
    confirmed: ids((fate) => fate.confirmed).length,
    delivered: ids((fate) => fate.deliveries > 0).length,
    lost,
    unexpected: ids((fate) => fate.deliveries > 0 && (!fate.attempted || fate.refused)),
    duplicated: ids((fate) => again(fate) > 0),
    duplicates: all.reduce((sum, fate) => sum + again(fate), 0),
    recovered: ids((fate) => fate.deliveries > 0 && fate.unknown && !fate.confirmed),
    disordered,
    losses: lossesByWriter(
      lost,
      ids((fate) => fate.done && fate.deliveries > 0),
    ),
    maxInFlight,
    maxInFlightBytes,
    committedPast: [...committedPast],
  };
}

function reasonAgainst(events: readonly HistoryEvent[], openCount: number): string {
  if (events.at(-1)?.type !== 'drained') return 'The run did not end with a full drain.';
  if (openCount > 0) return `${openCount} messages were unsettled when the run was drained.`;
  return '';
}

function lossesByWriter(lost: readonly string[], arrived: readonly string[]): Record<string, LossPlaces> {
  const range = new Map<string, { first: number; last: number }>();
  for (const id of arrived) {
    const { writer, counter } = partsOf(id);
    const { first = counter, last = counter } = range.get(writer) ?? {};
    range.set(writer, { first: Math.min(first, counter), last: Math.max(last, counter) });
  }
  const losses: Record<string, { prefix: number; middle: number; postfix: number }> = {};
  for (const id of lost) {
    const { writer, counter } = partsOf(id);
    const places = (losses[writer] ??= { prefix: 0, middle: 0, postfix: 0 });
    const { first, last } = range.get(writer) ?? { first: Infinity, last: Infinity };
    if (counter < first) places.prefix += 1;
    else if (counter > last) places.postfix += 1;
    else places.middle += 1;
  }
  return losses;
}

/** The writer and the number of a message; another run's writer is another writer. */
function partsOf(id: string): { readonly writer: string; readonly counter: number } {
  const at = id.lastIndexOf('.');
  return { writer: id.slice(0, at), counter: Number(id.slice(at + 1)) };
}
