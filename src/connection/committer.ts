import type { Cancel, Clock } from '../clock.js';
import { isThenable } from './is-thenable.js';

/**
 * What a {@link Committer} has to know of its reader.
 *
 * @see Committer
 */
export interface Committed<P> {
  /** Up to where everything is settled now. */
  position(): P;
  /** How many messages that are, since the beginning. */
  passed(): number;
  /** A position was saved: there may be room again. */
  saved(): void;
  failed(error: unknown): void;
}

/**
 * When a position is saved, and where.
 *
 * @see Committer
 */
export interface CommitPlan<P> {
  save(position: P): void | PromiseLike<void>;
  readonly clock: Clock;
  /** After so many messages at the latest. */
  readonly every: number;
  /** After so long at the latest, in milliseconds. */
  readonly intervalMs: number;
}

/** How full a save is that reading would wait for: the rest of the room is for what is read while it is under way. */
const SHARE = 0.75;
/** The least between a save that failed and the next, however short the interval is. */
const FAILED_MS = 100;

/**
 * Saves up to where everything is settled, one save at a time, for transports that are told a position: files and logs. It
 * begins when half of what may be unsaved has come together, so that reading goes on while the far side works. Where
 * reading has to wait for saves nevertheless, fewer and larger ones are what lets it go on soonest.
 *
 * @example
 * import { systemClock } from 'sluice';
 * import { Committer, Prefix } from 'sluice/connection';
 * const settled = new Prefix<number>();
 * const plan = { save: (offset: number | undefined) => store(offset), clock: systemClock, every: 100, intervalMs: 1_000 };
 * const commits = new Committer<number | undefined>(plan, {
 *   position: () => settled.position,
 *   passed: () => settled.passed,
 *   saved: () => undefined, // there may be room again: read on
 *   failed: (error) => console.error(error),
 * });
 * @see Prefix
 */
export class Committer<P> {
  /** How many messages the saved position is past. */
  savedCount = 0;
  private readonly plan: CommitPlan<P>;
  private readonly reader: Committed<P>;
  private readonly half: number;
  /** With so many unsaved the next save begins. */
  private least: number;
  /** Reading waits for the save that is under way. */
  private isAwaited = false;
  /** The last save did. */
  private hasFailed = false;
  private saving: PromiseLike<void> | undefined;
  private cancelTimer: Cancel | undefined;
  private closed = false;

  constructor(plan: CommitPlan<P>, reader: Committed<P>) {
    this.plan = plan;
    this.reader = reader;
    this.half = Math.ceil(plan.every / 2);
    this.least = this.half;
  }

  /** More is settled than before. Where a save failed, it is not the next settlement that tries again. */
  advanced(): void {
    if (this.saving !== undefined || this.closed) return;
    if (!this.hasFailed && this.reader.passed() - this.savedCount >= this.least) void this.save();
    else this.later();
  }

  /** Nothing more is read before a save. One that has failed is tried again as always. */
  awaited(): void {
    if (this.closed) return;
    this.isAwaited = true;
    if (this.saving !== undefined) return;
    if (this.hasFailed) this.later();
    else void this.save();
  }

  /** Tries again what failed, after the interval. */
  later(): void {
    if (this.closed) return;
    const { clock, intervalMs } = this.plan;
    this.cancelTimer ??= clock.timer(this.hasFailed ? Math.max(FAILED_MS, intervalMs) : intervalMs, () => {
      this.cancelTimer = undefined;
      if (this.saving === undefined) void this.save();
    });
  }

  /** Saves now what is settled. Rejects when that fails; unless it is closed, it is tried again after the interval. */
  async flush(): Promise<void> {
    this.stopTimer();
    while (this.saving !== undefined) await this.saving;
    if (this.reader.passed() === this.savedCount) return;
    const failures: unknown[] = [];
    await this.save((error) => {
      failures.push(error);
      this.later();
    });
    if (failures.length > 0) throw failures[0];
  }

  /** Saves what is left, and tries no more. */
  async close(): Promise<void> {
    this.closed = true;
    await this.flush();
    this.stopTimer();
  }

  /** What it gives resolves when the save is over, whatever became of it. */
  private save(failed: (error: unknown) => void = (error) => this.reader.failed(error)): PromiseLike<void> | undefined {
    this.stopTimer();
    this.hasFailed = false;
    const passed = this.reader.passed();
    const saving = this.begin();
    if (saving === undefined) {
      this.savedCount = passed;
      this.reader.saved();
      return undefined;
    }
    return (this.saving = saving.then(
      () => {
        this.saving = undefined;
        // What was unsaved when reading stood still is what there was room for.
        this.least = this.isAwaited ? Math.ceil((this.reader.passed() - this.savedCount) * SHARE) : this.half;
        this.isAwaited = false;
        this.savedCount = Math.max(this.savedCount, passed);
        this.reader.saved();
        if (this.reader.passed() > passed) this.advanced();
      },
      (error: unknown) => {
        this.saving = undefined;
        this.hasFailed = true;
        failed(error);
      },
    ));
  }

  /** What is thrown is a save that failed: it may not reach whoever settled a message. */
  private begin(): PromiseLike<void> | undefined {
    try {
      const saving = this.plan.save(this.reader.position());
      return isThenable(saving) ? saving : undefined;
    } catch (error) {
      const failure = error as Error;
      return Promise.reject(failure);
    }
  }

  private stopTimer(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }
}
