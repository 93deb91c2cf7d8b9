import type { Cancel, Clock } from '../clock.js';
import type { Delivery } from '../connection/define-source.js';
import { Ring } from '../connection/ring.js';

interface Retry<T> {
  readonly delivery: Delivery<T>;
  readonly dueMs: number;
}

/**
 * The records to be delivered again, in the order they were given back, and the timer for the first of them.
 *
 * @internal
 */
export class Retries<T> {
  private readonly clock: Clock;
  private readonly wake: () => void;
  private readonly waiting = new Ring<Retry<T>>();
  private cancelTimer: Cancel | undefined;
  private stopped = false;

  constructor(clock: Clock, wake: () => void) {
    this.clock = clock;
    this.wake = wake;
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  add(delivery: Delivery<T>, delayMs: number): void {
    this.waiting.push({ delivery, dueMs: this.clock.elapsed() + delayMs });
    this.await();
  }

  /** The next one that is due. */
  take(): Delivery<T> | undefined {
    const next = this.waiting.peek();
    if (next === undefined) return undefined;
    if (next.dueMs <= this.clock.elapsed()) return this.waiting.shift()?.delivery;
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
