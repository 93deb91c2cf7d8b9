import { endSink } from '../connection/end-sink.js';
import type { Sink } from '../connection/flow.js';
import { toSluiceError } from '../errors.js';
import { type Envelope, handBack } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { report } from '../observability/observe.js';
import type { Target, TargetOwner, Way } from './target.js';

/** A sink and how many branches still give to it: several rules may name the same one. @internal */
export interface SharedSink<I> {
  readonly sink: Sink<I>;
  users: number;
  /** That of all branches without a budget. */
  target: SinkTarget<I> | undefined;
}

/**
 * A sink at the end of a branch, or as one: without a budget nothing ever waits for a sink, so all such rules share one of
 * these. It settles what it gets; one that throws nacks that message. It is completed with the last of its branches, however
 * the flow ends, and has ended once it is closed.
 *
 * @internal
 */
export class SinkTarget<I> implements Target<I>, Way<I> {
  isOver = false;
  private readonly sink: Sink<I>;
  /** Of the first of its branches. */
  private readonly label: string;
  private readonly shared: SharedSink<I>;
  private readonly owner: Pick<TargetOwner<never>, 'ended'>;
  private hasLeft = false;

  constructor(shared: SharedSink<I>, label: string, owner: Pick<TargetOwner<never>, 'ended'>) {
    this.shared = shared;
    this.sink = shared.sink;
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
    // Another branch of the same message made the flow end.
    if (this.hasLeft) {
      handBack(message);
      return;
    }
    try {
      this.sink.next(message);
    } catch (error) {
      const { stage } = message as Envelope<I>;
      message.nack(toSluiceError(error, 'SINK_FAILED', `The sink of ${stage} threw`));
      report({ type: 'stage.failed', stage, reason: error });
    }
  }

  complete(): void {
    const ended = (): void => {
      this.isOver = true;
      this.owner.ended();
    };
    if (this.isLast()) endSink(this.sink, this.label, ended);
    else ended();
  }

  error(error: unknown): void {
    if (!this.isLast()) return;
    try {
      this.sink.error(error);
    } catch (reason) {
      report({ type: 'stage.failed', stage: this.label, reason });
    }
  }

  stop(): void {
    if (this.isLast()) endSink(this.sink, this.label, () => undefined);
  }

  /** Leaves; true when nobody else gives to the sink any more, and nobody has ended it. */
  private isLast(): boolean {
    if (this.hasLeft) return false;
    this.hasLeft = true;
    this.shared.users -= 1;
    return this.shared.users === 0;
  }
}
