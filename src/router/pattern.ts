import { configInvalid } from '../options.js';
import type { ValueTest } from './matcher.js';
import { MAX_REGEX_LENGTH, regexFault } from './regex-cost.js';

/**
 * The text matches a regular expression. Off unless `allowUserRegex` is written out, and then only what cannot take long:
 * up to 256 characters; no look-around, no back-reference, no repetition of something that repeats or chooses; at most
 * one `*` or `+` (two behind a leading `^`). Text longer than 1,024 characters never matches. Prefer {@link topic} and
 * {@link oneOf}, which are looked up.
 *
 * @example
 * import { field, pattern } from 'sluice';
 * field('isin', pattern('^DE[0-9]{10}$', { allowUserRegex: true }));
 * @param flags of `i`, `s` and `u`; default none
 * @throws SluiceError `CONFIG_INVALID` when it is not allowed or could take long
 * @see field
 */
export function pattern(
  source: string,
  options: { readonly allowUserRegex: true; readonly flags?: string },
): ValueTest {
  if ((options as { allowUserRegex?: unknown } | undefined)?.allowUserRegex !== true)
    throw configInvalid('pattern', [`regular expressions are off; write allowUserRegex: true to have them`]);
  if (typeof source !== 'string' || source.length > MAX_REGEX_LENGTH)
    throw configInvalid('pattern', [`expected a text of up to ${MAX_REGEX_LENGTH} characters`]);
  let regex: RegExp;
  try {
    regex = new RegExp(source, options.flags);
  } catch {
    throw configInvalid('pattern', ['the regular expression cannot be read']);
  }
  const fault = regexFault(regex);
  if (fault !== undefined) throw configInvalid('pattern', [fault]);
  return { test: 'pattern', regex };
}
