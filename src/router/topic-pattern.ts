import { configInvalid } from '../options.js';

/**
 * `mqtt`: levels between `/`, `+` for one, `#` for the rest. `amqp`: words between `.`, `*` for one, `#` for any number.
 *
 * @see topicPattern
 */
export type TopicSyntax = 'mqtt' | 'amqp';

/** The signs of a syntax. @internal */
export interface TopicSigns {
  readonly separator: string;
  /** Stands for exactly one word. */
  readonly one: string;
  /** Stands for any number of words, none included. */
  readonly many: string;
  /** Longest pattern in characters. */
  readonly maxLength: number;
}

/** @internal */
export const TOPIC_SIGNS: Readonly<Record<TopicSyntax, TopicSigns>> = {
  mqtt: { separator: '/', one: '+', many: '#', maxLength: 4096 },
  amqp: { separator: '.', one: '*', many: '#', maxLength: 255 },
};

/**
 * A pattern made ready.
 *
 * @see topicPattern
 */
export interface TopicPattern {
  readonly pattern: string;
  readonly syntax: TopicSyntax;
  /** True when it has no wildcard and so matches one topic only. */
  readonly isExact: boolean;
  matches(topic: string): boolean;
}

/**
 * A matcher of topics from a pattern with wildcards. `+` (AMQP `*`) stands for one word. `#` stands for the rest of the
 * topic, none included; with AMQP it may stand anywhere. A leading MQTT wildcard leaves out topics that start with `$`.
 *
 * Matching takes at most words of the topic times words of the pattern, however many wildcards there are, and uses no
 * regular expression.
 *
 * @example
 * import { topicPattern } from 'sluice';
 * topicPattern('orders/+/created').matches('orders/eu/created'); // true
 * topicPattern('orders.#', 'amqp').matches('orders'); // true
 * @param pattern up to 4,096 characters with MQTT, 255 with AMQP; a wildcard is a word of its own
 * @throws SluiceError `CONFIG_INVALID` for a pattern that is none
 * Source: MQTT 5.0 section 4.7; AMQP 0-9-1 section 3.1.3.3
 * @see topicIndex
 */
export function topicPattern(pattern: string, syntax: TopicSyntax = 'mqtt'): TopicPattern {
  const fault = topicPatternFault(pattern, syntax);
  if (fault !== undefined) throw configInvalid('topicPattern', [fault]);
  const signs = TOPIC_SIGNS[syntax];
  const words = topicWords(pattern, syntax);
  if (isExactTopic(pattern, syntax)) return { pattern, syntax, isExact: true, matches: (topic) => topic === pattern };
  const skipsSystem = syntax === 'mqtt' && (words[0] === signs.one || words[0] === signs.many);
  return {
    pattern,
    syntax,
    isExact: false,
    matches: (topic) => !(skipsSystem && isSystemTopic(topic)) && matchesWords(words, topicWords(topic, syntax), signs),
  };
}

/** Says what is wrong with a pattern, `undefined` when nothing is. @internal */
export function topicPatternFault(pattern: unknown, syntax: unknown): string | undefined {
  if (syntax !== 'mqtt' && syntax !== 'amqp') return `the topic syntax must be 'mqtt' or 'amqp'`;
  if (typeof pattern !== 'string') return 'the topic pattern must be a text';
  const { one, many, maxLength } = TOPIC_SIGNS[syntax];
  if (pattern === '' && syntax === 'mqtt') return 'the topic pattern must not be empty';
  if (pattern.length > maxLength) return `the topic pattern is longer than ${maxLength} characters`;
  if (pattern.includes('\0')) return 'the topic pattern must not contain a NUL character';
  const words = topicWords(pattern, syntax);
  for (const [at, word] of words.entries()) {
    if (word.length > 1 && (word.includes(one) || word.includes(many)))
      return `in the topic pattern '${shortened(pattern)}', '${one}' and '${many}' must each be a word of their own`;
    if (syntax === 'mqtt' && word === many && at < words.length - 1)
      return `in the topic pattern '${shortened(pattern)}', '#' must be the last word`;
  }
  return undefined;
}

/** The words of a topic or pattern. An empty AMQP routing key has none. @internal */
export function topicWords(topic: string, syntax: TopicSyntax): string[] {
  return topic === '' && syntax === 'amqp' ? [] : topic.split(TOPIC_SIGNS[syntax].separator);
}

/** True when the (valid) pattern has no wildcard. @internal */
export function isExactTopic(pattern: string, syntax: TopicSyntax): boolean {
  const { one, many } = TOPIC_SIGNS[syntax];
  return !pattern.includes(one) && !pattern.includes(many);
}

/** Topics of the broker itself, which a leading MQTT wildcard does not match. @internal */
export function isSystemTopic(topic: string): boolean {
  return topic.startsWith('$');
}

// Going back to the last `many` only is enough: what an earlier one could take more, the last one can take as well.
function matchesWords(pattern: readonly string[], topic: readonly string[], signs: TopicSigns): boolean {
  const { one, many } = signs;
  let at = 0;
  let word = 0;
  let lastMany = -1;
  let lastWord = 0;
  while (word < topic.length) {
    const expected = pattern[at];
    if (expected === many) {
      lastMany = at;
      lastWord = word;
      at += 1;
    } else if (expected !== undefined && (expected === one || expected === topic[word])) {
      at += 1;
      word += 1;
    } else if (lastMany >= 0) {
      at = lastMany + 1;
      lastWord += 1;
      word = lastWord;
    } else return false;
  }
  while (pattern[at] === many) at += 1;
  return at === pattern.length;
}

function shortened(pattern: string): string {
  return pattern.length > 64 ? `${pattern.slice(0, 64)}…` : pattern;
}
