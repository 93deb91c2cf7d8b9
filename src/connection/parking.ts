import type { Cancel, Clock } from '../clock.js';
import type { Envelope } from '../message/envelope.js';
import type { Later, Parked, ParkListener } from '../message/settler.js';
import { Ring } from './ring.js';

/** What a source does for the messages it has put aside. */
export interface ParkingHost {
  /** Hands one back to the far side. */
  giveBack(root: Envelope<unknown>): void;
  /** One is wanted. */
  wake(): void;
}

/**
 * Messages that were emitted and hold no credit for now: the ones that wait in a stage behind others, and the ones to be
 * handed back only after a while. A source takes nothing new while it is full, so it holds at most the credit more than
 * its bounds say.
 *
 * @internal
 */
export class Parking {
  private readonly clock: Clock;
  private readonly host: ParkingHost;
  private readonly maxCount: number;
  private readonly maxBytes: number;
  private readonly spots = new Map<Envelope<unknown>, Spot>();
  /** The ones that are asked for, in the order they were. */
  private readonly wanted = new Ring<Spot>();
  /** The most that were unsettled, or could be, when one of these was put aside. */
  private widest = 0;
  /** Some are of use only with others, which hold their credit meanwhile. */
  private hasGroups = false;
  private bytes = 0;

  constructor(clock: Clock, maxCount: number, maxBytes: number, host: ParkingHost) {
    this.clock = clock;
    this.maxCount = maxCount;
    this.maxBytes = maxBytes;
    this.host = host;
  }

  get size(): number {
    return this.spots.size;
  }

  get isFull(): boolean {
    return this.spots.size > 0 && (this.spots.size >= this.maxCount || this.bytes >= this.maxBytes);
  }

  roots(): Envelope<unknown>[] {
    return [...this.spots.keys()];
  }

  /** Puts a message aside until it is asked for. */
  park(root: Envelope<unknown>, listener: ParkListener, most: number): Parked {
    if (this.spots.size === 0) this.hasGroups = false;
    this.widest = this.spots.size === 0 ? most : Math.max(most, this.widest);
    const spot = new Spot(root, listener, this);
    this.enter(spot);
    return spot;
  }

  /** Hands a settled message back later, where its reason asks for that and there is a place; false where not. */
  delay(root: Envelope<unknown>, reason: unknown): boolean {
    if (!isLater(reason) || this.isFull) return false;
    const spot = new Spot(root, undefined, this);
    this.enter(spot);
    spot.cancel = this.clock.timer(reason.delayMs, () => {
      this.leave(spot);
      this.host.giveBack(root);
    });
    return true;
  }

  /** True when there is one that is asked for; {@link take} gives it. */
  get isWanted(): boolean {
    return this.wanted.length > 0 && this.skipToWanted();
  }

  private skipToWanted(): boolean {
    for (let spot = this.wanted.peek(); spot !== undefined; spot = this.wanted.peek()) {
      if (this.spots.get(spot.root) === spot) return true;
      this.wanted.shift();
    }
    return false;
  }

  /**
   * How many may be unsettled for what is asked for, where `window` may otherwise. A batch whose credit was lowered below its
   * size while it waited gets that which it had: otherwise it would wait for itself. At 0 nothing moves.
   */
  windowFor(window: number): number {
    return this.hasGroups && window > 0 ? Math.max(window, this.widest) : window;
  }

  /** Takes out the first that is asked for. Only after {@link isWanted}. */
  take(): Spot {
    const spot = this.wanted.shift() as Spot;
    this.leave(spot);
    return spot;
  }

  /** It was settled where it waits. */
  drop(root: Envelope<unknown>): void {
    const spot = this.spots.get(root);
    if (spot === undefined) return;
    this.leave(spot);
    spot.listener?.gone();
  }

  /** Hands back now what was to be handed back later. */
  hurry(): void {
    const delayed = [...this.spots.values()].filter(({ listener }) => listener === undefined);
    for (const spot of delayed) if (this.leave(spot)) this.host.giveBack(spot.root);
  }

  /** Takes out all of them, or those whose position `isMeant` says; `end` says for each what becomes of it. */
  clear(end: (root: Envelope<unknown>) => void, isMeant: (position: unknown) => boolean = () => true): void {
    for (const spot of [...this.spots.values()]) {
      if (!isMeant(spot.root.position) || !this.leave(spot)) continue;
      end(spot.root);
      spot.listener?.gone();
    }
  }

  /** @internal */
  want(spot: Spot, withOthers: boolean): void {
    if (this.spots.get(spot.root) !== spot) return;
    this.hasGroups ||= withOthers;
    this.wanted.push(spot);
    this.host.wake();
  }

  private enter(spot: Spot): void {
    this.spots.set(spot.root, spot);
    this.bytes += spot.root.bytes;
  }

  private leave(spot: Spot): boolean {
    if (this.spots.get(spot.root) !== spot) return false;
    this.spots.delete(spot.root);
    this.bytes -= spot.root.bytes;
    spot.cancel?.();
    return true;
  }
}

/** One place in it. */
export class Spot implements Parked {
  readonly root: Envelope<unknown>;
  /** Missing for one that only waits to be handed back. */
  readonly listener: ParkListener | undefined;
  cancel: Cancel | undefined;
  private readonly parking: Parking;
  private isAskedFor = false;

  constructor(root: Envelope<unknown>, listener: ParkListener | undefined, parking: Parking) {
    this.root = root;
    this.listener = listener;
    this.parking = parking;
  }

  bring(withOthers: boolean = false): boolean {
    if (!this.isAskedFor) {
      this.isAskedFor = true;
      this.parking.want(this, withOthers);
    }
    return false;
  }
}

/** True for the reason of a delayed `release`. */
export function isLater(reason: unknown): reason is Later {
  return typeof reason === 'object' && reason !== null && typeof (reason as Partial<Later>).delayMs === 'number';
}
