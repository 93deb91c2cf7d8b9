import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Found } from '../../src/router/found.js';
import { TopicTrie } from '../../src/router/topic-trie.js';
import { topicIndex, topicPattern, type TopicSyntax } from 'sluice';
import { runs } from '../helpers/runs.js';

const word = fc.constantFrom('', 'a', 'b', '$a');

function patternsOf(syntax: TopicSyntax): fc.Arbitrary<string[]> {
  const pattern =
    syntax === 'mqtt'
      ? fc
          .tuple(fc.array(fc.oneof(word, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
          .map(([words, many]) => [...words, ...(many ? ['#'] : [])].join('/'))
          .filter((text) => text !== '')
      : fc.array(fc.oneof(word, fc.constant('*'), fc.constant('#')), { maxLength: 5 }).map((words) => words.join('.'));
  return fc.array(pattern, { maxLength: 12 });
}

describe('topicIndex', () => {
  it.each(['mqtt', 'amqp'] as const)('finds exactly the %s patterns that match one by one (S18)', (syntax) => {
    const topics = fc.array(fc.array(word, { maxLength: 5 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(patternsOf(syntax), topics, (patterns, words) => {
        const index = topicIndex(patterns, syntax);
        for (const topic of words.map((each) => each.join(syntax === 'mqtt' ? '/' : '.'))) {
          const expected = patterns.flatMap((each, at) => (topicPattern(each, syntax).matches(topic) ? [at] : []));
          expect(index.match(topic)).toEqual(expected);
        }
      }),
      { numRuns: runs(1000) },
    );
  });

  it('sorts also when more than a handful match', () => {
    const patterns = Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? 'a/b' : at % 3 === 0 ? '#' : 'a/+'));
    expect(topicIndex(patterns).match('a/b')).toEqual(patterns.map((_, at) => at));
  });

  it('walks a hostile set of patterns without counting ways (B30)', () => {
    const patterns = Array.from({ length: 20 }, (_, at) => `${'#.a.'.repeat(at + 1)}b`);
    expect(topicIndex(patterns, 'amqp').match(Array.from({ length: 100 }, () => 'a').join('.'))).toEqual([]);
  });

  it('counts a pattern once, however many ways lead to it', () => {
    const trie = new TopicTrie('amqp');
    trie.add('#.a.#', 0);
    const found = new Found();
    trie.collect('a.a.a.a', found);
    expect(found.toArray()).toEqual([0]);
  });

  it('takes an array of patterns in a syntax that it knows', () => {
    for (const refused of [() => topicIndex('a' as never), () => topicIndex(['a'], 'nats' as never)])
      expect(refused).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it('names the position of a pattern that is none', () => {
    expect(() => topicIndex(['a', 'b/#/c'])).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('pattern 1') }),
    );
  });
});
