import { describe, expect, it } from 'vitest';
import { and, between, field, greaterThan, header, key, not, oneOf, or, sequence, topic, type Condition } from 'sluice';
import { refusal, rulesOf } from '../helpers/rules.js';

const to = (source: unknown): unknown => source;

describe('compileRules', () => {
  it.each<[string, unknown, string]>([
    ['no array', {}, "route: 'rules': expected an array of rules"],
    ['no object', [null], 'rule 0: expected an object'],
    ['no name', [{ when: topic('a'), to }], `rule 0: 'name' is missing`],
    [
      'an unknown key',
      [{ name: 'a', when: topic('a'), too: to, to }],
      `rule 0 'a': unknown option 'too', did you mean 'to'?`,
    ],
    [
      'a name twice',
      [...rulesOf(topic('a')), { name: 'r0', when: topic('b'), to }],
      `rule 1 'r0': rule 0 has the same name`,
    ],
    ['no target', [{ name: 'a', when: topic('a'), to: {} }], `'to'`],
    ['a budget of 0', [{ name: 'a', when: topic('a'), to, budget: 0 }], `'budget'`],
    ['an overflow without budget', [{ name: 'a', when: topic('a'), to, overflow: 'conflate' }], `needs a 'budget'`],
    ['an unknown overflow', [{ name: 'a', when: topic('a'), to, budget: 1, overflow: 'x' }], `'overflow'`],
    [
      'no condition',
      [{ name: 'a', when: 'orders/#', to }],
      `'when' must be a matcher, such as topic('orders/+'), or a function`,
    ],
    ['null', rulesOf(null as never), `'when'`],
    ['a kind that is no text', rulesOf({ kind: ['key'], test: { test: 'exists' } } as never), `'kind' must be one of`],
    ['an unknown kind', rulesOf({ kind: 'topics' } as never), `'kind' must be one of`],
    ['a kind of the prototype', rulesOf({ kind: 'toString' } as never), `'kind' must be one of`],
    [
      'an unknown key of a matcher',
      rulesOf({ ...topic('a'), patern: 'b' } as never),
      `'topic' has an unknown key 'patern'`,
    ],
    ['a pattern that is none', rulesOf(topic('a/#/b')), `rule 0 'r0': in the topic pattern`],
    ['a header without name', rulesOf(header('')), 'the header has no name'],
    ['a header with a name that is no text', rulesOf(header(5 as never)), 'the header has no name'],
    ['a header against a number', rulesOf(header('n', greaterThan(1))), 'a header is text'],
    ['a key against a number', rulesOf(key({ test: 'equals', value: 1 })), 'a key is text'],
    ['a field without path', rulesOf(field('')), 'the field has no path'],
    ['a field with a path that is no text', rulesOf(field(5 as never)), 'the field has no path'],
    ['a field with an empty name', rulesOf(field('a..b')), 'empty name'],
    ['a field through __proto__', rulesOf(field('a.__proto__.b')), `through '__proto__'`],
    ['a test that is none', rulesOf({ kind: 'key', test: 5 } as never), 'the test must be made by'],
    ['an unknown test', rulesOf({ kind: 'key', test: { test: 'like' } } as never), `'test' must be one of`],
    ['oneOf nothing', rulesOf(field('a', oneOf())), 'needs at least one value'],
    ['oneOf a text', rulesOf(field('a', { test: 'oneOf', values: 'ab' } as never)), 'needs at least one value'],
    [
      'a value that is an object',
      rulesOf(field('a', { test: 'equals', value: {} } as never)),
      'cannot compare with object',
    ],
    ['values in an array', rulesOf(field('a', ['b', 'c'] as never)), 'values one by one to oneOf()'],
    ['oneOf an array', rulesOf(field('a', oneOf(['b', 'c'] as never))), `'oneOf' got an array`],
    ['and of an array', rulesOf(and([topic('a')] as never)), `'and' got an array`],
    ['an expression as it is', rulesOf(header('a', /b/ as never)), 'made with pattern()'],
    ['a range of booleans', rulesOf(field('a', greaterThan(true as never))), 'cannot compare with boolean'],
    ['NaN', rulesOf(field('a', NaN)), 'NaN'],
    ['an empty range', rulesOf(field('a', between(2, 1))), 'its min is above its max'],
    ['a range over types', rulesOf(field('a', between(1, '2'))), 'needs two texts or two numbers'],
    [
      'an expression from text',
      rulesOf(field('a', { test: 'pattern', regex: '(a+)+' } as never)),
      'made with pattern()',
    ],
    [
      'a slow expression',
      rulesOf(field('a', { test: 'pattern', regex: /^(a+)+$/ })),
      `rule 0 'r0': the regular expression`,
    ],
    ['and of nothing', rulesOf(and()), `'and' needs at least one condition`],
    ['or of no list', rulesOf({ kind: 'or', any: {} } as never), `'or' needs at least one condition`],
    ['a fault deep inside', rulesOf(not(or(and(topic(''))))), 'must not be empty'],
    ['a fault behind what has none', rulesOf(and(topic('a'), header(''))), 'the header has no name'],
    ['a fault in the second step', rulesOf(sequence(topic('a'), topic(''), { withinMs: 1 })), 'must not be empty'],
    ['a sequence inside', rulesOf(not(sequence(topic('a'), topic('b'), { withinMs: 1 }) as never)), 'stands alone'],
    ['a sequence without time', rulesOf(sequence(topic('a'), topic('b'), {} as never)), 'withinMs'],
    ['a sequence within no time', rulesOf(sequence(topic('a'), topic('b'), { withinMs: 0 })), 'withinMs'],
    ['a sequence within a text', rulesOf(sequence(topic('a'), topic('b'), { withinMs: '5' as never })), 'withinMs'],
    ['a sequence of half a key', rulesOf(sequence(topic('a'), topic('b'), { withinMs: 1, maxKeys: 1.5 })), 'maxKeys'],
    ['a sequence of no keys', rulesOf(sequence(topic('a'), topic('b'), { withinMs: 1, maxKeys: 0 })), 'maxKeys'],
    [
      'a sequence with a wrong key',
      rulesOf(sequence(topic('a'), topic('b'), { withinMs: 1, key: 'k' as never })),
      `'key'`,
    ],
  ])('refuses %s with the rule named (B30)', (_, rules, text) => {
    expect(refusal(rules)).toContain(text);
  });

  it('tells all that is wrong with all rules at once: also names used twice, and what is never reached (B32)', () => {
    const rules = [
      { name: 'a', when: topic('a'), to, budget: 0 },
      { name: 'a', when: topic('b'), to },
      { name: 'a', when: topic('b'), to },
      { name: 'd', when: topic('b'), to },
      { name: 'e', when: topic(''), to },
      // Not said to be behind rule 0 or 4: what is refused takes nothing.
      { name: 'f', when: topic('a'), to },
    ];
    const faults = [
      /rule 0 'a': 'budget'/,
      /rule 1 'a': rule 0 has the same name/,
      /rule 2 'a': rule 0 has the same name/,
      /rule 2 'a': it is never reached, rule 1 'a' takes/,
      /rule 3 'd': it is never reached, rule 1 'a' takes/,
      /rule 4 'e': .*must not be empty/,
    ];
    const text = refusal(rules);
    for (const fault of faults) expect(text).toMatch(fault);
    expect(text).not.toContain(`rule 5`);
    expect(refusal(rules.slice(1, 3), 'all')).toContain(`rule 1 'a': rule 0 has the same name`);
  });

  it('takes what is at the edge of it', () => {
    const edges = [
      { kind: 'topic', pattern: 'a/+' } as const,
      field('a', true),
      field('a', null),
      field('b', oneOf(false, null)),
      field('a', between(1, 1)),
      sequence(topic('a'), topic('b'), { withinMs: 1, maxKeys: 1 }),
    ];
    expect(refusal(rulesOf(...edges))).toBe('accepted');
  });

  it('refuses a matcher nested without end (B30)', () => {
    const denied: { kind: 'not'; condition: Condition<never> } = not(topic('a'));
    denied.condition = denied;
    expect(refusal(rulesOf(denied))).toContain('nested deeper');
    const endless: { kind: 'and'; all: Condition<never>[] } = { kind: 'and', all: [] };
    endless.all.push(endless);
    expect(refusal(rulesOf(endless))).toContain('nested deeper');
  });
});
