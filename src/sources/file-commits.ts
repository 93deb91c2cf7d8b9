import type { Cancel, Clock } from '../clock.js';
import { isThenable } from '../connection/supervisor.js';
import type { FileOffset, OffsetStore } from './file-offsets.js';

/** What a committer has to know of its reader. */
export interface Committed {
  /** Up to where everything is settled now. */
  offset(): FileOffset;
  /** How many records that are. */
  passed(): number;
  /** An offset was saved: there may be room again. */
  saved(): void;
  failed(error: unknown): void;
}

/** When an offset is saved. */
export interface CommitPlan {
  readonly store: OffsetStore;
  readonly clock: Clock;
  /** After so many records at the latest. */
  readonly every: number;
  /** After so long at the latest. */
  readonly intervalMs: number;
}

/**
 * Saves the offset, one save at a time. It begins when half of what may be unsaved has come together, so that reading goes
 * on while the disk works.
 *
 * @internal
 */
export class Committer {
  /** How many records the saved offset is past. */
  savedCount = 0;
  private readonly plan: CommitPlan;
  private readonly reader: Committed;
  private readonly half: number;
  private saving: PromiseLike<void> | undefined;
  private cancelTimer: Cancel | undefined;
  private closed = false;

  constructor(plan: CommitPlan, reader: Committed) {
    this.plan = plan;
    this.reader = reader;
    this.half = Math.ceil(plan.every / 2);
  }

  /** More is settled than before. */
  advanced(): void {
    if (this.saving !== undefined || this.closed) return;
    if (this.reader.passed() - this.savedCount >= this.half) this.save();
    else {
      this.cancelTimer ??= this.plan.clock.timer(this.plan.intervalMs, () => {
        this.cancelTimer = undefined;
        if (this.saving === undefined) this.save();
      });
    }
  }

  /** Saves what is left, and tries no more. */
  async close(): Promise<void> {
    this.closed = true;
    this.cancelTimer?.();
    await this.saving;
    if (this.reader.passed() > this.savedCount) await this.plan.store.save(this.reader.offset());
  }

  private save(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    const passed = this.reader.passed();
    const saving = this.plan.store.save(this.reader.offset());
    if (!isThenable(saving)) {
      this.savedCount = passed;
      this.reader.saved();
      return;
    }
    this.saving = saving.then(
      () => {
        this.saving = undefined;
        this.savedCount = passed;
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
