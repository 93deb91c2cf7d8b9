import type { Sink } from '../connection/flow.js';
import { holdSink, refuseClosed, type SinkHold } from '../connection/hold-sink.js';
import { sinkThrew } from '../connection/sink-threw.js';
import type { SluiceError } from '../errors.js';
import { type Envelope, handBack } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import type { Target, TargetOwner, Way } from './target.js';

/**
 * A sink at the end of a branch, or as one: without a budget nothing ever waits for a sink, so all such rules share one of
 * these. It settles what it gets; one that throws nacks that message. It is completed with the last branch of the last flow
 * that gives to it, however that ends, and has ended once it is closed.
 *
 * @internal
 */
export class SinkTarget<I> implements Target<I>, Way<I> {
  /** Once it is completed, nothing is given to it any more. */
  readonly isOver = false;
  private readonly sink: Sink<I>;
  /** Of the first of its branches. */
  private readonly label: string;
  private readonly owner: Pick<TargetOwner<never>, 'ended'>;
  private readonly failed: (error: SluiceError) => void;
  private hold: SinkHold | undefined = undefined;
  private hasLeft = false;

  /** @param failed hears of a sink that takes nothing any more */
  constructor(
    sink: Sink<I>,
    label: string,
    owner: Pick<TargetOwner<never>, 'ended'>,
    failed: (error: SluiceError) => void,
  ) {
    refuseClosed(sink, label);
    this.sink = sink;
    this.label = label;
    this.owner = owner;
    this.failed = failed;
  }

  get isUp(): boolean {
    return !this.hasLeft;
  }

  start(): void {
    this.hold = holdSink(this.sink, this.label, this.failed);
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
      sinkThrew(message, (message as Envelope<I>).stage, error);
    }
  }

  complete(): void {
    this.hasLeft = true;
    this.hold?.leave(() => this.owner.ended());
  }

  error(error: unknown): void {
    this.hasLeft = true;
    this.hold?.drop({ error });
  }

  stop(): void {
    this.hasLeft = true;
    this.hold?.drop();
  }
}
