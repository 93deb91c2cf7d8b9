import { Buffer } from 'node:buffer';
import type { Cancel } from '../clock.js';
import type { Sending, Writer, WriterContext } from '../connection/define-sink.js';
import { SluiceError, toSluiceError } from '../errors.js';
import { fileError } from '../links/file.js';
import type { Message } from '../message/message.js';
import type { FileSync } from './file-sync.js';
import { FileTarget, type TargetPlan } from './file-target.js';

/** The options of a file sink made whole. */
export interface WriterPlan<T> extends TargetPlan {
  readonly sync: FileSync;
  /** The bytes or text of a record, its end included. */
  record(message: Message<T>): Uint8Array | string;
  readonly maxBytes: number;
  readonly everyMs: number;
  /** What becomes of records that have no room. */
  readonly onFull: 'nack' | 'wait';
}

/** A group stops growing here; the rest waits in the kit's queue. */
const GROUP_BYTES = 1024 * 1024;
/** How long a full disk is left alone. */
const FULL_MS = 1000;

/** Records that are written and forced to disk together. */
class Group<T> {
  readonly sendings: Sending<T>[] = [];
  /** Where each record ends. */
  readonly ends: number[] = [];
  bytes: Buffer = Buffer.allocUnsafe(64 * 1024);
  used = 0;

  add(sending: Sending<T>, record: Uint8Array | string): void {
    const isText = typeof record === 'string';
    // Three bytes per UTF-16 unit are enough for any text, and asking for less would mean going through it twice.
    this.reserve(isText ? record.length * 3 : record.length);
    if (isText) this.used += this.bytes.write(record, this.used);
    else {
      this.bytes.set(record, this.used);
      this.used += record.length;
    }
    this.sendings.push(sending);
    this.ends.push(this.used);
  }

  clear(): void {
    this.sendings.length = 0;
    this.ends.length = 0;
    this.used = 0;
  }

  private reserve(more: number): void {
    const needed = this.used + more;
    if (needed <= this.bytes.length) return;
    const wider = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(wider, 0, 0, this.used);
    this.bytes = wider;
  }
}

/**
 * Appends in groups: what comes while the disk works is the next group. One write and one sync per group, however many
 * records it has, and no promise per record.
 *
 * @internal
 */
export class FileWriter<T> implements Writer<T> {
  private readonly plan: WriterPlan<T>;
  private readonly context: WriterContext;
  private target: FileTarget;
  /** Collects while the other one is being written. */
  private group = new Group<T>();
  private other = new Group<T>();
  private work: Promise<void> | undefined;
  private scheduled = false;
  private paused = false;
  /** Written but not forced to disk yet. */
  private unsynced: Sending<T>[] = [];
  private cancelSync: Cancel | undefined;
  /** Ends the wait for room. */
  private endWait: Cancel | undefined;
  /** When the file was begun, which may be long before this. */
  private begunMs: number;
  /** Nothing more comes: no use waiting for company. */
  private flushing = false;
  private over = false;

  constructor(plan: WriterPlan<T>, context: WriterContext, target: FileTarget) {
    this.plan = plan;
    this.context = context;
    this.target = target;
    this.begunMs = this.begunAt(target);
  }

  send(sending: Sending<T>): boolean {
    let record: Uint8Array | string;
    try {
      record = this.plan.record(sending.message);
    } catch (error) {
      sending.fail(toSluiceError(error, 'ENCODE_FAILED', 'The record could not be made'), 'dead');
      return !this.paused;
    }
    this.group.add(sending, record);
    this.schedule();
    this.paused = this.group.used >= GROUP_BYTES;
    return !this.paused;
  }

  flush(): void {
    this.flushing = true;
    if (this.unsynced.length > 0) this.begin(() => this.syncNow());
  }

  async close(): Promise<void> {
    this.over = true;
    this.cancelSync?.();
    this.endWait?.();
    await this.work;
    await this.target.close();
  }

  /** After this turn, so that all that comes in it is one group. */
  private schedule(): void {
    if (this.scheduled || this.work !== undefined) return;
    this.scheduled = true;
    this.context.clock.defer(() => {
      this.scheduled = false;
      this.begin(() => this.writeGroup());
    });
  }

  private begin(step: () => Promise<void>): void {
    if (this.over) return;
    if (this.work !== undefined) {
      void this.work.then(() => this.begin(step));
      return;
    }
    this.work = step().then(
      () => this.done(),
      (error: unknown) => {
        this.work = undefined;
        this.over = true;
        this.context.lost(fileError(error, this.plan.path));
      },
    );
  }

  private done(): void {
    this.work = undefined;
    if (this.group.sendings.length > 0) this.schedule();
  }

  private async writeGroup(): Promise<void> {
    const group = this.group;
    if (group.sendings.length === 0) return;
    this.group = this.other;
    this.other = group;
    if (this.paused) {
      this.paused = false;
      this.context.resume();
    }
    try {
      await this.place();
      for (let from = 0; from < group.sendings.length;) from = await this.writeSome(group, from);
    } finally {
      group.clear();
    }
  }

  /** Somebody moved or removed the file: what goes into it now would not be found. */
  private async place(): Promise<void> {
    if (await this.target.isInPlace()) return;
    await this.syncNow();
    await this.target.close();
    this.use(await FileTarget.open(this.plan));
  }

  private use(target: FileTarget): void {
    this.target = target;
    this.begunMs = this.begunAt(target);
  }

  /** By the clock that does not jump. A process that is often begun anew would never see the day on which a file is old. */
  private begunAt(target: FileTarget): number {
    const { clock } = this.context;
    return clock.elapsed() - target.ageMs(clock.now());
  }

  /** Writes the records from `from` on that belong together, and says where the next ones begin. */
  private async writeSome(group: Group<T>, from: number): Promise<number> {
    await this.rotateIfDue((group.ends[from] as number) - startOf(group, from));
    const to = this.lastThatFits(group, from);
    const sendings = group.sendings.slice(from, to);
    const full = await this.append(group.bytes.subarray(startOf(group, from), startOf(group, to)));
    if (full === undefined) await this.confirm(sendings);
    else for (const sending of sendings) sending.fail(full);
    return to;
  }

  /** Appends all of it, once there is room if it may wait for that; gives the error when it may not. */
  private async append(bytes: Uint8Array): Promise<SluiceError | undefined> {
    for (let isBlocked = false; ; isBlocked = true) {
      try {
        await this.target.append(bytes);
        if (isBlocked) this.context.blocked(false);
        return undefined;
      } catch (error) {
        const failure = fileError(error, this.plan.path);
        // Without room the next record may fit again; anything else needs the file to be opened anew.
        if (failure.code !== 'FILE_FULL' || this.over) throw failure;
        if (this.plan.onFull === 'nack') return failure;
        this.context.blocked(true, failure);
        await new Promise<void>((resolve) => {
          const cancel = this.context.clock.timer(FULL_MS, resolve);
          this.endWait = () => {
            cancel();
            resolve();
          };
        });
      }
    }
  }

  private lastThatFits(group: Group<T>, from: number): number {
    if (this.plan.sync === 'every') return from + 1;
    const start = startOf(group, from);
    const room = this.plan.maxBytes - this.target.bytesWithHead;
    let to = from + 1;
    while (to < group.ends.length && (group.ends[to] as number) - start <= room) to += 1;
    return to;
  }

  private async rotateIfDue(next: number): Promise<void> {
    const { target, plan } = this;
    if (target.isEmpty) {
      this.begunMs = this.context.clock.elapsed();
      return;
    }
    const isFull = target.bytes + next > plan.maxBytes;
    if (!isFull && this.context.clock.elapsed() - this.begunMs < plan.everyMs) return;
    await this.syncNow();
    this.use(await target.rotate());
  }

  private async confirm(sendings: Sending<T>[]): Promise<void> {
    const { sync } = this.plan;
    if (typeof sync === 'object' && !this.flushing) {
      for (const sending of sendings) this.unsynced.push(sending);
      this.cancelSync ??= this.context.clock.timer(sync.everyMs, () => {
        this.cancelSync = undefined;
        this.begin(() => this.syncNow());
      });
      return;
    }
    if (sync !== 'never') await this.target.handle.datasync();
    for (const sending of sendings) sending.confirm();
  }

  private async syncNow(): Promise<void> {
    const { unsynced } = this;
    if (unsynced.length === 0) return;
    this.unsynced = [];
    this.cancelSync?.();
    this.cancelSync = undefined;
    await this.target.handle.datasync();
    if (await this.target.isDeleted()) {
      const text = `'${this.plan.path}' was deleted before what is in it was acked; it is written again.`;
      throw new SluiceError('FILE_FAILED', text, { retriable: true, details: { path: this.plan.path } });
    }
    for (const sending of unsynced) sending.confirm();
  }
}

function startOf(group: Group<unknown>, at: number): number {
  return at === 0 ? 0 : (group.ends[at - 1] as number);
}
