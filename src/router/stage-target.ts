import type { Cancel, Clock } from '../clock.js';
import { attach, attachable, type Output } from '../connection/attach.js';
import type { Backoff } from '../connection/backoff.js';
import type { Flow, Stage } from '../connection/flow.js';
import { currentScope, type Scope, withScope } from '../connection/scope.js';
import { trampolineOf, type Runnable } from '../connection/trampoline.js';
import { isSluiceError, SluiceError, toSluiceError } from '../errors.js';
import type { Message } from '../message/message.js';
import { checkArgument, configInvalid, flowLike } from '../options.js';
import { report } from '../observability/observe.js';
import { OpenMessages } from '../operators/open-messages.js';
import type { Target, TargetOwner } from './target.js';

/** What one subscription of a stage says. After its end, or after its target left it, it says nothing any more. */
class Reading<I, O> implements Output<O> {
  closed = false;
  private readonly target: StageTarget<I, O>;
  private detach: Cancel | undefined = undefined;

  constructor(target: StageTarget<I, O>) {
    this.target = target;
  }

  attachTo(flow: Flow<O>): void {
    const detach = attach(flow, this);
    // The stage may have ended while it was being attached to.
    if (this.closed) detach();
    else this.detach = detach;
  }

  next(message: Message<O>): void {
    if (!this.closed) this.target.emitted(message);
  }

  error(error: unknown): void {
    if (this.closed) return;
    this.closed = true;
    this.target.failed(error);
  }

  complete(): void {
    if (this.closed) return;
    this.closed = true;
    this.target.ended();
  }

  close(): void {
    this.closed = true;
    const { detach } = this;
    this.detach = undefined;
    detach?.();
  }
}

/**
 * A stage as a branch, subscribed on its own. When it fails, the messages inside it are nacked and it is subscribed again:
 * in the next turn when it had taken a message, as then the failure is that message's; after a growing wait when it had
 * not. When it completes before it was told to, it is over.
 *
 * @internal
 */
export class StageTarget<I, O> implements Target<I>, Runnable {
  isDue = false;
  /** The subscription in force; none while it is broken, and once it is over. */
  reading: Reading<I, O> | undefined = undefined;
  private input: Output<I> | undefined = undefined;
  private hasTaken = false;
  private readonly open = new OpenMessages();
  private readonly owner: TargetOwner<O>;
  private readonly stage: Stage<I, O>;
  private readonly label: string;
  private readonly clock: Clock;
  private readonly restart: Backoff;
  /** What it was subscribed in, for when it is subscribed again. */
  private readonly scope: Scope | undefined = currentScope();
  /** Failures in a row without a message in between. */
  private failures = 0;
  private completed = false;
  private isOver = false;
  /** The first start is behind it. */
  private isBegun = false;
  /** Why it cannot be started, now or ever: it is wired wrongly. */
  private impossible: SluiceError | undefined = undefined;
  private cancelRestart: Cancel | undefined = undefined;

  constructor(stage: Stage<I, O>, label: string, clock: Clock, restart: Backoff, owner: TargetOwner<O>) {
    this.stage = stage;
    this.label = label;
    this.clock = clock;
    this.restart = restart;
    this.owner = owner;
  }

  get isUp(): boolean {
    return this.input !== undefined;
  }

  start(): void {
    const reading = new Reading<I, O>(this);
    this.reading = reading;
    this.hasTaken = false;
    const subscribe = (): void => {
      const flow = this.stage(this.entry(reading));
      checkArgument(this.label, 'what its stage gives', flow, flowLike);
      reading.attachTo(flow);
    };
    try {
      if (this.scope === undefined) subscribe();
      else withScope(this.scope, subscribe);
    } catch (error) {
      reading.error(error);
    }
    this.isBegun = true;
    if (this.impossible !== undefined) throw this.impossible;
  }

  next(message: Message<I>): void {
    this.hasTaken = true;
    this.open.add(message);
    this.input?.next(message);
  }

  complete(): void {
    this.completed = true;
    if (this.input !== undefined) this.input.complete();
    // Broken, and nothing waits for it any more.
    else if (this.reading === undefined) this.ended();
  }

  error(): void {
    this.stop();
  }

  stop(): void {
    this.isOver = true;
    this.leave();
  }

  /** A turn to be subscribed again. */
  run(): void {
    if (!this.isOver && this.reading === undefined) this.start();
  }

  emitted(message: Message<O>): void {
    this.open.remove(message);
    this.owner.emit(message);
  }

  failed(error: unknown): void {
    this.leave();
    report({ type: 'stage.failed', stage: this.label, reason: error });
    this.giveBack(() =>
      toSluiceError(error, 'HANDLER_FAILED', `${this.label} failed`, { details: { stage: this.label } }),
    );
    if (!this.isBegun && isSluiceError(error) && !error.retriable) {
      this.impossible = error;
      return;
    }
    this.failures = this.hasTaken ? 0 : this.failures + 1;
    if (this.completed || this.failures >= (this.restart.tries ?? Infinity)) this.ended();
    else if (this.hasTaken) trampolineOf(this.clock).schedule(this);
    else this.cancelRestart = this.clock.timer(this.restart.delayMs(this.failures, this.clock), () => this.run());
  }

  ended(): void {
    this.isOver = true;
    this.leave();
    if (!this.completed) {
      const early = new SluiceError('UNROUTED', `${this.label} completed and takes no further messages.`);
      report({ type: 'stage.failed', stage: this.label, reason: early });
      this.giveBack(() => early);
    }
    this.owner.ended();
  }

  /** What the stage subscribes to. One subscriber at a time: two would each settle every message. */
  private entry(reading: Reading<I, O>): Flow<I> {
    const nothing = (): void => undefined;
    return attachable<I>((input) => {
      if (this.reading !== reading) {
        input.complete();
        return nothing;
      }
      if (this.input !== undefined) {
        input.error(configInvalid(this.label, ['a branch reads its source once; to read it twice, use fanout']));
        return nothing;
      }
      // Subscribed again, as `retry` does: what the stage held before is lost to it.
      this.giveBack(
        () => new SluiceError('HANDLER_FAILED', `${this.label} was subscribed again.`, { retriable: true }),
      );
      this.input = input;
      if (this.completed) input.complete();
      else this.owner.up();
      return () => {
        if (this.input === input) this.input = undefined;
      };
    });
  }

  private leave(): void {
    const { reading } = this;
    this.reading = undefined;
    this.input = undefined;
    this.cancelRestart?.();
    this.cancelRestart = undefined;
    reading?.close();
  }

  /** An error costs more than subscribing, so it is made only for somebody who gets it. */
  private giveBack(reasonOf: () => SluiceError): void {
    const held = this.open.takeOpen();
    if (held.length === 0) return;
    const reason = reasonOf();
    for (const message of held) message.nack(reason);
  }
}
