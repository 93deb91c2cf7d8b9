import type { Cancel, Clock } from '../clock.js';
import type { Envelope } from '../message/envelope.js';
import type { Later, Parked, ParkListener } from '../message/settler.js';
import { Ring } from './ring.js';

/** What a source does for the messages it has put aside. */
export interface ParkingHost {
  /** Hands one back to the far side. */
  giveBack(root: Envelope<unknown>): void;
  /** One is wanted: it is to be emitted as soon as there is credit. */
  wake(): void;
}

/**
 * Messages that were emitted, taken back and not yet handed to the far side: the ones a stage put aside until it has room
 * for them, and the ones to be handed back only after a while. They hold no credit; their number and bytes are bounded.
 *
 * @internal
 */
export class Parking {
  private readonly clock: Clock;
  private readonly host: ParkingHost;
  private readonly maxCount: number;
  private readonly maxBytes: number;
  private readonly spots = new Set<Spot>();
  /** The ones that are wanted, in the order they were asked for. */
  private readonly wanted = new Ring<Spot>();
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

  hasRoom(root: Envelope<unknown>): boolean {
    return this.spots.size < this.maxCount && (this.bytes === 0 || this.bytes + root.bytes <= this.maxBytes);
  }

  /** Puts a message aside until its listener wants it. */
  park(root: Envelope<unknown>, listener: ParkListener): Parked {
    const spot: Spot = { root, listener, cancel: undefined };
    this.enter(spot);
    let asked = false;
    return {
      bring: () => {
        if (asked || !this.spots.has(spot)) return;
        asked = true;
        this.wanted.push(spot);
        this.host.wake();
      },
      release: () => {
        if (this.leave(spot)) this.host.giveBack(root);
      },
    };
  }

  /** Hands a message back after `delayMs`. */
  delay(root: Envelope<unknown>, delayMs: number): void {
    const spot: Spot = { root, listener: undefined, cancel: undefined };
    this.enter(spot);
    spot.cancel = this.clock.timer(delayMs, () => {
      if (this.leave(spot)) this.host.giveBack(root);
      this.host.wake();
    });
  }

  /** The next message that is wanted; it stays here until {@link take}. */
  next(): Envelope<unknown> | undefined {
    for (let spot = this.wanted.peek(); spot !== undefined; spot = this.wanted.peek()) {
      if (this.spots.has(spot)) return spot.root;
      this.wanted.shift();
    }
    return undefined;
  }

  /** Takes out what {@link next} showed; gives who wanted it. */
  take(): ParkListener {
    const spot = this.wanted.shift() as Spot;
    this.leave(spot);
    return spot.listener as ParkListener;
  }

  /**
   * Empties it; gives how many it held. With `handBack` the far side gets its messages, otherwise they are lost with the
   * connection.
   */
  clear(handBack: boolean): number {
    const count = this.spots.size;
    for (const spot of [...this.spots]) {
      if (!this.leave(spot)) continue;
      if (handBack) this.host.giveBack(spot.root);
      spot.listener?.gone();
    }
    this.wanted.clear();
    return count;
  }

  private enter(spot: Spot): void {
    this.spots.add(spot);
    this.bytes += spot.root.bytes;
  }

  private leave(spot: Spot): boolean {
    if (!this.spots.delete(spot)) return false;
    this.bytes -= spot.root.bytes;
    spot.cancel?.();
    return true;
  }
}

interface Spot {
  readonly root: Envelope<unknown>;
  /** Missing for one that only waits to be handed back. */
  readonly listener: ParkListener | undefined;
  cancel: Cancel | undefined;
}

/** True for the reason of a delayed `release`. */
export function isLater(reason: unknown): reason is Later {
  return typeof reason === 'object' && reason !== null && typeof (reason as Partial<Later>).delayMs === 'number';
}
