import type { Observable } from 'rxjs';
import type { Cancel, Clock } from '../clock.js';
import { SluiceError, toSluiceError } from '../errors.js';
import type { Envelope } from '../message/envelope.js';
import type { Status } from '../observability/status.js';
import type { Overflow, SourceSettings } from './define-source.js';
import { Inbox } from './inbox.js';
import { Listeners } from './listeners.js';
import type { Parking } from './parking.js';
import { type Scope, type SourceCounts, type Unfinished, withScope } from './scope.js';
import { SourceReports } from './source-reports.js';
import { StallWatch } from './stall-watch.js';
import { StatusCell } from './status-cell.js';
import { type Runnable, type Trampoline, trampolineOf } from './trampoline.js';
import { Unsettled } from './unsettled.js';

/**
 * What a session answers about itself: its window, its counts, its status, who waits for it to wait. What moves is in the
 * session.
 *
 * @internal
 */
export abstract class SourceBase<T> implements Runnable {
  isDue = false;
  readonly connector: string;
  readonly clock: Clock;
  protected readonly settings: SourceSettings;
  protected readonly trampoline: Trampoline;
  private readonly scope: Scope | undefined;
  protected readonly cell: StatusCell;
  protected readonly reports: SourceReports;
  /** Offered beyond the credit: the rest of a chunk from a reader that could not stop at once. */
  protected readonly inbox: Inbox<T> = new Inbox<T>();
  protected readonly unsettledList: Unsettled = new Unsettled();
  protected readonly stalls: StallWatch;
  protected readonly waitingListeners: Listeners = new Listeners();
  /** A drain was asked for, and the reader brings what is left for it before its end. */
  protected leaving = false;
  /** How many may be unsettled now. */
  protected window: number;
  /** Since {@link ready} was last looked at nothing has asked for a turn. */
  private isSteady = false;
  /** What gave credit has completed: the window stays as it is. */
  private isCreditOver = false;
  /** What messages are stamped with; looked up once per turn, not once per message. */
  protected stampMs = 0;
  private ids = 0;
  private idPrefix: string | undefined;

  constructor(connector: string, settings: SourceSettings, clock: Clock, scope: Scope | undefined) {
    this.connector = connector;
    this.settings = settings;
    this.clock = clock;
    this.trampoline = trampolineOf(clock);
    this.scope = scope;
    this.cell = new StatusCell(connector);
    this.reports = new SourceReports(connector, clock, scope, this.unsettledList, () => this.parking.roots());
    this.stalls = new StallWatch({
      connector,
      clock,
      timeoutMs: settings.stallTimeoutMs,
      received: () => this.counts.emitted,
      isWanting: () => this.ready,
      degrade: (error) => this.cell.to(error === undefined ? 'connected' : 'degraded', error),
      lose: (error, isRepeated) => this.openAnew(error, isRepeated),
    });
    this.window = typeof settings.credit === 'number' ? settings.credit : 0;
  }

  /** True while a delivery would be emitted at once. Readers that can leave a message where it is look here first. */
  abstract readonly ready: boolean;
  /** What is open is of no use: opens another one, if need be over another connection. */
  protected abstract openAnew(error: SluiceError, withLink: boolean): void;

  /** What waits without credit. */
  protected abstract readonly parking: Parking;

  /** A turn of the trampoline. */
  abstract run(): void;

  /** There may be something to emit, or something new that forbids it: a turn is due. */
  wake(): void {
    this.isSteady = false;
    this.trampoline.schedule(this);
  }

  /**
   * The same as {@link ready}, of which a delivery has just made use: most change nothing but what is unsettled, and to look at
   * everything would take a tenth of their time.
   */
  protected isStillReady(): boolean {
    if (this.isSteady) return this.unsettledList.size < this.window;
    this.isSteady = true;
    return this.ready;
  }

  protected watchCredit(credit: Observable<number>, failed: (reason: SluiceError) => void): Cancel {
    const subscription = credit.subscribe({
      next: (window) => {
        // What is no number gives no credit: emitting without bound would be worse.
        this.window = Number.isNaN(window) ? 0 : Math.min(65_535, Math.max(0, Math.floor(window)));
        this.wake();
      },
      error: (error: unknown) => {
        const text = `The credit of ${this.connector} failed, so nothing says how much may be emitted`;
        failed(toSluiceError(error, 'SOURCE_FAILED', text));
      },
      complete: () => {
        this.isCreditOver = true;
        this.wake();
      },
    });
    return () => subscription.unsubscribe();
  }

  /** Runs what may subscribe other sources because this one has ended, as `concat` and `retry` do: they belong with it. */
  protected inScope(work: () => void): void {
    if (this.scope === undefined) work();
    else withScope(this.scope, work);
  }

  protected stamp(): void {
    this.stampMs = Math.round(this.trampoline.elapsed());
  }

  /** A message larger than the whole window passes when it is alone, otherwise it would wait for ever. */
  protected fits(message: { readonly bytes?: number | undefined }): boolean {
    const { size, bytes } = this.unsettledList;
    return size === 0 || message.bytes === undefined || bytes + message.bytes <= this.settings.creditBytes;
  }

  /** Takes back what is unsettled where `isMeant` says so of its position; the rest goes on. */
  takeBack(isMeant: (position: unknown) => boolean, reason: SluiceError): void {
    this.inbox.drop(isMeant);
    this.lose(reason, isMeant);
    this.wake();
  }

  /** What was delivered can no longer be settled: it comes again, or its source has failed for good. */
  protected lose(error: unknown, isMeant?: (position: unknown) => boolean): void {
    this.reports.takeBackAll(error, this.parking.roots(), isMeant);
    this.parking.clear(() => undefined, isMeant);
  }

  get parked(): number {
    return this.parking.size;
  }

  get isParkingFull(): boolean {
    return this.parking.isFull;
  }

  /** More waits beyond the credit than may. */
  protected get isFlooded(): boolean {
    return this.inbox.length > this.settings.maxInbox || this.inbox.bytes > this.settings.maxInboxBytes;
  }

  /** Gives up by the policy what is too much; `drop` hears of each. */
  protected shed(policy: Exclude<Overflow, 'close'>, drop: (position: unknown) => void): void {
    while (this.isFlooded) {
      const dropped = policy === 'drop-oldest' ? this.inbox.shift() : this.inbox.pop();
      drop(dropped?.position);
      this.reports.overflowed(policy);
    }
  }

  protected exhausted(root: Envelope<unknown>, cause: unknown): SluiceError {
    const { topic, attempt } = root;
    const details = { connector: this.connector, topic, attempt };
    return new SluiceError('ATTEMPTS_EXHAUSTED', `Failed ${attempt} times (maxAttempts).`, { details, cause });
  }

  protected flooded(): SluiceError {
    const text = `${this.connector} brought more than ${this.settings.maxInbox} messages beyond its credit.`;
    return new SluiceError('OVERFLOW', text, { retriable: true });
  }

  /** Nothing is out, and nothing will ever be: said once all is settled, so that no work is lost by it. */
  protected starvation(): SluiceError | undefined {
    if (!this.isCreditOver || this.window > 0 || this.unsettledList.size > 0) return undefined;
    const text = `The credit of ${this.connector} completed at 0, so nothing can be emitted: keep it open or end it above 0.`;
    return new SluiceError('SOURCE_FAILED', text);
  }

  /** Nothing is out and nothing may go out, so no settlement will call the reader again. */
  protected isPaused(): boolean {
    return this.window === 0 && this.unsettledList.size === 0 && this.inbox.length === 0;
  }

  get free(): number {
    return Math.max(0, this.window - this.unsettledList.size - this.inbox.length);
  }

  get waiting(): number {
    return this.inbox.length;
  }

  get waitingBytes(): number {
    return this.inbox.bytes;
  }

  wallMs(root: Envelope<unknown>): number {
    return Math.round(this.clock.now() - this.clock.elapsed()) + root.emittedMs;
  }

  newId(): string {
    this.idPrefix ??= Math.floor(this.clock.random() * 2 ** 48).toString(36);
    this.ids += 1;
    return `${this.idPrefix}-${this.ids.toString(36)}`;
  }

  late(root: Envelope<unknown>, _outcome: unknown, stage: string): void {
    this.reports.late(root, stage);
  }

  isLastAttempt(root: Envelope<unknown>): boolean {
    return root.attempt >= this.settings.maxAttempts;
  }

  pending(): number {
    return this.unsettledList.size;
  }

  limit(): number {
    return this.window;
  }

  limitBytes(): number {
    return this.settings.creditBytes;
  }

  onWaiting(listener: () => void): Cancel {
    return this.waitingListeners.add(listener);
  }

  get counts(): SourceCounts {
    return this.reports.counts;
  }
  get status$(): Observable<Status> {
    return this.cell.status$;
  }
  get status(): Status {
    return this.cell.value;
  }
  get credit(): number {
    return this.window;
  }
  get unsettled(): number {
    return this.unsettledList.size;
  }
  unfinished(): readonly Unfinished[] {
    return this.reports.unfinished();
  }
  get unsettledBytes(): number {
    return this.unsettledList.bytes;
  }
  get oldestUnsettledMs(): number {
    return this.reports.oldestMs();
  }
}
