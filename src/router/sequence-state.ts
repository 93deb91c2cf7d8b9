import type { Clock } from '../clock.js';
import type { Message } from '../message/message.js';
import { Found } from './found.js';
import type { SequenceMatcher } from './matcher.js';
import { NONE, RuleIndex } from './rule-index.js';

/** The sequences among the rules, and how to find whose steps a message meets. Holds no state. @internal */
export class SequenceIndex {
  readonly rules: readonly number[];
  readonly sequences: readonly SequenceMatcher<never>[];
  /** Two conditions per sequence, its second step before its first. */
  readonly steps: RuleIndex;

  constructor(rules: readonly number[], sequences: readonly SequenceMatcher<never>[]) {
    this.rules = rules;
    this.sequences = sequences;
    this.steps = new RuleIndex(sequences.flatMap(({ first, second }) => [second, first]));
  }
}

/**
 * What the sequences of one subscription remember: per sequence and group, when its first step was last met, and which
 * message completed it last. Bounded by `maxKeys`, and cleared of what is too old whenever something is added, so it needs
 * no timer.
 *
 * @internal
 */
export class SequenceState {
  private readonly index: SequenceIndex;
  private readonly clock: Clock;
  /** Per sequence, the groups that met their first step, the longest ago first. */
  private readonly armed: readonly Map<string, number>[];
  /** Per sequence, the ids of the messages that completed it, by group: they may come again. */
  private readonly completed: readonly Map<string, string>[];
  private readonly met = new Found();
  private keyed = NONE;

  constructor(index: SequenceIndex, clock: Clock) {
    this.index = index;
    this.clock = clock;
    this.armed = index.sequences.map(() => new Map());
    this.completed = index.sequences.map(() => new Map());
  }

  /** The rule whose function is being called: the one to blame when it throws. */
  get trying(): number {
    const sequence = this.keyed === NONE ? this.index.steps.trying >> 1 : this.keyed;
    return this.index.rules[sequence] ?? NONE;
  }

  /** Looks at a message and appends the rules whose sequence it completes, ascending. To be called once per message. */
  observe(message: Message<unknown>, into: Found): void {
    const { index, met } = this;
    met.count = 0;
    this.keyed = NONE;
    index.steps.all(message, met);
    for (let at = 0; at < met.count; at += 1) {
      const step = met.at(at);
      const sequence = step >> 1;
      const meetsSecond = (step & 1) === 0;
      this.keyed = sequence;
      const key = this.keyOf(sequence, message);
      if (meetsSecond && this.complete(sequence, key, message)) {
        into.add(index.rules[sequence] as number);
        // Used up: the same message does not begin the next one.
        if (at + 1 < met.count && met.at(at + 1) === step + 1) at += 1;
      } else if (!meetsSecond) this.arm(sequence, key);
    }
  }

  private keyOf(sequence: number, message: Message<unknown>): string {
    const { keyOf } = this.index.sequences[sequence] as SequenceMatcher<never>;
    return (keyOf === undefined ? message.key : keyOf(message as Message<never>)) ?? '';
  }

  private complete(sequence: number, key: string, message: Message<unknown>): boolean {
    const armed = this.armed[sequence] as Map<string, number>;
    const completed = this.completed[sequence] as Map<string, string>;
    const { withinMs, maxKeys } = this.index.sequences[sequence] as SequenceMatcher<never>;
    // It comes again, as its work failed or its connection was lost: it goes where it went before.
    if (completed.size > 0 && completed.get(key) === message.id) return true;
    const atMs = armed.get(key);
    if (atMs === undefined) return false;
    armed.delete(key);
    if (this.clock.elapsed() - atMs > withinMs) return false;
    completed.delete(key);
    if (completed.size >= maxKeys) completed.delete(completed.keys().next().value as string);
    completed.set(key, message.id);
    return true;
  }

  private arm(sequence: number, key: string): void {
    const armed = this.armed[sequence] as Map<string, number>;
    const { withinMs, maxKeys } = this.index.sequences[sequence] as SequenceMatcher<never>;
    const nowMs = this.clock.elapsed();
    // Deleted first, so that the map stays in the order of time.
    armed.delete(key);
    for (const [old, atMs] of armed) {
      if (nowMs - atMs <= withinMs && armed.size < maxKeys) break;
      armed.delete(old);
    }
    armed.set(key, nowMs);
  }
}
