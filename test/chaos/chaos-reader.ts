import type { Flow, Message } from 'sluice';
import type { History } from 'sluice/testing';
import { settlements, type Settlements } from './settlements.js';

/** Somebody who reads until stopped. */
export interface ChaosReader {
  /** Deliveries, and the different messages among them. */
  readonly count: number;
  readonly distinct: number;
  /** Unsettled now. */
  readonly open: number;
  /** Messages that came again because the far side may not know that they were settled. */
  readonly forgotten: number;
  readonly doubt: Settlements['doubt'];
  stop(): Promise<void>;
}

const utf8 = new TextDecoder();

/**
 * Holds what it gets, as far as the window goes, and acks a random part of it in random order, turn by turn; `progressed` is
 * told each time.
 */
export function chaosReader(
  flow: Flow<Uint8Array>,
  seen: History,
  random: () => number,
  progressed: () => void,
): ChaosReader {
  const held: { readonly id: string; readonly message: Message<Uint8Array> }[] = [];
  const distinct = new Set<string>();
  const known = settlements();
  let forgotten = 0;
  let count = 0;
  let isDue = false;
  let failure: unknown;

  function settleSome(): void {
    isDue = false;
    // At least one, so that it ends; seldom all, so that the window stays in use.
    for (let left = 1 + Math.floor(random() * held.length); left > 0 && held.length > 0; left -= 1) {
      const at = Math.floor(random() * held.length);
      const one = held[at];
      const last = held.pop();
      if (one === undefined || last === undefined) return;
      if (one !== last) held[at] = last;
      if (!one.message.ack()) continue;
      seen.settled(one.id, 'ack');
      known.settled(one.id);
    }
    progressed();
    schedule();
  }
  function schedule(): void {
    if (isDue || held.length === 0) return;
    isDue = true;
    setImmediate(settleSome);
  }

  const subscription = flow.subscribe({
    next(message) {
      const { payload } = message;
      const end = payload.indexOf(32);
      const id = utf8.decode(end === -1 ? payload : payload.subarray(0, end));
      count += 1;
      if (known.isDoubtful(id)) forgotten += 1;
      distinct.add(id);
      seen.delivered(id, { attempt: message.attempt, bytes: payload.length, ...placeOf(message) });
      held.push({ id, message });
      schedule();
    },
    error: (error: unknown) => void (failure = error),
  });
  return {
    get count() {
      if (failure !== undefined) throw failure as Error;
      return count;
    },
    get distinct() {
      if (failure !== undefined) throw failure as Error;
      return distinct.size;
    },
    get open() {
      return held.length;
    },
    get forgotten() {
      return forgotten;
    },
    doubt: (fromMs) => known.doubt(fromMs),
    async stop() {
      subscription.unsubscribe();
      // What it held goes back with the end of the subscription.
      while (held.length > 0) await new Promise(setImmediate);
    },
  };
}

/** Where it stands in a log that is committed by position. */
function placeOf({ meta }: Message<Uint8Array>): { readonly partition?: string; readonly position?: number } {
  const { partition, offset } = (meta ?? {}) as { readonly partition?: number; readonly offset?: number };
  return partition === undefined || offset === undefined ? {} : { partition: String(partition), position: offset };
}
