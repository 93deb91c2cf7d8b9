import type { Message } from '../message/message.js';
import { checkArgument, someOptions } from '../options.js';
import type { Condition, SequenceMatcher } from './matcher.js';

/** Options of {@link sequence}. */
export interface SequenceOptions<I> {
  /** How long after the (last) first message the second may come, in milliseconds, above 0. */
  readonly withinMs: number;
  /** Which messages belong together. Default: the message's key; those without one are one group. */
  readonly key?: (message: Message<I>) => string | undefined;
  /** How many groups may wait for their second message; beyond it the longest waiting is forgotten. Default 10,000. */
  readonly maxKeys?: number;
}

/**
 * Matches the message that meets `second` when one that met `first` came before it. Only the second is matched; the first
 * goes where the other rules say. A match is used up: the next one needs both again. Only a redelivery of the second, known
 * by its id, is matched once more.
 *
 * Every message is looked at, whichever rule takes it, so what a sequence remembers does not depend on its place. Each
 * subscription remembers for itself.
 *
 * @example
 * import { sequence, topic } from 'sluice';
 * sequence(topic('login/failed'), topic('login/ok'), { withinMs: 60_000, key: (m) => m.key });
 * @throws SluiceError `CONFIG_INVALID` without options; what else is wrong with it `route` tells
 * @see topic
 */
export function sequence<I = unknown>(
  first: Condition<I>,
  second: Condition<I>,
  options: SequenceOptions<I>,
): SequenceMatcher<I> {
  checkArgument('sequence', 'options', options, someOptions);
  const { withinMs, maxKeys = 10_000, key } = options;
  return { kind: 'sequence', first, second, withinMs, maxKeys, ...(key === undefined ? {} : { keyOf: key }) };
}
