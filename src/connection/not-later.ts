import { SluiceError } from '../errors.js';
import { isThenable } from './is-thenable.js';

/**
 * The answer of a function that has to answer at once. A promise is none: it is like no other one, whatever it resolves with.
 *
 * @param cure what to do instead, as a sentence
 * @throws SluiceError `HANDLER_FAILED` for a promise
 * @internal
 */
export function notLater<T>(answer: T, asked: string, cure: string): T {
  if (!isThenable(answer)) return answer;
  // What it is rejected with is of no use any more.
  answer.then(undefined, () => undefined);
  throw new SluiceError('HANDLER_FAILED', `${asked} gave a promise, and has to answer at once. ${cure}`);
}
