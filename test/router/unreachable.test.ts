import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { and, field, greaterThan, header, oneOf, or, pattern, topic, type When } from 'sluice';
import { compileCondition } from '../../src/router/compile-condition.js';
import { conditions, made, messages, refusal, rulesOf } from '../helpers/rules.js';
import { runs } from '../helpers/runs.js';

describe('Reachability', () => {
  it('never calls a rule unreachable that takes a message', () => {
    fc.assert(
      fc.property(
        fc.array(conditions(2), { minLength: 1, maxLength: 8 }),
        fc.array(messages, { minLength: 1, maxLength: 20 }),
        (whens, sent) => {
          const refused = /rule (\d+) 'r\d+': it is never reached/.exec(refusal(rulesOf(...whens)));
          if (refused === null) return;
          const predicates = whens.map(compileCondition);
          for (const each of sent.map(made))
            expect(predicates.findIndex((predicate) => predicate(each))).not.toBe(Number(refused[1]));
        },
      ),
      { numRuns: runs(1500) },
    );
  });

  const isBig = (): boolean => true;
  it.each<[string, When<never>[], string]>([
    ['the same topic', [topic('a'), topic('b'), topic('a')], `rule 2 'r2': it is never reached, rule 0 'r0' takes`],
    ['the same pattern', [topic('a/+'), topic('a/+')], `rule 1 'r1'`],
    ['a topic below a pattern', [topic('a/#'), topic('a/b')], `rule 1 'r1'`],
    [
      'an AMQP topic below a pattern',
      [topic('a.#', { syntax: 'amqp' }), topic('a.b', { syntax: 'amqp' })],
      `rule 1 'r1'`,
    ],
    ['the same topic with more conditions', [topic('a'), and(topic('a'), header('x'))], `rule 1 'r1'`],
    [
      'values that earlier rules share',
      [field('s', 'A'), field('s', 'B'), field('s', oneOf('B', 'A'))],
      `rule 1 'r1' takes`,
    ],
    ['the same function', [isBig, isBig], `rule 1 'r1'`],
    ['the same range', [field('n', greaterThan(1n)), field('n', greaterThan(1n))], `rule 1 'r1'`],
    ['the same expression', [0, 1].map(() => field('n', pattern('^a$', { allowUserRegex: true }))), `rule 1 'r1'`],
  ])('refuses a rule that is never reached: %s', (_name, whens, text) => {
    expect(refusal(rulesOf(...whens))).toContain(text);
    expect(refusal(rulesOf(...whens), 'all')).toBe('accepted');
  });

  it.each<[string, When<never>[]]>([
    ['the narrow topic first', [topic('a/b'), topic('a/#')]],
    ['a broker topic below #', [topic('#'), topic('$SYS/up')]],
    ['an earlier rule with more conditions', [and(topic('a'), header('x')), topic('a')]],
    ['one value more', [field('s', 'A'), field('s', oneOf('A', 'B'))]],
    ['another bound', [field('n', greaterThan(1)), field('n', greaterThan(1n))]],
    ['another expression', ['^a$', '^b$'].map((text) => field('n', pattern(text, { allowUserRegex: true })))],
    ['functions inside', [and<never>(isBig, field('n')), and<never>(isBig, field('n'))]],
  ])('accepts %s', (_name, whens) => {
    expect(refusal(rulesOf(...whens))).toBe('accepted');
  });

  it('tells of a rule with more values than a call may have arguments', () => {
    const values = Array.from({ length: 200_000 }, (_, at) => at);
    const listed = or(field('a', { test: 'oneOf', values }), field('b', 1));
    expect(refusal(rulesOf(listed, listed))).toContain(`rule 1 'r1': it is never reached, rule 0 'r0' takes`);
  });
});
