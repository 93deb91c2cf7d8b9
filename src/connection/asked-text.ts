import { configInvalid } from '../options.js';

/**
 * The text that an option is, or that its function gives for this try. What the function throws is a try that failed; what is
 * no text would be none the next time either.
 *
 * @param owner the function the option belongs to, for the error, which shows nothing of what was given
 * @throws SluiceError `CONFIG_INVALID`
 * @internal
 */
export async function askedText(
  owner: string,
  name: string,
  option: string | (() => string | PromiseLike<string>) | undefined,
): Promise<string | undefined> {
  if (typeof option !== 'function') return option;
  const given: unknown = await option();
  if (typeof given === 'string') return given;
  throw configInvalid(owner, [`'${name}': expected a function that gives a text, or a promise of one`]);
}
