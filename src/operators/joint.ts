import type { Cancel } from '../clock.js';
import { attach, type Output } from '../connection/attach.js';
import type { Flow } from '../connection/flow.js';
import type { Message } from '../message/message.js';
import type { StageObserver } from './define-stage.js';

/**
 * The joint between a stage and what stands before it. After its end, and after the stage was unsubscribed, it passes
 * nothing on and what stands before it is unsubscribed.
 *
 * @internal
 */
export class Joint<I, O> implements Output<I> {
  closed = false;
  private readonly observer: StageObserver<I>;
  private readonly output: Output<O>;
  private detach: Cancel | undefined = undefined;

  constructor(observer: StageObserver<I>, output: Output<O>) {
    this.observer = observer;
    this.output = output;
  }

  attachTo(source: Flow<I>): void {
    const detach = attach(source, this);
    // It may have ended while it was being attached.
    if (this.closed) detach();
    else this.detach = detach;
  }

  next(message: Message<I>): void {
    if (!this.closed) this.observer.next(message);
  }

  error(error: unknown): void {
    if (this.closed) return;
    this.closed = true;
    if (this.observer.error === undefined) this.output.error(error);
    else this.observer.error(error);
    this.close();
  }

  complete(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.observer.complete === undefined) this.output.complete();
    else this.observer.complete();
    this.close();
  }

  close(): void {
    this.closed = true;
    const { detach } = this;
    this.detach = undefined;
    detach?.();
  }
}
