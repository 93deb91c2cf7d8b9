import type { Output } from '../connection/attach.js';
import type { Clock } from '../clock.js';
import type { Backoff } from '../connection/backoff.js';
import { descriptionOf } from '../connection/describe.js';
import type { Sink, Stage } from '../connection/flow.js';
import { type Trampoline, trampolineOf } from '../connection/trampoline.js';
import { SluiceError } from '../errors.js';
import { handBack, mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { fork } from '../message/settlement.js';
import { report } from '../observability/observe.js';
import { failed, type StageObserver } from '../operators/define-stage.js';
import { Branch, type BranchOwner } from './branch.js';
import type { AnyRule, CompiledRules, RouteMatch, RuleMatcher } from './compile-rules.js';
import { NONE } from './rule-index.js';
import { SinkTarget } from './sink-target.js';
import { StageTarget } from './stage-target.js';
import { StatelessWay } from './stateless-way.js';
import type { TargetOwner, Way } from './target.js';

/** A router as it was built, the same for every subscription. @internal */
export interface RoutePlan {
  readonly name: string;
  readonly match: RouteMatch;
  readonly rules: readonly AnyRule[];
  readonly compiled: CompiledRules;
  readonly otherwise: Stage<never, unknown> | Sink<never> | 'dead' | 'drop';
  readonly restart: Backoff;
}

/**
 * One subscription of a router: its branches, all subscribed before the source is, and what the messages are given to.
 *
 * @internal
 */
export class RouteSession<I, O> implements StageObserver<I>, BranchOwner<I, O> {
  readonly trampoline: Trampoline;
  private readonly plan: RoutePlan;
  private readonly clock: Clock;
  private readonly output: Output<O>;
  private readonly matcher: RuleMatcher;
  /**
   * By rule the way it leads, shared by rules that lead to one sink, and then what holds a message that went to it: side by side,
   * as of many rules most are not in the processor's cache, and each look beyond it costs as much as routing does.
   */
  private readonly places: readonly (Way<I> | string)[];
  /** What holds a message that no rule took. */
  private readonly elsewhere: string;
  private readonly otherwise: Way<I> | undefined;
  /** Each once. */
  private readonly all: ReadonlySet<Way<I>>;
  /** That of all rules without a budget. */
  private readonly sinkTargets = new Map<Sink<I>, SinkTarget<I>>();
  private readonly statelessWays = new Map<Stage<I, O>, StatelessWay<I, O>>();
  /** What stages without a state give to. */
  private readonly through: Output<O> = {
    closed: false,
    next: (message) => this.emit(message),
    error: (error) => this.error(error),
    complete: () => this.ended(),
  };
  /** Made once: it says nothing of a message, and a stack per message would cost more than routing it. */
  private readonly unroutable: SluiceError;
  private unfinished: number;
  private dropped = 0;
  private completed = false;

  constructor(plan: RoutePlan, output: Output<O>, clock: Clock) {
    const { name, rules, otherwise } = plan;
    this.plan = plan;
    this.output = output;
    this.clock = clock;
    this.trampoline = trampolineOf(clock);
    this.matcher = plan.compiled.start(clock);
    this.unroutable = new SluiceError('UNROUTED', `No rule of ${name} takes the message; add one, or set otherwise.`);
    this.elsewhere = `${name}/otherwise`;
    const labels = rules.map((rule) => `${name}/${rule.name}`);
    const ways = rules.map((rule, at) => this.way(labels[at] as string, rule.to, rule));
    this.places = ways.flatMap((way, at) => [way, labels[at] as string]);
    if (typeof otherwise !== 'string') this.otherwise = this.way(this.elsewhere, otherwise, {});
    this.all = new Set([...ways, ...(this.otherwise === undefined ? [] : [this.otherwise])]);
    this.unfinished = this.all.size;
    try {
      for (const way of this.all) way.start();
    } catch (error) {
      // Nothing is read then, and nobody else would stop those that have started.
      for (const way of this.all) way.stop();
      throw error;
    }
  }

  next(message: Message<I>): void {
    let rule: number = NONE;
    let several: number[] | undefined;
    try {
      if (this.plan.match === 'first') rule = this.matcher.first(message);
      else {
        const found = this.matcher.all(message);
        if (found.count === 1) rule = found.at(0);
        else if (found.count > 1) several = found.toArray();
      }
    } catch (error) {
      this.blame(message, error);
      return;
    }
    if (several === undefined) this.give(rule, message);
    else {
      const parts = fork(message, several.length);
      for (const [at, each] of several.entries()) this.give(each, parts[at] as Message<I>);
    }
  }

  error(error: unknown): void {
    for (const way of this.all) way.error(error);
    this.output.error(error);
  }

  complete(): void {
    this.completed = true;
    for (const way of this.all) if (!way.isOver) way.complete();
    this.finishIfDone();
  }

  teardown(): void {
    for (const way of this.all) way.stop();
  }

  emit(message: Message<O>): void {
    // Nobody would settle it.
    if (this.output.closed) handBack(message);
    else this.output.next(message);
  }

  orphaned(message: Message<I>): void {
    this.unrouted(message);
  }

  ended(): void {
    this.unfinished -= 1;
    this.finishIfDone();
  }

  private way(label: string, to: AnyRule['to'], { budget, overflow }: Partial<AnyRule>): Way<I> {
    if (typeof to !== 'function' && budget === undefined) {
      const sink = to as unknown as Sink<I>;
      let target = this.sinkTargets.get(sink);
      if (target === undefined) this.sinkTargets.set(sink, (target = this.sinkTarget(sink, label, this)));
      return target;
    }
    if (budget === undefined && descriptionOf(to)?.stateless === true) return this.stateless(to as never);
    return new Branch<I, O>(label, budget ?? Infinity, overflow ?? 'wait', this, (owner) =>
      typeof to === 'function'
        ? new StageTarget(to as unknown as Stage<I, O>, label, this.clock, this.plan.restart, owner)
        : this.sinkTarget(to as unknown as Sink<I>, label, owner),
    );
  }

  private stateless(stage: Stage<I, O>): StatelessWay<I, O> {
    let way = this.statelessWays.get(stage);
    if (way === undefined) this.statelessWays.set(stage, (way = new StatelessWay(stage, this.through)));
    return way;
  }

  private sinkTarget(sink: Sink<I>, label: string, owner: Pick<TargetOwner<never>, 'ended'>): SinkTarget<I> {
    return new SinkTarget(sink, label, owner, (error) => this.error(error));
  }

  private give(rule: number, message: Message<I>): void {
    const { places } = this;
    const way = rule === NONE ? undefined : (places[2 * rule] as Way<I>);
    if (way === undefined || way.isOver) {
      this.unrouted(message);
      return;
    }
    mark(message, places[2 * rule + 1] as string);
    way.next(message);
  }

  private unrouted(message: Message<I>): void {
    const { otherwise } = this;
    const { name } = this.plan;
    if (otherwise !== undefined && !otherwise.isOver) {
      mark(message, this.elsewhere);
      otherwise.next(message);
      return;
    }
    mark(message, name);
    if (this.plan.otherwise !== 'drop') {
      message.nack(this.unroutable, 'dead');
      return;
    }
    this.dropped += 1;
    message.ack('unrouted');
    report({ type: 'message.overflowed', connector: name, policy: 'unrouted', count: this.dropped });
  }

  private blame(message: Message<I>, error: unknown): void {
    const rule = this.plan.rules[this.matcher.trying];
    const stage = rule === undefined ? this.plan.name : `${this.plan.name}/${rule.name}`;
    mark(message, stage);
    failed(message, error, stage, 'dead');
  }

  private finishIfDone(): void {
    if (this.completed && this.unfinished === 0 && !this.output.closed) this.output.complete();
  }
}
