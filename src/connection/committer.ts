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

/**
 * Saves up to where everything is settled, one save at a time, for transports that are told a position: files and logs. It
 * begins when half of what may be unsaved has come together, so that reading goes on while the far side works.
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
  private saving: PromiseLike<void> | undefined;
  private cancelTimer: Cancel | undefined;
  private closed = false;

  constructor(plan: CommitPlan<P>, reader: Committed<P>) {
    this.plan = plan;
    this.reader = reader;
    this.half = Math.ceil(plan.every / 2);
  }

  /** More is settled than before. */
  advanced(): void {
    if (this.saving !== undefined || this.closed) return;
    if (this.reader.passed() - this.savedCount >= this.half) this.save();
    else this.later();
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
        this.savedCount = Math.max(this.savedCount, passed);
        this.reader.saved();
        if (this.reader.passed() > passed) this.advanced();
      },
      (error: unknown) => {
        this.saving = undefined;
        this.reader.failed(error);
      },
    );
  }
}
