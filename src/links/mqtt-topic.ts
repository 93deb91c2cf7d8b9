import { loneSurrogateAt } from '../mappers/utf8.js';

/** Longest text, or binary property, that MQTT can carry: its length is two bytes. */
export const MAX_BYTES = 65_535;
const encoder = new TextEncoder();
/** What no side should send, and over which the other one may hang up. Mosquitto does, without a word. */
// eslint-disable-next-line no-control-regex
const UNSENDABLE = /[\u0001-\u001f\u007f-\u009f\p{Noncharacter_Code_Point}]/u;

/** What is wrong with the text as one of MQTT; `undefined` when nothing is. Source: MQTT 5.0, 1.5.4. @internal */
export function textFault(text: string): string | undefined {
  if (text.includes('\u0000')) return 'it holds U+0000';
  if (loneSurrogateAt(text) !== -1) return 'it has half a surrogate pair, which has no UTF-8 form';
  const unsendable = UNSENDABLE.exec(text)?.[0].codePointAt(0)?.toString(16).padStart(4, '0').toUpperCase();
  if (unsendable !== undefined) return `it holds U+${unsendable}, over which brokers hang up`;
  // No character takes more than three bytes per unit of a JavaScript text.
  if (text.length * 3 > MAX_BYTES && encoder.encode(text).length > MAX_BYTES)
    return `it is longer than ${MAX_BYTES} bytes`;
  return undefined;
}

/** What is wrong with a topic to publish to; `undefined` when nothing is. Source: MQTT 5.0, 4.7. @internal */
export function topicFault(topic: string): string | undefined {
  if (topic === '') return 'it is empty';
  if (topic.includes('+') || topic.includes('#')) return 'it holds + or #, which only filters may';
  return textFault(topic);
}

/** What is wrong with a topic filter; `undefined` when nothing is. Source: MQTT 5.0, 4.7.1. @internal */
export function filterFault(filter: string): string | undefined {
  if (filter === '') return 'it is empty';
  const levels = filter.split('/');
  for (const [at, level] of levels.entries()) {
    if (level === '#' && at !== levels.length - 1) return '# has to be its last level';
    if (level.length > 1 && /[+#]/.test(level)) return '+ and # have to be alone in their level';
  }
  return textFault(filter);
}
