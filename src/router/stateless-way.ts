import type { Cancel } from '../clock.js';
import { attach, attachable, type Output } from '../connection/attach.js';
import type { Stage } from '../connection/flow.js';
import { handBack } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import type { Way } from './target.js';

/**
 * A stage without a state as a branch: it holds no message, so there is none to give back, and never breaks, so nothing
 * waits for it. All rules that name it without a budget share one of these.
 *
 * @internal
 */
export class StatelessWay<I, O> implements Way<I> {
  readonly isOver = false;
  private readonly stage: Stage<I, O>;
  private readonly output: Output<O>;
  /** None once the flow has ended. */
  private input: Output<I> | undefined = undefined;
  private detach: Cancel | undefined = undefined;

  constructor(stage: Stage<I, O>, output: Output<O>) {
    this.stage = stage;
    this.output = output;
  }

  start(): void {
    const entry = attachable<I>((input) => {
      this.input = input;
      return () => (this.input = undefined);
    });
    this.detach = attach(this.stage(entry), this.output);
  }

  next(message: Message<I>): void {
    const { input } = this;
    // Another branch of the same message made the flow end.
    if (input === undefined) handBack(message);
    else input.next(message);
  }

  complete(): void {
    this.input?.complete();
  }

  error(): void {
    this.stop();
  }

  stop(): void {
    this.detach?.();
  }
}
