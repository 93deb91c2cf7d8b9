import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { topicPattern, type TopicSyntax } from 'sluice';
import { runs } from '../helpers/runs.js';

/** The definition, word by word, without any thought of cost. */
function oracle(pattern: string, topic: string, syntax: TopicSyntax): boolean {
  const [separator, one] = syntax === 'mqtt' ? ['/', '+'] : ['.', '*'];
  const split = (text: string): string[] => (syntax === 'amqp' && text === '' ? [] : text.split(separator));
  const matches = (words: string[], rest: string[]): boolean => {
    const [word] = words;
    if (word === undefined) return rest.length === 0;
    if (word === '#')
      return rest.some((_, at) => matches(words.slice(1), rest.slice(at))) || matches(words.slice(1), []);
    return rest.length > 0 && (word === one || word === rest[0]) && matches(words.slice(1), rest.slice(1));
  };
  if (syntax === 'mqtt' && topic.startsWith('$') && /^[+#]/.test(pattern)) return false;
  return matches(split(pattern), split(topic));
}

const word = fc.constantFrom('', 'a', 'b', 'ab', '$a');
const topicOf = (separator: string) => fc.array(word, { maxLength: 6 }).map((words) => words.join(separator));
const mqttPattern = fc
  .tuple(fc.array(fc.oneof(word, fc.constant('+')), { maxLength: 5 }), fc.boolean())
  .map(([words, many]) => [...words, ...(many ? ['#'] : [])].join('/'))
  .filter((pattern) => pattern !== '');
const amqpPattern = fc
  .array(fc.oneof(word, fc.constant('*'), fc.constant('#')), { maxLength: 6 })
  .map((words) => words.join('.'));

describe('topicPattern', () => {
  it.each([
    ['orders/eu', 'orders/eu', true],
    ['orders/eu', 'orders/us', false],
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/#', 'sport', true],
    ['#', 'sport/tennis', true],
    ['sport/tennis/+', 'sport/tennis/player1', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
    ['#', '$SYS/monitor/clients', false],
    ['+/monitor/clients', '$SYS/monitor/clients', false],
    ['$SYS/#', '$SYS/monitor/clients', true],
    ['$SYS/monitor/+', '$SYS/monitor/clients', true],
    ['a/#', 'a/$b', true],
  ])('mqtt %s on %s is %s, as in MQTT 5.0 section 4.7', (pattern, topic, expected) => {
    expect(topicPattern(pattern).matches(topic)).toBe(expected);
  });

  it.each([
    ['*.orange.*', 'quick.orange.rabbit', true],
    ['*.orange.*', 'quick.orange', false],
    ['lazy.#', 'lazy', true],
    ['lazy.#', 'lazy.brown.fox', true],
    ['#', '', true],
    ['*', '', false],
    ['', '', true],
    ['#.#', '', true],
    ['#.b.#.c', 'a.b.x.y.c', true],
    ['#.b.#.c', 'a.x.c', false],
    ['#', '$any', true],
  ])('amqp %s on %s is %s', (pattern, topic, expected) => {
    expect(topicPattern(pattern, 'amqp').matches(topic)).toBe(expected);
  });

  it('agrees with the definition for any mqtt pattern and topic (B30, S18)', () => {
    fc.assert(
      fc.property(mqttPattern, topicOf('/'), (pattern, topic) => {
        expect(topicPattern(pattern).matches(topic)).toBe(oracle(pattern, topic, 'mqtt'));
      }),
      { numRuns: runs(2000) },
    );
  });

  it('agrees with the definition for any amqp pattern and topic (B30, S18)', () => {
    fc.assert(
      fc.property(amqpPattern, topicOf('.'), (pattern, topic) => {
        expect(topicPattern(pattern, 'amqp').matches(topic)).toBe(oracle(pattern, topic, 'amqp'));
      }),
      { numRuns: runs(2000) },
    );
  });

  it('does not try every way to share words among many # (B30)', () => {
    // Tried one by one, twenty # over sixty words are more ways than there are nanoseconds in a century.
    const pattern = topicPattern(`${'#.a.'.repeat(20)}b`, 'amqp');
    expect(pattern.matches(Array.from({ length: 60 }, () => 'a').join('.'))).toBe(false);
  });

  it.each([
    ['a/#/b', 'mqtt', `'#' must be the last word`],
    ['a+/b', 'mqtt', 'a word of their own'],
    ['a#', 'mqtt', 'a word of their own'],
    ['', 'mqtt', 'must not be empty'],
    ['a\0b', 'mqtt', 'NUL'],
    ['a/'.repeat(5000), 'mqtt', 'longer than 4096'],
    ['a*.b', 'amqp', 'a word of their own'],
    ['a.'.repeat(200), 'amqp', 'longer than 255'],
  ] as const)('refuses %j in %s with CONFIG_INVALID (B30)', (pattern, syntax, text) => {
    expect(() => topicPattern(pattern, syntax)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(text) }),
    );
  });

  it('refuses a syntax it does not know', () => {
    expect(() => topicPattern('a', 'nats' as never)).toThrow(/'mqtt' or 'amqp'/);
  });

  it('says whether a pattern is exact', () => {
    expect(topicPattern('a/b').isExact).toBe(true);
    expect(topicPattern('a/+').isExact).toBe(false);
    expect(topicPattern('a/+', 'amqp').isExact).toBe(true);
  });
});
