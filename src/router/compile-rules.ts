import type { Clock } from '../clock.js';
import { checkAll } from '../connection/check-all.js';
import type { Message } from '../message/message.js';
import {
  anything,
  checkArgument,
  checkOptions,
  configInvalid,
  either,
  integer,
  oneOf,
  type OptionRule,
  required,
  sinkLike,
  stageLike,
  text,
} from '../options.js';
import { whenFault } from './check-condition.js';
import { Found } from './found.js';
import type { AnyCondition, AnyWhen, SequenceMatcher } from './matcher.js';
import type { Rule } from './rule.js';
import { NONE, RuleIndex } from './rule-index.js';
import { SequenceIndex, SequenceState } from './sequence-state.js';
import { Reachability } from './unreachable.js';

/**
 * Whether a message goes to the first rule that matches, or to all of them.
 *
 * @see route
 */
export type RouteMatch = 'first' | 'all';

/** A rule of any payload, as the router itself holds it. @internal */
export type AnyRule = Rule<never>;

const RULES: OptionRule = (value) => (Array.isArray(value) ? undefined : 'expected an array of rules');

/** Finds the rules for the messages of one subscription. @internal */
export interface RuleMatcher {
  /** The first rule that matches, or {@link NONE}. */
  first(message: Message<unknown>): number;
  /** All rules that match, ascending. The list is used again for the next message. */
  all(message: Message<unknown>): Found;
  /** Which rule to blame when one of these threw, or {@link NONE}. */
  readonly trying: number;
}

/** Rules that were checked and made ready, once for all subscriptions. @internal */
export interface CompiledRules {
  start(clock: Clock): RuleMatcher;
}

/**
 * Checks rules and makes them ready. What is wrong is told with the rule's position (from 0) and name.
 *
 * @throws SluiceError `CONFIG_INVALID`: an unknown key, a matcher that is none, a name used twice, or, when the first match
 * wins, a rule that can never be reached
 * @internal
 */
export function compileRules(owner: string, rules: readonly AnyRule[], match: RouteMatch): CompiledRules {
  checkArgument(owner, 'rules', rules, RULES);
  // By their entries, of which holes are some.
  const entries = [...rules.entries()];
  // Backwards, so that of several rules with one name the first has it.
  const owners = new Map(entries.map(([at, rule]) => [nameOf(rule), at] as const).reverse());
  const reachability = new Reachability();
  const checks = entries.map(([at, rule]) => (): void => {
    const label = `${owner}: ${labelOf(at, rule)}`;
    checkRule(label, rule);
    const faults: string[] = [];
    const namesake = owners.get(rule.name);
    if (namesake !== at) faults.push(`rule ${namesake} has the same name`);
    const taker = match === 'first' && !isSequence(rule.when) ? reachability.add(rule.when, at) : NONE;
    if (taker !== NONE) faults.push(`it is never reached, ${labelOf(taker, rules[taker])} takes all it matches`);
    if (faults.length > 0) throw configInvalid(label, faults);
  });
  checkAll(owner, checks);
  const conditions: (AnyCondition | undefined)[] = [];
  const sequences: SequenceMatcher<never>[] = [];
  const sequenceRules: number[] = [];
  for (const [at, { when }] of entries) {
    conditions.push(isSequence(when) ? undefined : when);
    if (!isSequence(when)) continue;
    sequences.push(when);
    sequenceRules.push(at);
  }
  const index = new RuleIndex(conditions);
  if (sequences.length === 0) return { start: () => new IndexMatcher(index) };
  const steps = new SequenceIndex(sequenceRules, sequences);
  return { start: (clock) => new SequenceMatching(index, new SequenceState(steps, clock)) };
}

function isSequence(when: AnyWhen): when is SequenceMatcher<never> {
  return typeof when === 'object' && when.kind === 'sequence';
}

/** Also of what is no rule. */
function nameOf(rule: AnyRule | undefined): unknown {
  return (rule as { name?: unknown } | null | undefined)?.name;
}

function labelOf(at: number, rule: AnyRule | undefined): string {
  const name = nameOf(rule);
  return typeof name === 'string' && name !== '' ? `rule ${at} '${name.slice(0, 64)}'` : `rule ${at}`;
}

function checkRule(label: string, rule: AnyRule): void {
  if (typeof rule !== 'object' || (rule as unknown) === null) throw configInvalid(label, ['expected an object']);
  checkOptions<AnyRule>(label, rule, {
    name: required(text),
    when: required(anything),
    to: required(either(stageLike, sinkLike)),
    budget: integer(1),
    overflow: oneOf('wait', 'drop-oldest', 'drop-newest', 'conflate', 'fail'),
  });
  const fault = whenFault(rule.when);
  if (fault !== undefined) throw configInvalid(label, [fault]);
  if (rule.overflow !== undefined && rule.budget === undefined)
    throw configInvalid(label, [`'overflow' needs a 'budget': without one nothing overflows`]);
}

class IndexMatcher implements RuleMatcher {
  private readonly index: RuleIndex;
  private readonly found = new Found();

  constructor(index: RuleIndex) {
    this.index = index;
  }

  get trying(): number {
    return this.index.trying;
  }

  first(message: Message<unknown>): number {
    return this.index.first(message);
  }

  all(message: Message<unknown>): Found {
    this.found.count = 0;
    this.index.all(message, this.found);
    return this.found;
  }
}

/** The same with sequences: they see each message, whatever else matches. */
class SequenceMatching implements RuleMatcher {
  private readonly index: RuleIndex;
  private readonly sequences: SequenceState;
  private readonly found = new Found();
  private observing = false;

  constructor(index: RuleIndex, sequences: SequenceState) {
    this.index = index;
    this.sequences = sequences;
  }

  get trying(): number {
    return this.observing ? this.sequences.trying : this.index.trying;
  }

  first(message: Message<unknown>): number {
    const observed = this.observe(message);
    const completed = observed.count === 0 ? undefined : observed.at(0);
    const found = this.index.first(message, completed);
    return found === NONE ? (completed ?? NONE) : found;
  }

  all(message: Message<unknown>): Found {
    const found = this.observe(message);
    this.index.all(message, found);
    return found;
  }

  private observe(message: Message<unknown>): Found {
    this.found.count = 0;
    this.observing = true;
    this.sequences.observe(message, this.found);
    this.observing = false;
    return this.found;
  }
}
