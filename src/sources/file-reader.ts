import { Committer } from '../connection/committer.js';
import type { Reader, ReaderContext } from '../connection/define-source.js';
import { KEPT_BYTES } from '../connection/oversized.js';
import { Prefix } from '../connection/prefix.js';
import { isSluiceError, type SluiceError } from '../errors.js';
import type { SplitRecord, Splitter } from '../mappers/codec.js';
import type { Envelope } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import type { Outcome } from '../message/settlement.js';
import { report } from '../observability/observe.js';
import type { FileOffset, OffsetStore } from './file-offsets.js';
import type { FileMeta } from './file-record.js';
import { Retries } from './file-retries.js';
import type { TrackedFile } from './file-tracked.js';
import { FileWalk, type FileStart, type WalkPlan } from './file-walk.js';

/** The options of a file source made whole. */
export interface FilePlan<T> extends WalkPlan<T> {
  readonly store: OffsetStore;
  /** `start` from when the file was found missing: what a later one has is all new. */
  from: 'start' | 'end';
  readonly commitEvery: number;
  readonly commitIntervalMs: number;
  readonly requeueDelayMs: number;
}

/** From where on the records belong to a file. */
interface Stretch {
  readonly ticket: number;
  readonly file: TrackedFile;
}

/** While this much of the file is unsettled or in between, payloads may keep the chunk they were cut from. */
const PINNED_BYTES = 8 * 1024 * 1024;

/**
 * Hands over the records of a walk as credit allows, delivers again what was given back, and knows up to where all is
 * settled.
 *
 * @internal
 */
export class FileReader<T> implements Reader {
  private readonly plan: FilePlan<T>;
  private readonly context: ReaderContext<T>;
  private readonly walk: FileWalk<T>;
  private readonly prefix = new Prefix<FileMeta>();
  private readonly commits: Committer<FileOffset>;
  private readonly retries: Retries<T>;
  /** The files that unsettled records belong to, and the one that is read. */
  private readonly stretches: Stretch[] = [];
  private settledCount = 0;

  constructor(plan: FilePlan<T>, context: ReaderContext<T>, start: FileStart, splitter: Splitter<T>) {
    const { clock } = context;
    const wake = (): void => context.wake();
    this.plan = plan;
    this.context = context;
    this.retries = new Retries(clock, wake);
    const host = {
      clock,
      wake,
      end: () => context.end(),
      lost: (error: unknown) => context.lost(error),
      began: (file: TrackedFile) => this.began(file),
    };
    this.walk = new FileWalk(plan, host, start, splitter);
    this.began(start.file);
    const { store, commitEvery: every, commitIntervalMs: intervalMs } = plan;
    this.commits = new Committer(
      { save: (offset) => store.save(offset), clock, every, intervalMs },
      {
        position: () => this.offset(),
        passed: () => this.prefix.passed,
        saved: wake,
        failed: (error) => this.saveFailed(error),
      },
    );
  }

  resume(): void {
    const { context, retries } = this;
    while (context.ready) {
      // Nothing else is delivered before what was given back: the file stays in order, and what waits stays bounded.
      if (!retries.isEmpty) {
        if (!this.retry()) return;
        continue;
      }
      // What is settled but not saved comes again after a crash: there is never more of it than was asked for.
      if (this.settledCount - this.commits.savedCount >= this.plan.commitEvery) return;
      const record = this.walk.next();
      if (record === undefined) {
        this.walk.more();
        return;
      }
      this.hand(record);
    }
  }

  peek(): void {
    if (!this.plan.follow && this.retries.isEmpty && this.walk.peek() === undefined) this.walk.more();
  }

  settle(position: unknown, outcome: Outcome, _reason: unknown, message: Message<unknown> | undefined): void {
    // Without a message it was never emitted, and stays unsettled in the file.
    if (message === undefined) return;
    if (outcome === 'requeue' || outcome === 'release') {
      this.again(message as Envelope<unknown>, outcome === 'requeue');
      return;
    }
    this.settledCount += 1;
    if (!this.prefix.settle(position as number)) return;
    this.forgetFiles();
    this.commits.advanced();
  }

  stop(): void {
    this.walk.stop();
    this.retries.stop();
  }

  async close(): Promise<void> {
    this.stop();
    // Beside the last save: a store that never answers must not keep the file open.
    const closing = this.walk.close();
    closing.catch(() => undefined);
    await this.commits.close().catch(tellUnsaved);
    await closing;
  }

  /** What is settled is still known here, and reading waits once too much of it is unsaved: nothing has to come again. */
  private saveFailed(error: unknown): void {
    if (isSluiceError(error) && !error.retriable) {
      this.context.lost(error);
      return;
    }
    tellUnsaved(error);
    this.commits.later();
  }

  private hand(record: SplitRecord<T>): void {
    const { context, plan } = this;
    const { offset, line } = record;
    const meta: FileMeta = { path: this.walk.file.path, line, offset, bytes: record.nextOffset - offset };
    const position = this.prefix.push(meta);
    const { topic } = plan;
    if (record.error === undefined) {
      context.offer({ payload: this.unpinned(record.value), topic, bytes: meta.bytes, meta, position });
    } else {
      const payload = keptOf(record.bytes, record.error);
      context.refuse({ payload, topic, bytes: payload.length, meta, position }, record.error);
    }
  }

  /** Bytes cut from a chunk keep all of it in memory: while many chunks may be held, they are copied instead. */
  private unpinned(value: T): T {
    if (!(value instanceof Uint8Array)) return value;
    const { first } = this.prefix;
    if (first === undefined || this.walk.at - first.offset < PINNED_BYTES) return value;
    return new Uint8Array(value) as typeof value;
  }

  private again({ facts, payload, attempt }: Envelope<unknown>, isRetry: boolean): void {
    const delivery = { ...facts, payload: payload as T, attempt: attempt + (isRetry ? 1 : 0) };
    this.retries.add(delivery, isRetry ? this.plan.requeueDelayMs : 0);
  }

  /** False while nothing that was given back is due. */
  private retry(): boolean {
    const next = this.retries.take();
    if (next === undefined) return false;
    this.context.offer(next);
    return true;
  }

  private began(file: TrackedFile): void {
    this.stretches.push({ ticket: this.prefix.pushed, file });
    this.forgetFiles();
  }

  private forgetFiles(): void {
    while (this.stretches.length > 1 && (this.stretches[1] as Stretch).ticket <= this.prefix.passed) {
      this.stretches.shift();
    }
  }

  /** Up to where everything is settled. */
  private offset(): FileOffset {
    const { offset, line } = this.prefix.first ?? this.walk.place;
    return { file: (this.stretches[0] as Stretch).file.identity, offset, line };
  }
}

/** What no sink has to take is left where it is: the file has it. */
function keptOf(bytes: Uint8Array, { code }: SluiceError): Uint8Array {
  return code === 'PAYLOAD_TOO_LARGE' ? bytes.subarray(0, KEPT_BYTES) : bytes;
}

function tellUnsaved(reason: unknown): void {
  report({ type: 'stage.failed', stage: 'file offset', reason });
}
