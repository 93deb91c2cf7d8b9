import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { and, header, not, or, sequence, topic } from 'sluice';
import { compileCondition } from '../../src/router/compile-condition.js';
import { recorder } from '../helpers/message.js';
import { compiled, conditions, made, messages } from '../helpers/rules.js';
import { runs } from '../helpers/runs.js';

const { message } = recorder();
const fails = (): boolean => {
  throw new Error('no');
};

describe('RuleIndex', () => {
  it('finds the rules that trying each in order finds, whatever the mix of matchers', () => {
    fc.assert(
      fc.property(
        fc.array(conditions(3), { maxLength: 12 }),
        fc.array(messages, { minLength: 1, maxLength: 6 }),
        (whens, sent) => {
          const all = compiled('all', ...whens);
          // Rules in random order may be unreachable; the index of the first match is asked all the same.
          const predicates = whens.map(compileCondition);
          for (const each of sent.map(made)) {
            const expected = predicates.flatMap((predicate, at) => (predicate(each) ? [at] : []));
            expect(all.all(each).toArray()).toEqual(expected);
            expect(all.first(each)).toBe(expected[0] ?? -1);
          }
        },
      ),
      { numRuns: runs(1500) },
    );
  });

  it('does not try rules below the one that was found', () => {
    const tried: number[] = [];
    const watch = (rule: number) => (): boolean => tried.push(rule) > 99;
    const matcher = compiled('first', watch(0), topic('a'), watch(2), and<never>(header('type', 'x'), watch(3)));
    expect(matcher.first(message(0, { topic: 'a', headers: { type: 'x' } }))).toBe(1);
    expect(tried).toEqual([0]);
  });

  it('lets no function decide that throws in a rule below the one that matches, however each is found', () => {
    const last = and<never>(header('type', 'x'), fails);
    const sent = message(0, { topic: 'a', headers: { type: 'x' } });
    expect(compiled('first', header('type', 'y'), topic('a'), last).first(sent)).toBe(1);
    expect(compiled('first', topic('+'), last).first(sent)).toBe(0);
    expect(compiled('first', (each) => each.topic === 'a', last).first(sent)).toBe(0);
    expect(compiled('first', and(topic('a'), not(header('other'))), last).first(sent)).toBe(0);
    const both = compiled('first', header('type', 'y'), and<never>(topic('a'), fails), last);
    expect(() => both.first(sent)).toThrow('no');
    expect(both.trying).toBe(1);
  });

  it('calls functions of an and in their order, so that the first ones keep from a function what it does not expect', () => {
    const never = (): boolean => false;
    const guarded = and<never>(never, or(and(topic('a'), fails), topic('b')));
    expect(compiled('first', guarded).first(message(0, { topic: 'a' }))).toBe(-1);
    expect(
      compiled('all', guarded)
        .all(message(0, { topic: 'a' }))
        .toArray(),
    ).toEqual([]);
  });

  it('names the rule whose function throws', () => {
    const matcher = compiled('first', topic('x'), and<never>(topic('a'), fails));
    expect(() => matcher.first(message(0, { topic: 'a' }))).toThrow('no');
    expect(matcher.trying).toBe(1);
    const steps = compiled('all', topic('x'), sequence<never>(topic('a'), fails, { withinMs: 1 }));
    expect(() => steps.all(message(0))).toThrow('no');
    expect(steps.trying).toBe(1);
    const keys = compiled(
      'all',
      topic('x'),
      sequence<never>(topic('a'), topic('b'), { withinMs: 1, key: fails as never }),
    );
    expect(() => keys.all(message(0, { topic: 'a' }))).toThrow('no');
    expect(keys.trying).toBe(1);
    const beside = compiled('first', sequence(topic('b'), topic('c'), { withinMs: 1 }), and<never>(topic('a'), fails));
    expect(() => beside.first(message(0, { topic: 'a' }))).toThrow('no');
    expect(beside.trying).toBe(1);
    const later = compiled(
      'all',
      topic('x'),
      sequence<never>(topic('b'), and<never>(topic('c'), fails), { withinMs: 1 }),
      sequence<never>(topic('a'), topic('b'), { withinMs: 1 }),
      sequence<never>(topic('d'), and<never>(topic('e'), fails), { withinMs: 1 }),
    );
    later.all(message(0, { topic: 'a' }));
    expect(() => later.all(message(0, { topic: 'c' }))).toThrow('no');
    expect(later.trying).toBe(1);
    expect(() => later.all(message(0, { topic: 'e' }))).toThrow('no');
    expect(later.trying).toBe(3);
  });
});
