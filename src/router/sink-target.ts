import type { Sink } from '../connection/flow.js';
import { toSluiceError } from '../errors.js';
import type { Message } from '../message/message.js';
import { report } from '../observability/observe.js';
import type { Target, TargetOwner } from './target.js';

/** A sink and how many branches still give to it: several rules may name the same one. @internal */
export interface SharedSink<I> {
  readonly sink: Sink<I>;
  users: number;
}

/**
 * A sink at the end of a branch. It settles what it gets; one that throws nacks that message. It is completed with the
 * last of its branches, however the flow ends, and has ended once it is closed.
 *
 * @internal
 */
export class SinkTarget<I> implements Target<I> {
  private readonly shared: SharedSink<I>;
  private readonly label: string;
  private readonly owner: TargetOwner<never>;
  private hasLeft = false;

  constructor(shared: SharedSink<I>, label: string, owner: TargetOwner<never>) {
    this.shared = shared;
    this.label = label;
    this.owner = owner;
  }

  get isUp(): boolean {
    return !this.hasLeft;
  }

  start(): void {
    this.shared.users += 1;
  }

  next(message: Message<I>): void {
    try {
      this.shared.sink.next(message);
    } catch (error) {
      message.nack(toSluiceError(error, 'SINK_FAILED', `The sink of ${this.label} threw`));
      report({ type: 'stage.failed', stage: this.label, reason: error });
    }
  }

  complete(): void {
    const { sink } = this.shared;
    this.leave(() => sink.complete());
    const ended = (): void => this.owner.ended();
    if (sink.closed === undefined || this.shared.users > 0) ended();
    else void sink.closed.then(ended, ended);
  }

  error(error: unknown): void {
    this.leave(() => this.shared.sink.error(error));
  }

  stop(): void {
    this.leave(() => this.shared.sink.complete());
  }

  private leave(tell: () => void): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.shared.users -= 1;
    if (this.shared.users > 0) return;
    try {
      tell();
    } catch (error) {
      report({ type: 'stage.failed', stage: this.label, reason: error });
    }
  }
}
