import {
  compileCondition,
  everyOf,
  listedValues,
  type Predicate,
  readingOf,
  type Reading,
} from './compile-condition.js';
import type { AnyCondition, Scalar } from './matcher.js';
import { isExactTopic, type TopicSyntax } from './topic-pattern.js';

/** One value under which a rule is found. @internal */
export interface ExactEntry {
  /** What is looked at: equal texts look at the same thing. */
  readonly dimension: string;
  readonly read: Reading;
  readonly value: Scalar;
}

/** One pattern under which a rule is found. @internal */
export interface TopicEntry {
  readonly pattern: string;
  readonly syntax: TopicSyntax;
}

/**
 * How a rule is found without trying it: by any of its entries. `check` then says whether it matches; without one, having
 * found it is enough.
 *
 * @internal
 */
export interface RulePlan {
  readonly exact: readonly ExactEntry[];
  readonly topics: readonly TopicEntry[];
  readonly check: Predicate | undefined;
}

/** The plan of a checked condition, or `undefined` when only trying it can tell. @internal */
export function planOf(condition: AnyCondition): RulePlan | undefined {
  if (typeof condition === 'function') return undefined;
  switch (condition.kind) {
    case 'topic':
      return topicPlan(condition.pattern, condition.syntax ?? 'mqtt');
    case 'header':
    case 'field':
    case 'key': {
      const values = listedValues(condition.test);
      if (values === undefined) return undefined;
      const read = readingOf(condition);
      const dimension = dimensionOf(condition);
      const exact = [...new Set(values)].map((value) => ({ dimension, read, value }));
      return { exact, topics: [], check: undefined };
    }
    case 'and':
      return andPlan(condition.all);
    case 'or':
      return orPlan(condition.any, condition);
    case 'not':
      return undefined;
  }
}

const readTopic: Reading = (message) => message.topic;

function topicPlan(pattern: string, syntax: TopicSyntax): RulePlan {
  if (!isExactTopic(pattern, syntax)) return { exact: [], topics: [{ pattern, syntax }], check: undefined };
  return { exact: [{ dimension: 'topic', read: readTopic, value: pattern }], topics: [], check: undefined };
}

function dimensionOf(
  matcher: { kind: 'header'; name: string } | { kind: 'field'; path: string } | { kind: 'key' },
): string {
  if (matcher.kind === 'header') return `header ${matcher.name.toLowerCase()}`;
  return matcher.kind === 'field' ? `field ${matcher.path}` : 'key';
}

/** One part finds the rule, the others are checked then. The best part is the one with the fewest entries, patterns last. */
function andPlan(parts: readonly AnyCondition[]): RulePlan | undefined {
  let best: RulePlan | undefined;
  let bestAt = -1;
  for (const [at, part] of parts.entries()) {
    const plan = planOf(part);
    if (plan === undefined || (best !== undefined && weight(plan) >= weight(best))) continue;
    best = plan;
    bestAt = at;
  }
  if (best === undefined) return undefined;
  const { check } = best;
  // In their order, as the first ones may be there so that a later function need not expect everything.
  const checks = parts.flatMap((part, at) => (at === bestAt ? (check ?? []) : compileCondition(part)));
  return { ...best, check: checks.length === 0 ? undefined : everyOf(checks) };
}

function orPlan(parts: readonly AnyCondition[], whole: AnyCondition): RulePlan | undefined {
  const plans: RulePlan[] = [];
  for (const part of parts) {
    const plan = planOf(part);
    if (plan === undefined) return undefined;
    plans.push(plan);
  }
  const isPlain = plans.every(({ check }) => check === undefined);
  return {
    exact: plans.flatMap(({ exact }) => exact),
    topics: plans.flatMap(({ topics }) => topics),
    check: isPlain ? undefined : compileCondition(whole),
  };
}

function weight(plan: RulePlan): number {
  return plan.exact.length + plan.topics.length * 1000;
}
