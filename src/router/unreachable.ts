import { Found } from './found.js';
import type { AnyCondition } from './matcher.js';
import { NONE } from './rule-index.js';
import { planOf, type ExactEntry, type TopicEntry } from './rule-plan.js';
import { TopicTrie } from './topic-trie.js';

/**
 * Finds rules that an earlier one always forestalls when the first match wins. It sees what can be seen from data: the
 * same condition again, the same exact value again, and an exact topic below a pattern. Functions are compared by identity.
 *
 * @internal
 */
export class Reachability {
  /** What earlier rules take whole: values, patterns and conditions, each with its rule. */
  private readonly exact = new Map<string, Map<unknown, number>>();
  private readonly patterns = new Map<string, number>();
  private readonly conditions = new Map<unknown, number>();
  private readonly tries = { mqtt: new TopicTrie('mqtt'), amqp: new TopicTrie('amqp') };

  /** Adds the next rule; returns the earlier one that takes all it matches, or {@link NONE}. */
  add(condition: AnyCondition, rule: number): number {
    const plan = planOf(condition);
    if (plan !== undefined) {
      const owners = [
        ...plan.exact.map((entry) => this.ownerOfValue(entry)),
        ...plan.topics.map(({ pattern, syntax }) => this.patterns.get(`${syntax} ${pattern}`) ?? NONE),
      ];
      if (!owners.includes(NONE)) return owners.reduce((a, b) => Math.max(a, b), NONE);
    }
    if (plan !== undefined && plan.check === undefined) {
      for (const entry of plan.exact) this.ownValue(entry, rule);
      for (const entry of plan.topics) this.ownPattern(entry, rule);
      return NONE;
    }
    const same = signatureOf(condition);
    if (same === undefined) return NONE;
    const earlier = this.conditions.get(same);
    if (earlier === undefined) this.conditions.set(same, rule);
    return earlier ?? NONE;
  }

  private ownerOfValue({ dimension, value }: ExactEntry): number {
    const owner = this.exact.get(dimension)?.get(value);
    if (owner !== undefined || dimension !== 'topic') return owner ?? NONE;
    const found = new Found();
    this.tries.mqtt.collect(value as string, found);
    this.tries.amqp.collect(value as string, found);
    return found.count === 0 ? NONE : found.at(0);
  }

  private ownValue({ dimension, value }: ExactEntry, rule: number): void {
    let owners = this.exact.get(dimension);
    if (owners === undefined) this.exact.set(dimension, (owners = new Map<unknown, number>()));
    if (!owners.has(value)) owners.set(value, rule);
  }

  private ownPattern({ pattern, syntax }: TopicEntry, rule: number): void {
    const name = `${syntax} ${pattern}`;
    if (this.patterns.has(name)) return;
    this.patterns.set(name, rule);
    this.tries[syntax].add(pattern, rule);
  }
}

/** Equal for conditions that are equal; `undefined` when that cannot be told because functions take part. */
function signatureOf(condition: AnyCondition): unknown {
  if (typeof condition === 'function') return condition;
  const functions: unknown[] = [];
  const text = JSON.stringify(condition, (_, value: unknown) => {
    if (typeof value === 'function') functions.push(value);
    if (typeof value === 'bigint') return { bigint: String(value) };
    return value instanceof RegExp ? String(value) : value;
  });
  return functions.length > 0 ? undefined : text;
}
