import { checkArgument, configInvalid, oneOf, type OptionRule } from '../options.js';
import { Found } from './found.js';
import { isExactTopic, topicPatternFault, type TopicSyntax } from './topic-pattern.js';
import { TopicTrie } from './topic-trie.js';

const PATTERNS: OptionRule = (value) => (Array.isArray(value) ? undefined : 'expected an array of topic patterns');

/**
 * A set of patterns that is asked as one.
 *
 * @see topicIndex
 */
export interface TopicIndex {
  /** The positions of all patterns that match, ascending. */
  match(topic: string): number[];
}

/**
 * Finds which of many patterns match a topic without trying each: exact ones are looked up, the others walked as a tree
 * of words, so thousands of patterns cost a topic about as much as the few it matches.
 *
 * @example
 * import { topicIndex } from 'sluice';
 * topicIndex(['orders/#', 'orders/eu', 'trades/+']).match('orders/eu'); // [0, 1]
 * @throws SluiceError `CONFIG_INVALID` for a pattern that is none; the text names its position
 * @see topicPattern
 */
export function topicIndex(patterns: readonly string[], syntax: TopicSyntax = 'mqtt'): TopicIndex {
  checkArgument('topicIndex', 'patterns', patterns, PATTERNS);
  checkArgument('topicIndex', 'syntax', syntax, oneOf('mqtt', 'amqp'));
  const exact = new Map<string, number[]>();
  const trie = new TopicTrie(syntax);
  for (const [at, pattern] of patterns.entries()) {
    const fault = topicPatternFault(pattern, syntax);
    if (fault !== undefined) throw configInvalid('topicIndex', [`pattern ${at}: ${fault}`]);
    if (!isExactTopic(pattern, syntax)) trie.add(pattern, at);
    else if (exact.get(pattern)?.push(at) === undefined) exact.set(pattern, [at]);
  }
  return {
    match(topic) {
      const found = new Found();
      for (const at of exact.get(topic) ?? []) found.add(at);
      trie.collect(topic, found);
      found.settle();
      return found.toArray();
    },
  };
}
