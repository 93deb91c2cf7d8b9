import { SluiceError } from '../errors.js';
import { isThenable } from './is-thenable.js';

/**
 * The answer of a function that is asked whether it wants a message. A promise is none: it would count as true, whatever it
 * resolves with.
 *
 * @throws SluiceError `HANDLER_FAILED` for a promise
 * @internal
 */
export function atOnce(answer: unknown, asked: string): boolean {
  if (typeof answer === 'boolean') return answer;
  if (!isThenable(answer)) return Boolean(answer);
  // What it is rejected with is of no use any more.
  answer.then(undefined, () => undefined);
  throw new SluiceError(
    'HANDLER_FAILED',
    `${asked} gave a promise, and has to answer at once. Ask in each before it: what gives undefined goes no further.`,
  );
}
