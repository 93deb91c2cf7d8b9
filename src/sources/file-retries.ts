import type { Cancel, Clock } from '../clock.js';
import type { Delivery } from '../connection/define-source.js';
import { Ring } from '../connection/ring.js';
import type { SluiceError } from '../errors.js';

/** A record that is delivered again. */
export interface Retry {
  readonly delivery: Delivery<unknown>;
  /** Why it has no payload, for a record that has none. */
  readonly refusedFor: SluiceError | undefined;
  readonly dueMs: number;
}

/**
 * The records to be delivered again, in the order they were given back, and the timer for the first of them.
 *
 * @internal
 */
export class Retries {
  private readonly clock: Clock;
  private readonly wake: () => void;
  private readonly waiting = new Ring<Retry>();
  private cancelTimer: Cancel | undefined;
  private stopped = false;

  constructor(clock: Clock, wake: () => void) {
    this.clock = clock;
    this.wake = wake;
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  add(delivery: Delivery<unknown>, refusedFor: SluiceError | undefined, delayMs: number): void {
    this.waiting.push({ delivery, refusedFor, dueMs: this.clock.elapsed() + delayMs });
    this.await();
  }

  /** The next one that is due. */
  take(): Retry | undefined {
    const next = this.waiting.peek();
    if (next === undefined) return undefined;
    if (next.dueMs <= this.clock.elapsed()) return this.waiting.shift();
    this.await();
    return undefined;
  }

  stop(): void {
    this.stopped = true;
    this.cancelTimer?.();
  }

  private await(): void {
    const next = this.waiting.peek();
    if (next === undefined || this.stopped || this.cancelTimer !== undefined) return;
    this.cancelTimer = this.clock.timer(Math.max(0, next.dueMs - this.clock.elapsed()), () => {
      this.cancelTimer = undefined;
      this.wake();
    });
  }
}
