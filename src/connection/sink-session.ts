import type { Observable } from 'rxjs';
import type { Cancel } from '../clock.js';
import { metBy, SluiceError, toSluiceError } from '../errors.js';
import { handBack, isOpen, isTakenBack, mark } from '../message/envelope.js';
import type { Message, NackThen } from '../message/message.js';
import { report } from '../observability/observe.js';
import type { Status } from '../observability/status.js';
import { LinkUse } from './link-use.js';
import { describeAs } from './describe.js';
import type { SinkDefinition, SinkSettings, Writer, WriterContext } from './define-sink.js';
import { Flight, Flights } from './flights.js';
import type { Sink } from './flow.js';
import { isThenable } from './is-thenable.js';
import { called, checkArgument } from './options.js';
import { Ring } from './ring.js';
import type { SinkHandle } from './scope.js';
import { StatusCell } from './status-cell.js';
import { Supervisor } from './supervisor.js';

const WRITER = called('a writer with send and close', 'send', 'close');

/** So many may wait before those are looked for that their source took back meanwhile. */
const MANY_WAITING = 32;

/** How long a message stays away that found the sink closed. */
const COME_AGAIN_MS = 1_000;

/**
 * A sink at work: the queue of messages that wait, the ones in flight in the order they were sent, and the writer.
 *
 * @internal
 */
export class SinkSession<T, C> implements Sink<T>, SinkHandle {
  readonly name: string;
  readonly connector: string;
  readonly closed: Promise<void>;
  failure: SluiceError | undefined;
  confirmedCount = 0;
  failedCount = 0;
  private readonly settings: SinkSettings;
  private readonly link: LinkUse<C>;
  private readonly cell: StatusCell;
  private readonly supervisor: Supervisor<Writer<T>>;
  private readonly waiting = new Ring<Message<T>>();
  private readonly flights = new Flights<T>();
  /** It grows with those that wait and are open. */
  private sweepAt: number;
  private writer: Writer<T> | undefined;
  private started = false;
  private completing = false;
  private over = false;
  private toldClosed = false;
  /** The writer asked for a pause. */
  private paused = false;
  /** The far side takes nothing for now, and said so. */
  private isBlocked = false;
  /** This writer was told that nothing more comes. */
  private flushed = false;
  /** Inside `send`: a confirmation that comes at once must not send the next one from in there. */
  private sending = false;
  private cancelWatch: Cancel | undefined;
  private cancelClose: Cancel | undefined;
  private tellClosed: () => void = () => undefined;

  constructor(definition: SinkDefinition<T, C>, settings: SinkSettings) {
    const { connector, link } = definition;
    this.name = connector;
    this.connector = connector;
    this.settings = settings;
    this.sweepAt = Math.min(MANY_WAITING, settings.maxQueued);
    this.cell = new StatusCell(connector);
    this.closed = new Promise((resolve) => (this.tellClosed = resolve));
    describeAs(this, { kind: 'sink', name: connector });
    this.link = new LinkUse(link, () => this.supervisor.retry());
    this.supervisor = new Supervisor<Writer<T>>({
      clock: settings.clock,
      backoff: settings.reconnect,
      connectTimeoutMs: settings.connectTimeoutMs,
      status: this.cell,
      open: (lost) => this.link.open(lost, (connection) => definition.open(this.contextOf(lost), connection)),
      check: (writer) => checkArgument(connector, 'what open gives', writer, WRITER),
      close: (writer) => writer.close(),
      up: (writer) => {
        this.writer = writer;
        this.paused = false;
        this.flushed = false;
        this.isBlocked = false;
        this.pump();
      },
      down: () => this.down(),
      fatal: (error) => {
        this.failure = error;
        this.abandon(error);
      },
    });
  }

  private contextOf(lost: (error: unknown) => void): WriterContext {
    return {
      clock: this.settings.clock,
      lost,
      resume: () => this.resume(),
      blocked: (isBlocked, reason) => this.blocked(isBlocked, reason),
    };
  }

  readonly next = (message: Message<T>): void => {
    mark(message, this.connector);
    if (this.completing) {
      this.refuseClosed(message);
      return;
    }
    // A source that loses its connection while this one is away brings the same messages again and again.
    if (this.waiting.length >= this.sweepAt) this.sweep();
    if (this.waiting.length >= this.settings.maxQueued) {
      const text = `More than ${this.settings.maxQueued} messages wait (maxQueued).`;
      message.nack(this.failureOf(new SluiceError('OVERFLOW', text, { retriable: true })));
      return;
    }
    this.waiting.push(message);
    if (!this.started) {
      this.started = true;
      this.supervisor.start();
    } else {
      this.pump();
    }
  };

  /** Nothing is wrong with the message, so no attempt is counted, and nothing comes round and round. */
  private refuseClosed(message: Message<T>): void {
    if (!this.toldClosed) {
      this.toldClosed = true;
      const why = this.failure === undefined ? 'was completed' : `failed with ${this.failure.code}`;
      const text = `The ${this.connector} sink ${why} and takes nothing any more.`;
      const reason = this.failureOf(new SluiceError('SINK_CLOSED', text));
      report({ type: 'stage.failed', stage: this.connector, reason });
    }
    handBack(message, COME_AGAIN_MS);
  }

  readonly error = (): void => this.complete();

  readonly complete = (): void => {
    if (this.completing) return;
    this.completing = true;
    const { clock, closeTimeoutMs } = this.settings;
    this.cancelClose = clock.timer(closeTimeoutMs, () => {
      const text = `Not confirmed within closeTimeoutMs after complete.`;
      this.abandon(this.failureOf(new SluiceError('CONFIRM_TIMEOUT', text)));
    });
    this.forgetTakenBack();
    if (this.writer === undefined) this.closeIfDone();
    else this.pump();
  };

  /** Nobody hears any more what becomes of what its source took back: it comes again, and is not worth waiting for. */
  private forgetTakenBack(): void {
    for (const flight of this.flights.toArray()) if (isTakenBack(flight.message)) this.flights.end(flight);
    this.sweep();
  }

  private sweep(): void {
    for (const message of this.waiting.clear()) if (isOpen(message)) this.waiting.push(message);
    this.sweepAt = Math.min(this.settings.maxQueued, Math.max(MANY_WAITING, 2 * this.waiting.length));
  }

  confirmed(flight: Flight<T>): void {
    if (!this.flights.end(flight)) return;
    this.confirmedCount += 1;
    flight.message.ack();
    this.pump();
  }

  refused(flight: Flight<T>, reason: unknown, then?: NackThen): void {
    if (!this.flights.end(flight)) return;
    this.failedCount += 1;
    const failure = this.failureOf(reason);
    const { onError } = this.settings;
    // Sending again what can never be taken would only hold up the rest.
    const fallback = onError === 'requeue' && !failure.retriable ? 'dead' : onError;
    flight.message.nack(failure, then ?? fallback);
    this.pump();
  }

  private failureOf(reason: unknown): SluiceError {
    const text = `The ${this.connector} sink could not send`;
    return metBy(this.connector, toSluiceError(reason, 'SINK_FAILED', text, { retriable: true }));
  }

  private pump(): void {
    const { writer, settings } = this;
    if (writer === undefined || this.sending) return;
    this.sending = true;
    let nowMs: number | undefined;
    while (this.waiting.length > 0 && !this.paused && this.flights.size < settings.maxUnconfirmed) {
      const message = this.waiting.shift() as Message<T>;
      // Taken back by its source meanwhile: it will come again, sending it now would only make a duplicate.
      if (!isOpen(message)) continue;
      const flight = new Flight<T>(this, message);
      this.flights.add(flight);
      try {
        if (writer.send(flight) === false) this.paused = true;
      } catch (error) {
        this.refused(flight, error);
      }
      // Most far sides that are in the process have answered by now: no deadline, no look at the clock.
      if (flight.isOpen) flight.sentMs = nowMs ??= settings.clock.elapsed();
      if (this.writer !== writer) break;
    }
    this.sending = false;
    if (this.flights.size > 0) this.watch();
    if (this.completing && this.waiting.length === 0) this.flush(writer);
    this.closeIfDone();
  }

  private resume(): void {
    this.paused = false;
    this.pump();
  }

  /** A far side that says it takes nothing is alive: its confirmations are late for a reason. */
  private blocked(isBlocked: boolean, reason: unknown): void {
    if (isBlocked === this.isBlocked || this.writer === undefined) return;
    this.isBlocked = isBlocked;
    if (this.cell.value === 'connected' || this.cell.value === 'degraded') {
      this.cell.to(isBlocked ? 'degraded' : 'connected', reason);
    }
    if (isBlocked) return;
    const now = this.settings.clock.elapsed();
    for (let flight = this.flights.oldest; flight !== undefined; flight = flight.next) flight.sentMs = now;
    this.watch();
  }

  /** One timer for all: the oldest flight is the first that can be late. */
  private watch(): void {
    const { clock, confirmTimeoutMs } = this.settings;
    const { oldest } = this.flights;
    if (this.cancelWatch !== undefined || confirmTimeoutMs === 0 || this.isBlocked || oldest === undefined) return;
    const dueMs = Math.max(0, oldest.sentMs + confirmTimeoutMs - clock.elapsed());
    this.cancelWatch = clock.timer(
      dueMs,
      () => {
        this.cancelWatch = undefined;
        const first = this.flights.oldest;
        if (!this.isBlocked && first !== undefined && clock.elapsed() - first.sentMs >= confirmTimeoutMs) {
          this.supervisor.lose(
            new SluiceError('CONFIRM_TIMEOUT', `Not confirmed within ${confirmTimeoutMs} ms (confirmTimeoutMs).`, {
              retriable: true,
            }),
          );
        } else this.watch();
      },
      true,
    );
  }

  /** What was not confirmed goes back to the front, in its order, and out again over the next writer. */
  private down(): void {
    this.writer = undefined;
    const unconfirmed = this.flights.clear().reverse();
    for (const flight of unconfirmed) this.waiting.unshift(flight.message);
    if (unconfirmed.length > 0) report({ type: 'sink.resent', connector: this.connector, count: unconfirmed.length });
  }

  private flush(writer: Writer<T>): void {
    if (this.flushed) return;
    this.flushed = true;
    const failed = (error: unknown): void => {
      if (this.writer === writer) this.supervisor.lose(error);
    };
    try {
      const flushing = writer.flush?.();
      if (isThenable(flushing)) flushing.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  private closeIfDone(): void {
    if (this.completing && this.waiting.length === 0 && this.flights.size === 0) this.close();
  }

  private abandon(error: SluiceError): void {
    // Without a writer nothing more goes out while the rest is nacked.
    this.writer = undefined;
    this.completing = true;
    for (const flight of this.flights.toArray()) this.refused(flight, error, 'requeue');
    for (const message of this.waiting.clear()) message.nack(error);
    this.close();
  }

  private close(): void {
    if (this.over) return;
    this.over = true;
    this.cancelWatch?.();
    this.cancelClose?.();
    const closing = this.supervisor.stop();
    const left = closing === undefined ? this.link.leave() : closing.then(() => this.link.leave());
    if (left === undefined) this.tellClosed();
    else void left.then(this.tellClosed);
  }

  get status$(): Observable<Status> {
    return this.cell.status$;
  }
  get status(): Status {
    return this.cell.value;
  }
  get unconfirmed(): number {
    return this.flights.size;
  }
  get queued(): number {
    return this.waiting.length;
  }
}
