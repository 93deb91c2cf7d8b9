import { isSluiceError, type SluiceError } from '../errors.js';
import { configInvalid } from './options.js';

interface Fault {
  /** The option that it is about, the owner where it is about all of them. None for a name that nobody knows. */
  readonly option: string | undefined;
  readonly text: string;
}

/**
 * Makes several checks of the options of one function and throws what they find as one, so that whoever has to put several
 * right learns of all at once. What only one of them finds it says in its own words.
 *
 * A check may rely on what those before it let pass: what it stumbles over then, or says of an option that was refused already,
 * is left out.
 *
 * @param owner as the checks name it; what is in an option is called by that, as `owner tls` is
 * @throws SluiceError `CONFIG_INVALID`; `details.faults` lists each fault
 * @internal
 */
export function checkAll(owner: string, checks: readonly (() => void)[]): void {
  const found: SluiceError[] = [];
  const faults: Fault[] = [];
  const refused = new Set<string>();
  for (const check of checks) {
    try {
      check();
    } catch (error) {
      if (isSluiceError(error, 'CONFIG_INVALID')) {
        const more = faultsIn(error, owner).filter(({ option }) => option === undefined || !refused.has(option));
        if (more.length > 0) found.push(error);
        faults.push(...more);
        for (const { option } of more) if (option !== undefined) refused.add(option);
        // Where there are no options at all nothing more can be said of them.
        if (refused.has(owner)) break;
      } else if (found.length === 0) throw error;
    }
  }
  const [first] = found;
  if (first === undefined) return;
  if (found.length === 1) throw first;
  throw configInvalid(
    owner,
    faults.map(({ text }) => text),
  );
}

function faultsIn({ details }: SluiceError, owner: string): Fault[] {
  const { owner: from, faults } = details as { readonly owner: string; readonly faults: readonly string[] };
  const place = from.slice(owner.length).replace(/^[ .:]+/, '');
  return faults.map((text) =>
    place === '' ? { option: optionIn(text, owner), text } : { option: place, text: `${place}: ${text}` },
  );
}

function optionIn(fault: string, owner: string): string | undefined {
  return fault.startsWith('expected ') ? owner : /^'([^']+)'/.exec(fault)?.[1];
}
