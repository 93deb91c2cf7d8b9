import { currentClock, type Clock } from '../clock.js';
import { backoff, type Backoff, backoffLike } from '../connection/backoff.js';
import type { Sink, Stage } from '../connection/flow.js';
import { checkOptions, clockLike, either, oneOf, sinkLike, stageLike, text } from '../options.js';
import { defineStage } from '../operators/define-stage.js';
import { compileRules, type AnyRule, type RouteMatch } from './compile-rules.js';
import { conditionText } from './condition-text.js';
import { RouteSession, type RoutePlan } from './route-session.js';
import type { OtherwiseOutput, Rule, RouteOutput } from './rule.js';

/** Options of {@link route}. */
export interface RouteOptions<I, O = never> {
  /** `first` (default): to the first rule that matches. `all`: to each; the message is done when all are done with it. */
  readonly match?: RouteMatch;
  /**
   * What becomes of a message that no rule takes: `dead` (default) is nacked with UNROUTED, `drop` is acked and counted, a
   * stage or sink gets it like a rule's.
   */
  readonly otherwise?: Stage<I, O> | Sink<I> | 'dead' | 'drop';
  /** What reports and graphs call it; its branches are `name/rule`. Default `route`. */
  readonly name?: string;
  /** Waits before a branch that failed without having taken a message is subscribed again. Default `backoff()`. */
  readonly restart?: Backoff;
  /** Default: the clock in force on subscribe. */
  readonly clock?: Clock;
}

/**
 * Gives each message to the branch of the rule that matches it; what the branches' stages emit is the output. Rules are
 * tried in their order, whatever their kind, but exact matchers are looked up: their number does not slow a message down.
 *
 * A message goes on unchanged, with its settlement, to exactly one branch; with `match: 'all'` and several matches each
 * gets a part, and the message is acked when all parts are, nacked by the first nack. Sinks settle what they get. A `when`
 * that throws, or gives a promise, nacks its message as `dead` with HANDLER_FAILED.
 *
 * Branches do not disturb each other. Each may have a budget of unsettled messages and a policy for more. A stage that
 * fails has its messages nacked with HANDLER_FAILED and is subscribed again, with a `stage.failed` event; one that completes
 * early is over, and what its rule matches goes to `otherwise`.
 *
 * All branches are subscribed before the source. Completes when the source has, every branch has given out what waited, and
 * all stages and sinks are done. On unsubscribe what waits goes back untouched, and sinks are completed.
 *
 * @example
 * import { field, greaterThan, payload, route, topic } from 'sluice';
 * orders.pipe(
 *   route([
 *     { name: 'created', when: topic('orders/+/created'), to: payload(bill) },
 *     { name: 'large', when: field('total', greaterThan(10_000)), to: reviews, budget: 8 },
 *   ]),
 * );
 * @throws SluiceError `CONFIG_INVALID` for an option out of range, a rule that is none, a name used twice, or a rule that
 * is never reached; the text names the rule and its position from 0. The flow errors for a branch that is wired wrongly
 * @see Rule
 * @see topic
 */
export function route<I, const R extends readonly Rule<I>[], O = never>(
  rules: R,
  options?: RouteOptions<I, O>,
): Stage<I, RouteOutput<R> | OtherwiseOutput<O>>;
// The same where no flow around it says what the payload is, but the rules do. In one signature functions lose theirs.
export function route<I, const R extends readonly Rule<I>[], O = never>(
  // eslint-disable-next-line @typescript-eslint/unified-signatures
  rules: R & readonly Rule<I>[],
  options?: RouteOptions<I, O>,
): Stage<I, RouteOutput<R> | OtherwiseOutput<O>>;
export function route<I, O>(rules: readonly AnyRule[], options: RouteOptions<I, O> = {}): Stage<I, O> {
  checkOptions<RouteOptions<I, O>>('route', options, {
    match: oneOf('first', 'all'),
    otherwise: either(oneOf('dead', 'drop'), stageLike, sinkLike),
    name: text,
    restart: backoffLike,
    clock: clockLike,
  });
  const { match = 'first', name = 'route', otherwise = 'dead', restart = backoff() } = options;
  const plan: RoutePlan = {
    name,
    match,
    compiled: compileRules(name, rules, match),
    rules: [...rules],
    otherwise,
    restart,
  };
  const branches = rules.map((rule) => ({
    label: `${rule.name}: ${conditionText(rule.when)}`,
    to: rule.to,
  }));
  if (typeof otherwise !== 'string') branches.push({ label: 'otherwise', to: otherwise });
  return defineStage(name, (output) => new RouteSession(plan, output, options.clock ?? currentClock()), branches);
}
