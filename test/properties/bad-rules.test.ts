import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pattern, route, topicIndex, topicPattern, type Rule, type TopicSyntax } from 'sluice';
import { answered, anyValue, INPUTS, mutatedText } from '../helpers/fuzz.js';
import { recorder } from '../helpers/message.js';

/** Conditions as they are loaded from text. */
const CONDITIONS = [
  '{"kind":"topic","pattern":"orders/+/created","syntax":"mqtt"}',
  '{"kind":"topic","pattern":"orders.#","syntax":"amqp"}',
  '{"kind":"header","name":"type","test":{"test":"equals","value":"trade"}}',
  '{"kind":"field","path":"order.amount","test":{"test":"between","min":1,"max":5}}',
  '{"kind":"key","test":{"test":"oneOf","values":["a","b"]}}',
  '{"kind":"and","all":[{"kind":"key","test":{"test":"exists"}},{"kind":"field","path":"a","test":{"test":"lessThan","bound":2}}]}',
  '{"kind":"or","any":[{"kind":"not","condition":{"kind":"topic","pattern":"#","syntax":"mqtt"}}]}',
  '{"kind":"sequence","first":{"kind":"key","test":{"test":"exists"}},"second":{"kind":"topic","pattern":"a","syntax":"mqtt"},"withinMs":5,"maxKeys":3}',
  `${'{"kind":"not","condition":'.repeat(40)}{"kind":"key","test":{"test":"exists"}}${'}'.repeat(40)}`,
  '{"kind":"field","path":"__proto__.constructor","test":{"test":"pattern","regex":"(a+)+$"}}',
];

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

describe('a table of rules that is anything (G17, B30)', () => {
  const condition = fc.oneof(
    { weight: 4, arbitrary: mutatedText(...CONDITIONS).map(parsed) },
    { weight: 4, arbitrary: fc.constantFrom(...CONDITIONS.slice(0, 8)).map(parsed) },
    { weight: 1, arbitrary: anyValue },
  );
  const payloads = fc.array(fc.oneof(anyValue, fc.constant({ order: { amount: 3 }, a: 1 })), { maxLength: 4 });

  it('is refused when it is built, or has a way for every message', () => {
    fc.assert(
      fc.property(
        fc.array(condition, { minLength: 1, maxLength: 3 }),
        payloads,
        fc.constantFrom('first' as const, 'all' as const),
        (conditions, given, match) => {
          const rules = conditions.map((when, at) => ({
            name: `rule ${at}`,
            when,
            to: {
              next: (message: { ack(): boolean }) => void message.ack(),
              error: () => undefined,
              complete: () => undefined,
            },
          })) as unknown as Rule[];
          const stage = answered(() => route(rules, { match, otherwise: 'drop' }), ['CONFIG_INVALID']);
          if (stage === undefined) return;
          const { flow, settled } = recorder();
          const wrapped = given.map((payload) => ({ payload }));
          answered(() => stage(flow(wrapped, () => ({ topic: 'orders/eu/created', key: 'a' }))).subscribe());
          expect(settled).toHaveLength(given.length);
          for (const { outcome } of settled) expect(['ack', 'drop', 'dead']).toContain(outcome);
        },
      ),
      INPUTS,
    );
  });

  it('is refused when a rule is no rule', () => {
    fc.assert(
      fc.property(fc.oneof(anyValue, fc.array(anyValue, { minLength: 1, maxLength: 3 })), (rules) => {
        expect(
          answered(() => (Array.isArray(rules) && rules.length === 0) || route(rules as never), ['CONFIG_INVALID']),
        ).toSatisfy((value: unknown) => value === undefined || value === true);
      }),
      INPUTS,
    );
  });
});

describe('a topic pattern that is anything (G17)', () => {
  const patterns = ['orders/+/created', 'orders/#', '+/+/+', '#', '$SYS/#', 'a.*.#.b', '#.#.#.#', '*.*', '', 'a//b'];
  const topics = ['orders/eu/created', '$SYS/load', 'a.b.c.b', 'a.a.a.a.a.a.a.a.a.a.a.a', '', '/'];
  const syntax = fc.constantFrom<TopicSyntax>('mqtt', 'amqp');

  it('is refused, or says the same of a topic alone and among others', () => {
    fc.assert(
      fc.property(mutatedText(...patterns), mutatedText(...topics), syntax, (one, topic, words) => {
        const made = answered(() => topicPattern(one, words), ['CONFIG_INVALID']);
        const index = answered(() => topicIndex(['other', one], words), ['CONFIG_INVALID']);
        expect(index === undefined).toBe(made === undefined);
        if (made === undefined || index === undefined) return;
        expect(answered(() => index.match(topic).includes(1))).toBe(answered(() => made.matches(topic)));
      }),
      INPUTS,
    );
  });
});

describe('a regular expression that is anything (G17, B30, S18)', () => {
  const sources = [
    ...['^DE[0-9]{10}$', '(a+)+$', '^(a|a)*$', '(?=a)b', '(a)\\1', '[a-z]+@[a-z]+', 'a{1,1000}b', '(?:a?){20}a{20}'],
    ...['^\\d+\\.\\d+$', '(a|b|ab)*c', '.*.*.*=', 'x*y*z*', '\\p{L}+', '[^]*', '(?<n>a)\\k<n>', 'a??b*?', '^a*a*$'],
  ];
  // What those that take long take long over.
  const texts = ['a'.repeat(1_023) + '!', '1'.repeat(1_024), 'ab'.repeat(512), '=', ''];

  it('is refused, or looks at any text in time', () => {
    fc.assert(
      fc.property(mutatedText(...sources), fc.constantFrom(undefined, 'i', 'su', 'g', 'y', '?'), (source, flags) => {
        const options = { allowUserRegex: true, ...(flags === undefined ? {} : { flags }) } as const;
        const test = answered(() => pattern(source, options), ['CONFIG_INVALID']);
        if (test?.test !== 'pattern') return;
        const { regex } = test;
        for (const text of texts) expect(answered(() => regex.test(text))).toBeTypeOf('boolean');
      }),
      INPUTS,
    );
  });
});
