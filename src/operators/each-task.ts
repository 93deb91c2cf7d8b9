import type { Subscribable, Unsubscribable } from 'rxjs';
import type { Cancel } from '../clock.js';
import { isSluiceError, SluiceError } from '../errors.js';
import { type Envelope, isOpen, isTakenBack, NACKED } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { Fork, originsOf } from '../message/settlement.js';
import { report } from '../observability/observe.js';
import type { EachRunner } from './each-runner.js';
import type { Try, Work } from './each.js';

/**
 * The only try of work that is neither timed nor tried again.
 *
 * @internal
 */
export class PlainTry implements Try {
  readonly number = 1 as number;
  private readonly message: Message<unknown>;

  constructor(message: Message<unknown>) {
    this.message = message;
  }

  get signal(): AbortSignal {
    return this.message.signal;
  }
}

/** Settles a message whose work was given up; `fork` holds the parts that came out before, if any. */
export type GiveUp<I> = (message: Message<I>, fork: Fork | undefined) => void;

/** In all, by a schedule that does not say how many: a message that always fails must not hold its place for ever. */
const TRIES = 3;

const NOTHING: readonly Envelope<unknown>[] = [];

/** A try that can be given up before its message is settled. */
class TimedTry implements Try {
  readonly number: number;
  private readonly message: Message<unknown>;
  /** Made when the signal is first asked for. */
  private controller: AbortController | undefined;
  private reason: unknown;

  constructor(message: Message<unknown>, number: number) {
    this.message = message;
    this.number = number;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.reason !== undefined) this.controller.abort(this.reason);
    }
    return AbortSignal.any([this.controller.signal, this.message.signal]);
  }

  abort(reason: unknown): void {
    this.reason ??= reason;
    this.controller?.abort(reason);
  }
}

/**
 * One message being worked on: its tries, its timeout and what it gave so far. Used again for other messages.
 *
 * @internal
 */
export class EachTask<I, O> {
  message: Message<I> | undefined;
  /** Where the runner keeps it, and since when in the order of all. */
  index = 0;
  order = 0;
  private readonly runner: EachRunner<I, O>;
  private tries = 0;
  /** Grows with the end of every try, so that the result of one that was given up is recognised. */
  private generation = 0;
  private current: TimedTry | undefined;
  private cancelTimer: Cancel | undefined;
  private inner: Unsubscribable | undefined;
  /** What the end of the message is seen by, while its Observable runs or it waits for its next try. */
  private watched: readonly Envelope<unknown>[] = NOTHING;
  /** Kept over tries: the parts that a failed one gave count too. */
  private fork: Fork | undefined;

  constructor(runner: EachRunner<I, O>) {
    this.runner = runner;
  }

  /** Begins a try. */
  start(): void {
    const { runner } = this;
    const message = this.message as Message<I>;
    this.tries += 1;
    this.current = new TimedTry(message, this.tries);
    let result: Work<O>;
    let isThere: boolean;
    try {
      result = runner.work(message.payload, message, this.current);
      isThere = isValue(result);
    } catch (error) {
      this.failed(error);
      return;
    }
    if (isThere) {
      this.finish(result as O);
      return;
    }
    const { timeoutMs } = runner.options;
    if (timeoutMs !== undefined) this.cancelTimer = runner.clock.timer(timeoutMs, () => this.tooLate(timeoutMs));
    this.follow(result as PromiseLike<O> | Subscribable<O>);
  }

  /** Waits for a result. */
  follow(result: PromiseLike<O> | Subscribable<O>): void {
    // A promise of the language answers once, so where no try is given up its answer is this message's.
    if (this.runner.isSimple && Object.getPrototypeOf(result) === Promise.prototype) {
      (result as Promise<O>).then(this.fulfilled, this.rejected);
      return;
    }
    const { generation } = this;
    try {
      if (isSubscribable(result)) this.subscribe(result);
      else {
        result.then(
          (value) => {
            if (generation === this.generation) this.finish(value);
          },
          (error: unknown) => {
            if (generation === this.generation) this.failed(error);
          },
        );
      }
    } catch (error) {
      if (generation === this.generation) this.failed(error);
    }
  }

  // Made once for all messages of this task. Without a message it was abandoned, and is not used again.
  private readonly fulfilled = (value: O): void => {
    const { message, runner } = this;
    if (message === undefined) return;
    runner.finished(message, value);
    runner.done(this);
  };
  private readonly rejected = (error: unknown): void => {
    const { message, runner } = this;
    if (message === undefined) return;
    runner.fail(message, error);
    runner.done(this);
  };

  private subscribe(result: Subscribable<O>): void {
    const { generation, runner } = this;
    const message = this.message as Message<I>;
    const fork = (this.fork ??= new Fork(message));
    const subscription = result.subscribe({
      next: (value: O) => {
        if (generation !== this.generation || value === undefined) return;
        if (isOpen(message)) runner.emitPart(fork.add(value));
        // A part was refused, or the source took the message back: the rest would only be done twice.
        else this.end();
      },
      error: (error: unknown) => {
        if (generation === this.generation) this.failed(error);
      },
      complete: () => {
        if (generation !== this.generation) return;
        fork.seal();
        this.end();
      },
    });
    // It may have ended while it was being subscribed.
    if (generation !== this.generation) {
      subscription.unsubscribe();
      return;
    }
    this.inner = subscription;
    this.watch(message);
  }

  /** What can be ended at once must not keep the place of a message that is over, and comes again. */
  private watch(message: Message<I>): void {
    const { root } = message as Envelope<I>;
    // The signal of a message would say the same, but costs more than most work that is done soon.
    this.watched = root.settler.origins === undefined ? [root] : [root, ...originsOf(message)];
    for (const envelope of this.watched) envelope.watch(this.look);
    this.look();
  }

  private unwatch(): void {
    for (const envelope of this.watched) envelope.unwatch(this.look);
    this.watched = NOTHING;
  }

  private readonly look = (): void => {
    if (!isInVain(this.message as Message<I>)) return;
    this.endTry();
    const { generation } = this;
    // Settling never delivers: what waits for the place begins in a turn of its own.
    this.runner.clock.defer(() => {
      if (generation === this.generation) this.end();
    });
  };

  private finish(value: O): void {
    this.runner.finished(this.message as Message<I>, value);
    this.end();
  }

  private tooLate(timeoutMs: number): void {
    const { name } = this.runner;
    const late = new SluiceError('HANDLER_TIMEOUT', `${name} took longer than ${timeoutMs} ms (timeoutMs).`, {
      retriable: true,
      details: { stage: name },
    });
    this.current?.abort(late);
    this.failed(late);
  }

  private failed(error: unknown): void {
    const { runner } = this;
    const message = this.message as Message<I>;
    const { retry } = runner.options;
    this.endTry();
    const isFinal = isSluiceError(error) && !error.retriable;
    if (retry !== undefined && this.tries < (retry.tries ?? TRIES) && !isFinal && isOpen(message)) {
      try {
        this.again(retry.delayMs(this.tries, runner.clock));
        return;
      } catch (thrown) {
        // By a schedule of the user's own: the message has to end all the same.
        runner.fail(message, thrown);
        this.end();
        return;
      }
    }
    runner.fail(message, error);
    this.end();
  }

  private again(delayMs: number): void {
    const message = this.message as Message<I>;
    this.cancelTimer = this.runner.clock.timer(delayMs, () => {
      this.cancelTimer = undefined;
      this.unwatch();
      if (isOpen(message)) this.start();
      else this.end();
    });
    this.watch(message);
  }

  /** Ends the work without a result. */
  abandon(settle: GiveUp<I>): void {
    const message = this.message as Message<I>;
    const { fork } = this;
    this.current?.abort(new SluiceError('SETTLE_LOST', `${this.runner.name} was stopped.`));
    this.endTry();
    settle(message, fork);
  }

  /** Ends the work for good: the stage is gone. */
  drop(settle: GiveUp<I>): void {
    this.abandon(settle);
    this.message = undefined;
  }

  /** Ends the work without a (further) result; when some came out already, their settlement counts. */
  giveUp(settle: GiveUp<I>): void {
    this.abandon(settle);
    this.end();
  }

  private endTry(): void {
    this.generation += 1;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.unwatch();
    const { inner } = this;
    this.inner = undefined;
    try {
      inner?.unsubscribe();
    } catch (reason) {
      // What was worked out counts all the same, and whoever ends the try has more to do.
      report({ type: 'stage.failed', stage: this.runner.name, reason });
    }
  }

  private end(): void {
    this.endTry();
    this.tries = 0;
    this.current = undefined;
    this.fork = undefined;
    this.runner.done(this);
  }
}

/**
 * True once the message, or all that it is made of, was nacked or taken back. Work goes on whose message was acked, by itself or
 * as another branch was done first: what it does is still wanted.
 */
function isInVain(message: Message<unknown>): boolean {
  const { root } = message as Envelope<unknown>;
  if (root.state === NACKED || isTakenBack(message)) return true;
  const origins = root.settler.origins?.(root) ?? [];
  return origins.length > 0 && origins.every(isInVain);
}

/** True for a result that is there. An array or another iterable is a value like any other. Throws where asking does. @internal */
export function isValue<O>(result: Work<O>): result is O {
  if (typeof result !== 'object' || result === null) return true;
  return typeof (result as { then?: unknown }).then !== 'function' && !isSubscribable(result);
}

function isSubscribable<O>(result: object): result is Subscribable<O> {
  return typeof (result as { subscribe?: unknown }).subscribe === 'function';
}
