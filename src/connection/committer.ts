import type { Cancel, Clock } from '../clock.js';
import { isThenable } from './supervisor.js';

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

  /** More is settled than before. */
  advanced(): void {
    if (this.saving !== undefined || this.closed) return;
    if (this.reader.passed() - this.savedCount >= this.least) this.save();
    else this.later();
  }

  /** Nothing more is read before a save. One that has failed is tried again as always. */
  awaited(): void {
    if (this.closed) return;
    this.isAwaited = true;
    if (this.saving === undefined && !this.hasFailed) this.save();
  }

  /** Tries again what failed, after the interval. */
  later(): void {
    if (this.closed) return;
    this.cancelTimer ??= this.plan.clock.timer(this.plan.intervalMs, () => {
      this.cancelTimer = undefined;
      if (this.saving === undefined) this.save();
    });
  }

  /** Saves now what is settled. */
  async flush(): Promise<void> {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    while (this.saving !== undefined) await this.saving;
    const passed = this.reader.passed();
    if (passed === this.savedCount) return;
    await this.plan.save(this.reader.position());
    this.hasFailed = false;
    this.savedCount = Math.max(this.savedCount, passed);
  }

  /** Saves what is left, and tries no more. */
  async close(): Promise<void> {
    this.closed = true;
    await this.flush();
    this.cancelTimer?.();
  }

  private save(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.hasFailed = false;
    const passed = this.reader.passed();
    const saving = this.plan.save(this.reader.position());
    if (!isThenable(saving)) {
      this.savedCount = passed;
      this.reader.saved();
      return;
    }
    this.saving = saving.then(
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
        this.reader.failed(error);
      },
    );
  }
}
