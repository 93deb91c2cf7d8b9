import { Ring } from '../connection/ring.js';
import type { Runnable, Trampoline } from '../connection/trampoline.js';
import { SluiceError } from '../errors.js';
import { handBack, isOpen } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { Relays } from '../message/relay.js';
import type { RelayBound } from '../message/settler.js';
import { report } from '../observability/observe.js';
import { type BranchQueue, ConflatingQueue, OrderedQueue } from './branch-queue.js';
import type { BranchOverflow } from './rule.js';
import type { Target, TargetOwner, Way } from './target.js';

/** Who has branches. @internal */
export interface BranchOwner<I, O> {
  readonly trampoline: Trampoline;
  emit(message: Message<O>): void;
  /** A message that waited for a branch which then was over. */
  orphaned(message: Message<I>): void;
  ended(): void;
}

/**
 * One way out of a router: a target and, in front of it, the messages that have to wait, because the budget is used up or
 * the target is broken for now. Without a budget a message passes as it is; with one the branch hears how it ends.
 *
 * @internal
 */
export class Branch<I, O> implements Way<I>, TargetOwner<O>, RelayBound, Runnable {
  isDue = false;
  readonly label: string;
  readonly limit: number;
  /** It takes no messages any more: its stage completed before the source did. */
  isOver = false;
  private readonly overflow: BranchOverflow;
  private readonly owner: BranchOwner<I, O>;
  private readonly target: Target<I>;
  private readonly relays: Relays | undefined;
  /** Given to the target and unsettled. Known only with a budget. */
  private readonly held: Set<Message<unknown>> | undefined;
  private queue: BranchQueue<I> | undefined;
  /** Given to the target before, put aside in it and now back with credit: they come before what waits. */
  private returning: Ring<Returning> | undefined;
  private completing = false;
  private isStopped = false;
  private listeners: Set<() => void> | undefined;
  private dropped = 0;

  constructor(
    label: string,
    budget: number,
    overflow: BranchOverflow,
    owner: BranchOwner<I, O>,
    targetOf: (owner: TargetOwner<O>) => Target<I>,
  ) {
    this.label = label;
    this.limit = budget;
    this.overflow = overflow;
    this.owner = owner;
    this.target = targetOf(this);
    if (budget === Infinity) return;
    this.held = new Set();
    this.relays = new Relays({
      bound: this,
      settled: (original, outcome, reason) => void original.settle(outcome, reason),
      aside: (original) => this.left(original),
      back: (original, go) => this.returns(original, go),
    });
  }

  start(): void {
    this.target.start();
  }

  next(message: Message<I>): void {
    if (this.hasRoom() && (this.queue === undefined || this.queue.length === 0)) this.give(message);
    else this.hold(message);
  }

  /** The source is done: what waits is still given, then the target is completed. */
  complete(): void {
    this.completing = true;
    if (this.queue === undefined || this.queue.length === 0) this.target.complete();
  }

  error(error: unknown): void {
    this.target.error(error);
  }

  /** The flow was unsubscribed: what waits goes back untouched. What the target holds may still settle. */
  stop(): void {
    this.isStopped = true;
    for (let message = this.queue?.shift(); message !== undefined; message = this.queue?.shift()) handBack(message);
    this.target.stop();
  }

  /** A turn: settling never delivers, so whatever became possible happens here. */
  run(): void {
    const { returning } = this;
    while (returning !== undefined && returning.length > 0 && this.hasRoom())
      this.letOn(returning.shift() as Returning);
    const { queue } = this;
    if (queue === undefined || queue.length === 0) return;
    const { trampoline } = this.owner;
    while (queue.length > 0 && this.hasRoom()) {
      const message = queue.shift() as Message<I>;
      // Taken back by its source while it waited: it comes again.
      if (isOpen(message)) this.give(message);
      if (!trampoline.mayContinue()) break;
    }
    if (queue.length > 0 && this.hasRoom()) trampoline.schedule(this);
    else if (this.completing && queue.length === 0) this.target.complete();
  }

  emit(message: Message<O>): void {
    this.owner.emit(message);
  }

  up(): void {
    if (
      (this.returning !== undefined && this.returning.length > 0) ||
      (this.queue !== undefined && this.queue.length > 0)
    )
      this.owner.trampoline.schedule(this);
  }

  ended(): void {
    this.isOver = true;
    for (let message = this.queue?.shift(); message !== undefined; message = this.queue?.shift())
      this.owner.orphaned(message);
    this.owner.ended();
  }

  isFull(): boolean {
    return this.held !== undefined && this.held.size >= this.limit;
  }

  onFull(listener: () => void): () => void {
    const own = (): void => listener();
    const listeners = (this.listeners ??= new Set());
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  private hasRoom(): boolean {
    return this.target.isUp && !this.isFull();
  }

  private give(message: Message<I>): void {
    if (this.relays === undefined) {
      this.target.next(message);
      return;
    }
    this.enter(message);
    message.signal.addEventListener('abort', () => this.left(message), { once: true });
    this.target.next(this.relays.pass(message));
    if (this.listeners !== undefined && this.isFull()) for (const listener of [...this.listeners]) listener();
  }

  private hold(message: Message<I>): void {
    const { overflow } = this;
    // Another branch of the same message made the flow end.
    if (this.isStopped) handBack(message);
    else if (overflow === 'fail') {
      message.nack(
        new SluiceError('OVERFLOW', `${this.label} holds ${this.limit} unsettled messages already (budget).`, {
          retriable: true,
        }),
      );
    } else if (overflow === 'drop-newest') this.drop(message);
    else {
      this.queue ??=
        overflow === 'conflate'
          ? new ConflatingQueue()
          : new OrderedQueue(overflow === 'drop-oldest' ? this.limit : Infinity);
      const displaced = this.queue.push(message);
      if (displaced !== undefined) this.drop(displaced);
    }
  }

  /** Acked, not nacked: one branch giving up must not decide for the others of the same message. */
  private drop(message: Message<I>): void {
    if (!isOpen(message)) return;
    this.dropped += 1;
    message.ack(`overflow: ${this.overflow}`);
    report({ type: 'message.overflowed', connector: this.label, policy: this.overflow, count: this.dropped });
  }

  /** What was put aside left its place to others, so it may have to wait for one. */
  private returns(original: Message<unknown>, go: () => void): void {
    const returning = { original, go };
    const before = (this.returning ??= new Ring());
    if (before.length === 0 && this.hasRoom()) this.letOn(returning);
    else before.push(returning);
  }

  private letOn({ original, go }: Returning): void {
    this.enter(original);
    go();
  }

  private enter(message: Message<unknown>): void {
    if (isOpen(message)) this.held?.add(message);
  }

  private left(message: Message<unknown>): void {
    if (this.held?.delete(message) === true) this.up();
  }
}

interface Returning {
  readonly original: Message<unknown>;
  readonly go: () => void;
}
