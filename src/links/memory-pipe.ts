import type { Cancel, Clock } from '../clock.js';
import { Ring } from '../connection/ring.js';

interface Parcel {
  readonly dueMs: number;
  readonly work: () => void;
}

/**
 * One direction of a connection: what is passed in comes out in the same order, at once, after a delay, or not before
 * the pipe is let go.
 *
 * @internal
 */
export class MemoryPipe {
  /** Nothing is under way and nothing is in the way: callers may skip the pipe. */
  isClear = true;
  private readonly clock: Clock;
  private readonly parcels = new Ring<Parcel>();
  private held = false;
  private delayMs = 0;
  private jitterMs = 0;
  private cancelTimer: Cancel | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  pass(work: () => void): void {
    if (this.isClear) {
      work();
      return;
    }
    const { clock, delayMs, jitterMs } = this;
    const dueMs = clock.elapsed() + delayMs + (jitterMs > 0 ? clock.random() * jitterMs : 0);
    // One that is due before the one ahead of it waits behind it all the same.
    this.parcels.push({ dueMs, work });
    this.arm();
  }

  /** From now on everything takes so long, plus a random part up to `jitterMs`. */
  slow(delayMs: number, jitterMs: number): void {
    this.delayMs = delayMs;
    this.jitterMs = jitterMs;
    this.refresh();
  }

  /** Holds everything back, or lets it go. */
  hold(held: boolean): void {
    this.held = held;
    if (!held) this.flow();
    this.refresh();
  }

  /** What is under way is lost. */
  clear(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.parcels.clear();
    this.refresh();
  }

  private flow(): void {
    while (!this.held) {
      const next = this.parcels.peek();
      if (next === undefined || next.dueMs > this.clock.elapsed()) break;
      this.parcels.shift();
      next.work();
    }
    this.refresh();
    this.arm();
  }

  private arm(): void {
    const next = this.parcels.peek();
    if (next === undefined || this.held || this.cancelTimer !== undefined) return;
    this.cancelTimer = this.clock.timer(Math.max(0, next.dueMs - this.clock.elapsed()), () => {
      this.cancelTimer = undefined;
      this.flow();
    });
  }

  private refresh(): void {
    this.isClear = !this.held && this.delayMs === 0 && this.jitterMs === 0 && this.parcels.length === 0;
  }
}
