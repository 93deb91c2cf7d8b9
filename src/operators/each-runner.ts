import type { Subscribable } from 'rxjs';
import type { Output } from '../connection/attach.js';
import type { Clock } from '../clock.js';
import { Ring } from '../connection/ring.js';
import { isSluiceError, SluiceError } from '../errors.js';
import { ACKED, type Envelope, handBack, isOpen, mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import type { StageObserver } from './define-stage.js';
import type { EachOptions, Try, Work } from './each.js';
import { EachTask, type GiveUp, isValue, PlainTry } from './each-task.js';
import { Lanes } from './lanes.js';

type AnyWork<I, O> = (payload: I, message: Message<I>, current: Try) => Work<O>;

/** So many may wait before those are looked for that their source took back meanwhile. */
const MANY_WAITING = 32;

/** What happens to a message that comes while work is going on. Returns false when it was settled. */
export type Arrival<I, O> = (message: Message<I>, runner: EachRunner<I, O>) => boolean;

/**
 * The engine of `each`. What gives a value at once is emitted at once; a Promise or an Observable borrows a task from a
 * pool, so that a busy stage allocates none.
 *
 * @internal
 */
export class EachRunner<I, O> implements StageObserver<I> {
  readonly clock: Clock;
  readonly name: string;
  readonly options: EachOptions<I>;
  readonly work: AnyWork<I, O>;
  private readonly output: Output<O>;
  private readonly arrival: Arrival<I, O> | undefined;
  private readonly concurrency: number;
  private readonly waiting = new Ring<Message<I>>();
  /** It grows with those that wait and are open. */
  private sweepAt = MANY_WAITING;
  private readonly lanes: Lanes<I> | undefined;
  /** What comes begins as soon as there is a place. */
  private readonly takesAll: boolean;
  private readonly idle: EachTask<I, O>[] = [];
  private readonly active: EachTask<I, O>[] = [];
  private begun = 0;
  /** Work needs a task from the start only when it can be timed out or tried again. */
  private readonly plain: boolean;
  /** And nothing gives up what was begun, so that a task may take the next message as soon as its work has answered. */
  readonly isSimple: boolean;
  private draining = false;
  private completed = false;
  private ended = false;

  constructor(
    work: AnyWork<I, O>,
    options: EachOptions<I>,
    name: string,
    output: Output<O>,
    clock: Clock,
    arrival?: Arrival<I, O>,
  ) {
    this.work = work;
    this.options = options;
    this.name = name;
    this.output = output;
    this.clock = clock;
    this.arrival = arrival;
    this.concurrency = options.concurrency ?? 1;
    this.lanes = options.lane === undefined ? undefined : this.lanesBy(options.lane);
    this.takesAll = arrival === undefined && this.lanes === undefined;
    this.plain = options.retry === undefined && options.timeoutMs === undefined;
    this.isSimple = this.plain && arrival === undefined;
  }

  private lanesBy(keyOf: (message: Message<I>) => string | undefined): Lanes<I> {
    return new Lanes<I>({
      keyOf,
      credit: this.options.laneCredit,
      defer: (work) =>
        this.clock.defer(() => {
          work();
          this.completeIfDone();
        }),
      go: (message) => {
        this.waiting.push(message);
        this.drain();
      },
    });
  }

  next(message: Message<I>): void {
    mark(message, this.name);
    if (this.takesAll) this.take(message);
    else this.arrive(message);
    if (this.waiting.length > 0) this.drain();
  }

  /** Where a message that comes has to be looked at first. */
  private arrive(message: Message<I>): void {
    if (this.arrival !== undefined && this.active.length > 0 && !this.arrival(message, this)) return;
    if (this.lanes !== undefined) {
      try {
        if (!this.lanes.enter(message)) return;
      } catch (error) {
        this.fail(message, error);
        return;
      }
    }
    this.take(message);
  }

  private take(message: Message<I>): void {
    if (this.waiting.length === 0 && this.active.length < this.concurrency && !this.draining) {
      this.begin(message);
      return;
    }
    if (this.waiting.length >= this.sweepAt) this.sweep();
    this.waiting.push(message);
  }

  complete(): void {
    this.completed = true;
    this.completeIfDone();
  }

  teardown(): void {
    if (this.ended) return;
    this.ended = true;
    for (const task of this.inOrder()) task.drop((message) => handBack(message));
    for (const message of this.waiting.clear()) handBack(message);
    for (const message of this.lanes?.clear() ?? []) handBack(message);
  }

  /** Gives up what is being worked on, to make room for a newer message; `settle` says what becomes of it. */
  giveUp(settle: GiveUp<I>): void {
    for (const task of this.inOrder()) task.giveUp(settle);
  }

  /** Starts what waits while there are free places. A loop, so that work that is done at once does not nest. */
  private drain(): void {
    if (this.draining) return;
    this.draining = true;
    while (this.waiting.length > 0 && this.active.length < this.concurrency && !this.ended) {
      const message = this.waiting.shift() as Message<I>;
      if (isOpen(message)) this.begin(message);
      else this.pass(message);
    }
    this.draining = false;
    this.completeIfDone();
  }

  /** While no place is free a source may lose its connection again and again, and bring the same messages each time. */
  private sweep(): void {
    for (const message of this.waiting.clear()) {
      if (isOpen(message)) this.waiting.push(message);
      else this.pass(message);
    }
    this.sweepAt = Math.max(MANY_WAITING, 2 * this.waiting.length);
  }

  /** Taken back by its source while it waited: it comes again, working on it now would only do it twice. */
  private pass(message: Message<I>): void {
    handBack(message);
    this.leave(message);
  }

  private begin(message: Message<I>): void {
    if (!this.plain) {
      this.borrow(message).start();
      return;
    }
    let result: Work<O>;
    let isThere: boolean;
    try {
      result = this.work(message.payload, message, new PlainTry(message));
      isThere = isValue(result);
    } catch (error) {
      this.fail(message, error);
      this.leave(message);
      return;
    }
    if (isThere) {
      this.emit(message, result as O);
      this.leave(message);
    } else this.borrow(message).follow(result as PromiseLike<O> | Subscribable<O>);
  }

  private borrow(message: Message<I>): EachTask<I, O> {
    const task = this.idle.pop() ?? new EachTask<I, O>(this);
    task.message = message;
    task.order = this.begun += 1;
    task.index = this.active.length;
    this.active.push(task);
    return task;
  }

  private inOrder(): EachTask<I, O>[] {
    return [...this.active].sort((a, b) => a.order - b.order);
  }

  /** A task is through with its message; the next one may begin. */
  done(task: EachTask<I, O>): void {
    const { message } = task;
    const newest = this.active.pop() as EachTask<I, O>;
    if (newest !== task) {
      this.active[task.index] = newest;
      newest.index = task.index;
    }
    task.message = undefined;
    this.idle.push(task);
    this.leave(message as Message<I>);
    if (this.waiting.length > 0) this.drain();
    else this.completeIfDone();
  }

  private leave(message: Message<I>): void {
    const next = this.lanes?.leave(message);
    if (next !== undefined) this.waiting.push(next);
  }

  finished(message: Message<I>, result: O): void {
    // Taken back or refused meanwhile: it comes again, and so does its result. Work may have acked it, though.
    if (isOpen(message) || (message as Envelope<I>).root.state === ACKED) this.emit(message, result);
  }

  emit(message: Message<I>, result: O): void {
    if (result === undefined) {
      // Work without a result may have settled the message itself.
      if (isOpen(message)) message.ack();
    } else this.output.next(message.with(result));
  }

  emitPart(part: Message<O>): void {
    this.output.next(part);
  }

  fail(message: Message<I>, reason: unknown): void {
    const { onError } = this.options;
    const error = isSluiceError(reason)
      ? reason
      : new SluiceError('HANDLER_FAILED', `${this.name} failed.`, { details: { stage: this.name }, cause: reason });
    message.nack(error, onError === 'fail' ? 'requeue' : onError);
    if (onError === 'fail') this.output.error(error);
  }

  private completeIfDone(): void {
    if (!this.completed || this.active.length > 0 || this.waiting.length > 0) return;
    if (this.lanes === undefined || this.lanes.size === 0) this.output.complete();
  }
}
