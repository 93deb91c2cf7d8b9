import { Subject, type Subscription } from 'rxjs';
import { type Output, subscribeTo } from '../connection/attach.js';
import type { Flow, Sink, Stage } from '../connection/flow.js';
import { holdSink, refuseClosed, type SinkHold } from '../connection/hold-sink.js';
import {
  checkArgument,
  checkOptions,
  either,
  flowLike,
  oneOf,
  type OptionRule,
  sinkLike,
  stageLike,
} from '../connection/options.js';
import { sinkThrew } from '../connection/sink-threw.js';
import { isSluiceError, SluiceError, toSluiceError } from '../errors.js';
import { type Envelope, mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { Fork, type ForkSettle } from '../message/settlement.js';
import { report } from '../observability/observe.js';
import { defineStage, type StageObserver } from './define-stage.js';
import { OpenMessages } from './open-messages.js';

/**
 * One way out of {@link fanout}: a stage, whose results come out of the fan-out, or a sink.
 */
export type FanoutBranch<I, O = unknown> = Stage<I, O> | Sink<I>;

/**
 * What comes out of the branches of {@link fanout}: what its stages give; sinks let nothing out.
 */
export type FanoutOutput<B extends readonly unknown[]> = B[number] extends infer T
  ? T extends Stage<never, infer O>
    ? O
    : never
  : never;

/**
 * Options of {@link fanout}.
 */
export interface FanoutOptions {
  /** Done when every branch acked its part (`all`, default), or when the first one did (`any`). */
  readonly settle?: ForkSettle;
}

/**
 * Every message into each branch, as a part of its own. With `all` the message is acked when all branches acked their
 * parts, and nacked by the first nack; with `any` acked by the first ack, and nacked when every part was. What comes out
 * of branches that are stages is merged. The slowest branch sets the pace.
 *
 * Branches are subscribed before the source. One that errors ends alone: it is reported as `stage.failed`, what it held is
 * redelivered, and it starts anew with the next message. One that completes early gets no more, and what was inside is
 * redelivered for the others; when all have, the fan-out completes and leaves its source. When the source has completed, so
 * do the branches, then the flow; sinks are completed with the last flow that gives to them. Under `any` a branch that is
 * behind by the whole credit is left out until it has caught up.
 *
 * @example
 * import { each, fanout, memorySink } from 'sluice';
 * orders.pipe(fanout([memorySink(broker, { topic: 'audit' }), each(bill)]));
 * @param branches at least one
 * @throws SluiceError `CONFIG_INVALID` without a branch. The flow errors with SINK_CLOSED where a sink has ended, and with
 * the error of a branch that is wired wrongly, before anything is read
 * @see fork
 * @see route
 */
export function fanout<I, const B extends readonly FanoutBranch<I>[]>(
  branches: B,
  options?: FanoutOptions,
): Stage<I, FanoutOutput<B>>;
// The same where no flow around it says what the payload is, but the branches do. In one signature functions lose theirs.
export function fanout<I, const B extends readonly FanoutBranch<I>[]>(
  // eslint-disable-next-line @typescript-eslint/unified-signatures
  branches: B & readonly FanoutBranch<I>[],
  options?: FanoutOptions,
): Stage<I, FanoutOutput<B>>;
export function fanout<I, O>(branches: readonly FanoutBranch<I, O>[], options: FanoutOptions = {}): Stage<I, O> {
  checkArgument('fanout', 'branches', branches, BRANCHES);
  for (const [at, branch] of branches.entries()) checkArgument('fanout', `branch ${at + 1}`, branch, BRANCH);
  checkOptions<FanoutOptions>('fanout', options, { settle: oneOf('all', 'any') });
  return defineStage(
    'fanout',
    (output) => new Fanout<I, O>(branches, options.settle ?? 'all', output),
    branches.map((to, at) => ({ label: String(at + 1), to })),
  );
}

const BRANCH = either(stageLike, sinkLike);
const BRANCHES: OptionRule = (value) =>
  Array.isArray(value) && value.length > 0 ? undefined : 'expected an array of at least one stage or sink';

class Fanout<I, O> implements StageObserver<I> {
  private readonly branches: Branch<I, O>[];
  private readonly settle: ForkSettle;
  private readonly output: Output<O>;
  /** All branches were started. */
  private isReady = false;

  constructor(ways: readonly FanoutBranch<I, O>[], settle: ForkSettle, output: Output<O>) {
    this.settle = settle;
    this.output = output;
    for (const to of ways) if (typeof to !== 'function') refuseClosed(to, 'fanout');
    this.branches = ways.map((to) => new Branch(to, output, () => this.ended()));
    try {
      for (const branch of this.branches) branch.start();
    } catch (error) {
      // Nothing is read then, and nobody else would stop those that have started.
      this.teardown();
      throw error;
    }
    this.isReady = true;
    this.ended();
  }

  next(message: Message<I>): void {
    mark(message, 'fanout');
    const fork = new Fork(message, this.settle);
    const taking = this.taking((message as Envelope<I>).root.settler.limit());
    const parts = taking.map(() => fork.add(message.payload));
    fork.seal();
    taking.forEach((branch, at) => branch.next(parts[at] as Message<I>));
  }

  /** Under `any` nothing waits for a branch that is behind, so it must not pile up what the others have done. */
  private taking(limit: number): Branch<I, O>[] {
    const open = this.branches.filter((branch) => !branch.isOver);
    if (this.settle === 'all') return open;
    const keepingUp = open.filter((branch) => !branch.isBehind(Math.max(1, limit)));
    return keepingUp.length > 0 ? keepingUp : open;
  }

  complete(): void {
    for (const branch of this.branches) branch.complete();
    this.ended();
  }

  teardown(): void {
    for (const branch of this.branches) branch.stop();
  }

  /** Also when the source goes on: nobody is left who takes anything, and acking it would lose it. */
  private ended(): void {
    if (this.isReady && !this.output.closed && this.branches.every((branch) => branch.isOver)) this.output.complete();
  }
}

/** One way out at work: its feed, and the parts that are inside it. */
class Branch<I, O> {
  isOver = false;
  private readonly to: FanoutBranch<I, O>;
  private readonly output: Output<O>;
  private readonly ended: () => void;
  private feed = new Subject<Message<I>>();
  private subscription: Subscription | undefined;
  /** Of a sink. */
  private hold: SinkHold | undefined;
  /** What a failing branch takes with it. */
  private readonly inside = new OpenMessages();
  private completing = false;
  /** Why it cannot be started, now or ever: it is wired wrongly. */
  private impossible: SluiceError | undefined = undefined;

  constructor(to: FanoutBranch<I, O>, output: Output<O>, ended: () => void) {
    this.to = to;
    this.output = output;
    this.ended = ended;
  }

  /** @throws SluiceError when it can never be started. */
  start(): void {
    this.open();
    if (this.impossible !== undefined) throw this.impossible;
  }

  private open(): void {
    if (typeof this.to !== 'function') {
      this.hold = holdSink(this.to, 'fanout', (error) => this.output.error(error));
      return;
    }
    this.feed = new Subject();
    let flow: Flow<O>;
    try {
      flow = this.to(this.feed);
      checkArgument('fanout', 'what a branch gives', flow, flowLike);
    } catch (error) {
      this.failed(error);
      return;
    }
    const subscription = subscribeTo(flow, {
      next: (message) => {
        this.inside.remove(message);
        this.output.next(message);
      },
      error: (error: unknown) => this.failed(error),
      complete: () => this.over(),
    });
    // It may have failed or completed while it was being subscribed.
    this.subscription = subscription.closed ? undefined : subscription;
  }

  /** What it did not let out before it completed by itself is no longer worked on. */
  private over(): void {
    this.isOver = true;
    const left = this.completing ? [] : this.inside.takeOpen();
    if (left.length > 0) {
      const reason = new SluiceError('HANDLER_FAILED', 'A branch of fanout completed with messages inside.', {
        retriable: true,
      });
      report({ type: 'stage.failed', stage: 'fanout', reason });
      for (const part of left) part.nack(reason);
    }
    this.ended();
  }

  isBehind(limit: number): boolean {
    return this.inside.holds(limit);
  }

  next(part: Message<I>): void {
    if (typeof this.to === 'function') {
      this.inside.add(part);
      if (this.subscription === undefined) this.open();
      // Otherwise it failed at once, and took the part with it.
      if (this.subscription !== undefined) this.feed.next(part);
      return;
    }
    try {
      this.to.next(part);
    } catch (error) {
      sinkThrew(part, 'fanout', error);
    }
  }

  complete(): void {
    this.completing = true;
    if (this.isOver) return;
    if (typeof this.to !== 'function') {
      this.hold?.leave(() => {
        this.isOver = true;
        this.ended();
      });
    } else if (this.subscription === undefined) this.isOver = true;
    else this.feed.complete();
  }

  stop(): void {
    this.subscription?.unsubscribe();
    this.subscription = undefined;
    this.hold?.drop();
  }

  private failed(error: unknown): void {
    this.subscription = undefined;
    const reason = toSluiceError(error, 'HANDLER_FAILED', 'A branch of fanout failed');
    report({ type: 'stage.failed', stage: 'fanout', reason });
    for (const part of this.inside.takeOpen()) part.nack(reason);
    if (isSluiceError(error) && !error.retriable) this.impossible = error;
    if (!this.completing) return;
    this.isOver = true;
    this.ended();
  }
}
