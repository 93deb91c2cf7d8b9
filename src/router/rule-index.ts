import type { Message } from '../message/message.js';
import { compileCondition, type Predicate, type Reading } from './compile-condition.js';
import { Found } from './found.js';
import type { AnyCondition } from './matcher.js';
import { planOf, type RulePlan } from './rule-plan.js';
import type { TopicSyntax } from './topic-pattern.js';
import { TopicTrie } from './topic-trie.js';

/** All rules that look at the same thing of a message. */
interface LookUp {
  readonly read: Reading;
  /** Where one rule is all there is, and nothing is left to check, its number stands for the list: one look less. */
  readonly rules: Map<unknown, number | number[]>;
}

/** No rule matches. @internal */
export const NONE = -1;

/**
 * Finds the rules that match a message. Rules with exact matchers are looked up, topic patterns are walked as a tree, and
 * only the rest is tried one by one; so a message costs the number of different things that are looked at, not the
 * number of rules. Whatever finds a rule, the order of the rules alone decides.
 *
 * Keeps nothing from one message to the next, so one index serves every subscription.
 *
 * @internal
 */
export class RuleIndex {
  /** The rule whose function is being called: the one to blame when it throws. */
  trying: number = NONE;
  private readonly count: number;
  private readonly lookUps: readonly LookUp[];
  private readonly tries: readonly TopicTrie[];
  /** What is left to check when a rule was found; by rule. */
  private readonly checks: readonly (Predicate | undefined)[];
  /** Rules that cannot be found, only tried. Ascending. */
  private readonly tried: readonly number[];
  /** The rules whose patterns match the message at hand. */
  private readonly hits = new Found();
  /** What the function of a rule threw while the first that matches was looked for. */
  private failure: { readonly rule: number; readonly error: unknown } | undefined = undefined;

  /** A rule without a condition is never found here. */
  constructor(conditions: readonly (AnyCondition | undefined)[]) {
    this.count = conditions.length;
    const lookUps = new Map<string, LookUp>();
    const tries = new Map<TopicSyntax, TopicTrie>();
    const checks: (Predicate | undefined)[] = [];
    const tried: number[] = [];
    for (const [rule, condition] of conditions.entries()) {
      const plan = condition === undefined ? undefined : planOf(condition);
      checks.push(plan === undefined && condition !== undefined ? compileCondition(condition) : plan?.check);
      if (plan !== undefined) addPlan(plan, rule, lookUps, tries);
      else if (condition !== undefined) tried.push(rule);
    }
    this.lookUps = [...lookUps.values()];
    this.tries = [...tries.values()];
    this.checks = checks;
    this.tried = tried;
  }

  /** The first rule in the order of the rules that matches below `limit`, or {@link NONE}. */
  first(message: Message<unknown>, limit: number = this.count): number {
    let best = limit;
    this.trying = NONE;
    this.failure = undefined;
    for (const { read, rules } of this.lookUps) {
      const value = read(message);
      if (value === undefined) continue;
      const found = rules.get(value);
      if (found === undefined) continue;
      if (typeof found === 'object') best = this.firstOf(found, message, best);
      else if (found < best) best = found;
    }
    if (this.tries.length > 0) best = this.firstPattern(message, best);
    if (this.tried.length > 0) best = this.firstOf(this.tried, message, best);
    this.throwAt(best);
    return best === limit ? NONE : best;
  }

  /** Adds every rule that matches, ascending. */
  all(message: Message<unknown>, into: Found): void {
    this.trying = NONE;
    for (const { read, rules } of this.lookUps) {
      const value = read(message);
      if (value === undefined) continue;
      const found = rules.get(value);
      if (typeof found === 'number') into.add(found);
      else if (found !== undefined) this.allOf(found, message, into);
    }
    if (this.tries.length > 0) {
      const hits = this.patternsOf(message);
      for (let at = 0; at < hits.count; at += 1) if (this.passes(hits.at(at), message)) into.add(hits.at(at));
    }
    this.allOf(this.tried, message, into);
    into.settle();
  }

  private firstOf(rules: readonly number[], message: Message<unknown>, limit: number): number {
    for (const rule of rules) {
      if (rule >= limit) return limit;
      if (this.mayPass(rule, message)) return rule;
    }
    return limit;
  }

  private firstPattern(message: Message<unknown>, limit: number): number {
    const hits = this.patternsOf(message);
    for (let at = 0; at < hits.count && hits.at(at) < limit; at += 1)
      if (this.mayPass(hits.at(at), message)) return hits.at(at);
    return limit;
  }

  private allOf(rules: readonly number[], message: Message<unknown>, into: Found): void {
    for (const rule of rules) if (this.passes(rule, message)) into.add(rule);
  }

  /** Rules are not met in their order: a function that throws counts only when no rule above it matches. */
  private mayPass(rule: number, message: Message<unknown>): boolean {
    try {
      return this.passes(rule, message);
    } catch (error) {
      this.failure = { rule, error };
      return true;
    }
  }

  private throwAt(rule: number): void {
    if (this.failure?.rule !== rule) return;
    this.trying = rule;
    throw this.failure.error;
  }

  private passes(rule: number, message: Message<unknown>): boolean {
    const check = this.checks[rule];
    if (check === undefined) return true;
    this.trying = rule;
    return check(message);
  }

  private patternsOf(message: Message<unknown>): Found {
    const { hits } = this;
    hits.count = 0;
    for (const trie of this.tries) trie.collect(message.topic, hits);
    hits.settle();
    return hits;
  }
}

function addPlan(plan: RulePlan, rule: number, lookUps: Map<string, LookUp>, tries: Map<TopicSyntax, TopicTrie>): void {
  for (const { dimension, read, value } of plan.exact) {
    let lookUp = lookUps.get(dimension);
    if (lookUp === undefined) lookUps.set(dimension, (lookUp = { read, rules: new Map<unknown, number | number[]>() }));
    const rules = lookUp.rules.get(value);
    if (rules === undefined) lookUp.rules.set(value, plan.check === undefined ? rule : [rule]);
    else if (typeof rules === 'number') lookUp.rules.set(value, rules === rule ? rule : [rules, rule]);
    // An `or` may name one value twice.
    else if (rules.at(-1) !== rule) rules.push(rule);
  }
  for (const { pattern, syntax } of plan.topics) {
    let trie = tries.get(syntax);
    if (trie === undefined) tries.set(syntax, (trie = new TopicTrie(syntax)));
    trie.add(pattern, rule);
  }
}
