import { notLater } from './not-later.js';

/**
 * The answer of a function that is asked whether it wants a message. A promise would count as true, whatever it resolves
 * with.
 *
 * @throws SluiceError `HANDLER_FAILED` for a promise
 * @internal
 */
export function atOnce(answer: unknown, asked: string): boolean {
  if (typeof answer === 'boolean') return answer;
  return Boolean(notLater(answer, asked, 'Ask in each before it: what gives undefined goes no further.'));
}
