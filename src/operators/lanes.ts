import { notLater } from '../connection/not-later.js';
import { Ring } from '../connection/ring.js';
import { type Envelope, handBack } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { joinedIn, limitBytes } from '../message/parts.js';
import { originsOf } from '../message/settlement.js';
import type { Parked, ParkListener } from '../message/settler.js';

/** What lanes need of the stage they are in. */
export interface LaneHost<T> {
  readonly keyOf: (message: Message<T>) => string | undefined;
  /** How many messages one lane may hold, members of batches counted. Missing: a quarter of the source's credit. */
  readonly credit: number | undefined;
  /** A message that waited has become the first of its lane. */
  go(message: Message<T>): void;
  /** Runs work in a turn of its own. */
  defer(work: () => void): void;
}

/**
 * Order per key without groups: a lane exists while it holds a message, and only its first is let through. What a lane
 * cannot hold within its share of the credit waits without credit until the lane has room: so a key that is slow, or
 * never done, leaves the credit to the others. Lanes that fall idle are forgotten, so the number of keys ever seen costs
 * nothing.
 *
 * In a lane nothing that holds credit waits behind something that does not. So whatever holds credit gets on, and what
 * waits for credit gets it. A batch weighs as much as it has members; a lane may always hold its first, whatever it weighs.
 * The share is one of the bytes as well: few large messages use up a source as many do.
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
    const key = notLater(this.host.keyOf(message), 'The function of lane', 'Work the key out in each before it.');
    if (key === undefined) return true;
    const weight = weightOf(message);
    const bytes = bytesOf(message);
    const lane = this.lanes.get(key);
    if (lane === undefined) {
      const opened = new Lane<T>(key);
      this.lanes.set(key, opened);
      opened.held = weight;
      opened.bytes = bytes;
      this.begin(opened, message);
      return true;
    }
    lane.credit = this.creditOf(message);
    lane.creditBytes = limitBytes(message) / 4;
    if (lane.aside.length === 0 && lane.hasRoom(weight, bytes)) {
      lane.held += weight;
      lane.bytes += bytes;
      lane.here.push(message);
    } else lane.aside.push(new Aside(message, weight, bytes, lane, this));
    return false;
  }

  /** The message is done; returns the one that may go on now. */
  leave(message: Message<T>): Message<T> | undefined {
    const lane = this.atWork.get(message);
    if (lane === undefined) return undefined;
    this.atWork.delete(message);
    lane.isAtWork = false;
    lane.held -= weightOf(message);
    lane.bytes -= bytesOf(message);
    return this.advance(lane);
  }

  /** Forgets all lanes; returns what waited in them. */
  clear(): Message<T>[] {
    const waiting: Message<T>[] = [];
    for (const { here, aside } of this.lanes.values()) {
      waiting.push(...here.clear());
      for (const entry of aside.clear()) {
        if (entry.isGone) continue;
        entry.isGone = true;
        waiting.push(entry.message);
      }
    }
    this.lanes.clear();
    this.atWork.clear();
    return waiting;
  }

  /** The first that was aside has credit again. @internal */
  back(lane: Lane<T>): void {
    lane.isAsked = false;
    lane.here.push((lane.aside.shift() as Aside<T>).message);
    this.resume(lane);
  }

  /** One that was aside will not come back. Nothing may start now: its source is being stopped, or has lost its link. @internal */
  gone(lane: Lane<T>): void {
    this.host.defer(() => this.resume(lane));
  }

  private begin(lane: Lane<T>, message: Message<T>): void {
    lane.isAtWork = true;
    this.atWork.set(message, lane);
  }

  private creditOf(message: Message<T>): number {
    const { credit } = this.host;
    return credit ?? Math.max(1, Math.floor((message as Envelope<T>).root.settler.limit() / 4));
  }

  private resume(lane: Lane<T>): void {
    if (this.lanes.get(lane.key) !== lane) return;
    if (lane.isAtWork) this.fill(lane);
    else {
      const next = this.advance(lane);
      if (next !== undefined) this.host.go(next);
    }
  }

  /** Lets the first of a lane through when it has credit, and asks for what the lane now has room for. */
  private advance(lane: Lane<T>): Message<T> | undefined {
    if (lane.here.length === 0) this.fill(lane);
    const next = lane.here.shift();
    if (next !== undefined) this.begin(lane, next);
    else if (lane.aside.length === 0) this.lanes.delete(lane.key);
    this.fill(lane);
    return next;
  }

  /** One after the other, so that they come back in their order. An idle lane may always have its first. */
  private fill(lane: Lane<T>): void {
    const { aside, here } = lane;
    for (let first = aside.peek(); first !== undefined && !lane.isAsked; first = aside.peek()) {
      if (first.isGone) {
        aside.shift();
        continue;
      }
      if (!lane.hasRoom(first.weight, first.bytes)) return;
      lane.held += first.weight;
      lane.bytes += first.bytes;
      if (first.bring()) {
        aside.shift();
        here.push(first.message);
      } else lane.isAsked = true;
    }
  }
}

/** The messages of one key, in their order: the one at work, those that wait here, those that wait without credit. */
class Lane<T> {
  readonly key: string;
  readonly here: Ring<Message<T>> = new Ring();
  readonly aside: Ring<Aside<T>> = new Ring();
  isAtWork = false;
  /** The first that is aside is asked for. */
  isAsked = false;
  /** How many it may hold, as it stood at the last arrival. */
  credit = 1;
  creditBytes: number = Infinity;
  /** What counts against that: the one at work, those that wait here, the one that is asked for. */
  held = 0;
  bytes = 0;

  constructor(key: string) {
    this.key = key;
  }

  hasRoom(weight: number, bytes: number): boolean {
    return this.held === 0 || (this.held + weight <= this.credit && this.bytes + bytes <= this.creditBytes);
  }
}

/** A message that waits without credit, or with it when its source could not let it. */
class Aside<T> implements ParkListener {
  readonly message: Message<T>;
  readonly weight: number;
  readonly bytes: number;
  isGone = false;
  private readonly lane: Lane<T>;
  private readonly lanes: Lanes<T>;
  private readonly parked: Parked | undefined;

  constructor(message: Message<T>, weight: number, bytes: number, lane: Lane<T>, lanes: Lanes<T>) {
    this.message = message;
    this.weight = weight;
    this.bytes = bytes;
    this.lane = lane;
    this.lanes = lanes;
    const { root } = message as Envelope<T>;
    this.parked = root.settler.park?.(root, this);
  }

  /** True when it has credit now. */
  bring(): boolean {
    return this.parked === undefined || this.parked.bring();
  }

  back(): void {
    if (!this.isGone) this.lanes.back(this.lane);
  }

  gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    if (this.lane.isAsked && this.lane.aside.peek() === this) {
      this.lane.isAsked = false;
      this.lane.held -= this.weight;
      this.lane.bytes -= this.bytes;
    }
    handBack(this.message);
    this.lanes.gone(this.lane);
  }
}

function weightOf(message: Message<unknown>): number {
  return joinedIn(message) === undefined ? 1 : originsOf(message).size;
}

function bytesOf(message: Message<unknown>): number {
  if (joinedIn(message) === undefined) return (message as Envelope<unknown>).root.bytes;
  let bytes = 0;
  for (const origin of originsOf(message)) bytes += origin.bytes;
  return bytes;
}
