import { configInvalid, type OptionRule } from '../options.js';
import { checkTls, type TlsOptions } from './check-tls.js';

/**
 * What TLS is to be done with, as the option says or as its function says for this try, so that a certificate that was renewed
 * is used by the next connection. What the function throws is a try that failed; what it gives is checked like the option.
 *
 * @param owner what the option belongs to, for the error, which shows nothing of what was given
 * @param own the rules of what this side has besides, by name
 * @throws SluiceError `CONFIG_INVALID`
 * @internal
 */
export async function askedTls<T extends TlsOptions>(
  owner: string,
  tls: T | (() => T | PromiseLike<T>) | undefined,
  own?: Readonly<Record<string, OptionRule>>,
): Promise<T | undefined> {
  if (typeof tls !== 'function') return tls;
  const given: unknown = await tls();
  if (typeof given !== 'object' || given === null)
    throw configInvalid(owner, [`expected a function that gives an object, or a promise of one`]);
  checkTls(owner, given, own);
  return given as T;
}
