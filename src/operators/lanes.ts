import { Ring } from '../connection/ring.js';
import type { Envelope } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import type { Parked } from '../message/settler.js';

/** What lanes need of the stage they are in. */
export interface LaneHost<T> {
  readonly keyOf: (message: Message<T>) => string | undefined;
  /** How many messages one lane may hold. Missing: a quarter of the source's credit. */
  readonly credit: number | undefined;
  /** A message that waited has become the first of its lane. */
  go(message: Message<T>): void;
  /** Runs work in a turn of its own. */
  defer(work: () => void): void;
}

/** One message behind another one of its key. */
interface Entry<T> {
  /** Missing while it is put aside. */
  message: Message<T> | undefined;
  parked: Parked | undefined;
  /** Put aside and asked for: its lane has room for it. */
  wanted: boolean;
  /** Put aside and then lost by its source: it comes again by itself. */
  gone: boolean;
}

/** The messages of one key: the one at work, and behind it those that wait, in their order. */
interface Lane<T> {
  readonly key: string;
  /** Made with the first message that has to wait. */
  queue: Ring<Entry<T>> | undefined;
  /** The entries of the queue that were put aside and not asked for yet. */
  aside: Ring<Entry<T>> | undefined;
  isAtWork: boolean;
  /** Messages that count against the credit: at work, waiting here, or asked for. */
  held: number;
  /** Entries that are put aside, asked for or not. */
  away: number;
  /** How many it may hold, as it stood at the last arrival. */
  credit: number;
}

/**
 * Order per key without groups: a lane exists while it holds a message, and only its first is let through. What a lane
 * cannot hold within its share of the credit is put aside at the source, which emits it again once the lane has room: so
 * a key that is slow, or never done, leaves the credit to the others. Lanes that fall idle are forgotten, so the number
 * of keys ever seen costs nothing.
 *
 * A source that cannot put aside, or has no room left for it, makes the lane hold more: order goes before share.
 *
 * @internal
 */
export class Lanes<T> {
  private readonly host: LaneHost<T>;
  private readonly lanes = new Map<string, Lane<T>>();
  private readonly atWork = new Map<Message<T>, Lane<T>>();

  constructor(host: LaneHost<T>) {
    this.host = host;
  }

  get size(): number {
    return this.lanes.size;
  }

  /** True when the message may go on now; otherwise it waits for the ones before it. */
  enter(message: Message<T>): boolean {
    const key = this.host.keyOf(message);
    if (key === undefined) return true;
    const lane = this.lanes.get(key);
    if (lane === undefined) {
      this.open(key, message);
      return true;
    }
    const entry: Entry<T> = { message, parked: undefined, wanted: false, gone: false };
    lane.credit = this.creditOf(message);
    if ((lane.away === 0 && lane.held < lane.credit) || !this.park(lane, entry)) lane.held += 1;
    (lane.queue ??= new Ring()).push(entry);
    return false;
  }

  /** The message is done; returns the one that may go on now. */
  leave(message: Message<T>): Message<T> | undefined {
    const lane = this.atWork.get(message);
    if (lane === undefined) return undefined;
    this.atWork.delete(message);
    lane.isAtWork = false;
    lane.held -= 1;
    return this.advance(lane);
  }

  /** Forgets all lanes; returns what waited in them. What was put aside goes back to its source. */
  clear(): Message<T>[] {
    const entries = [...this.lanes.values()].flatMap((lane) => lane.queue?.clear() ?? []);
    this.lanes.clear();
    this.atWork.clear();
    for (const entry of entries) entry.parked?.release();
    return entries.flatMap(({ message }) => message ?? []);
  }

  private open(key: string, message: Message<T>): void {
    const lane: Lane<T> = { key, queue: undefined, aside: undefined, isAtWork: true, held: 1, away: 0, credit: 1 };
    this.lanes.set(key, lane);
    this.atWork.set(message, lane);
  }

  private creditOf(message: Message<T>): number {
    const { credit } = this.host;
    return credit ?? Math.max(1, Math.floor((message as Envelope<T>).root.settler.limit() / 4));
  }

  private park(lane: Lane<T>, entry: Entry<T>): boolean {
    const envelope = entry.message as Envelope<T>;
    const { root } = envelope;
    entry.parked = root.settler.park?.(root, {
      back: (fresh) => {
        lane.away -= 1;
        entry.parked = undefined;
        entry.message = envelope.onto(fresh);
        this.resume(lane);
      },
      gone: () => {
        // Nothing may start while a source is being stopped or has just lost its link.
        lane.away -= 1;
        if (entry.wanted) lane.held -= 1;
        entry.parked = undefined;
        entry.gone = true;
        this.host.defer(() => this.resume(lane));
      },
    });
    if (entry.parked === undefined) return false;
    entry.message = undefined;
    lane.away += 1;
    (lane.aside ??= new Ring()).push(entry);
    return true;
  }

  private resume(lane: Lane<T>): void {
    if (lane.isAtWork || this.lanes.get(lane.key) !== lane) return;
    const next = this.advance(lane);
    if (next !== undefined) this.host.go(next);
  }

  /** Lets the first of a lane through when it is there, and asks for what the lane now has room for. */
  private advance(lane: Lane<T>): Message<T> | undefined {
    const { queue } = lane;
    while (queue?.peek()?.gone === true) queue.shift();
    const first = queue?.peek();
    if (first === undefined) {
      this.lanes.delete(lane.key);
      return undefined;
    }
    const { message } = first;
    if (message !== undefined) {
      queue?.shift();
      lane.isAtWork = true;
      this.atWork.set(message, lane);
    }
    this.fill(lane, message === undefined && !first.wanted);
    return message;
  }

  /** With `isIdle` the first is asked for whatever the lane holds: everything else waits behind it. */
  private fill(lane: Lane<T>, isIdle: boolean): void {
    let must = isIdle;
    while (must || lane.held < lane.credit) {
      const entry = lane.aside?.shift();
      if (entry === undefined) return;
      if (entry.gone) continue;
      must = false;
      lane.held += 1;
      entry.wanted = true;
      entry.parked?.bring();
    }
  }
}
