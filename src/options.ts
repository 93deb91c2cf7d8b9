import { SluiceError } from './errors.js';

/** So many faults are in the text; all of them are in the details. */
const MAX_TOLD = 10;

/**
 * Says what is wrong with an option's value, as «expected …», or `undefined` when nothing is.
 *
 * @see checkOptions
 */
export type OptionRule = (value: unknown) => string | undefined;

/** Options that hold what nobody may read, or may hold it: a value put under the wrong one of them is a secret all the same. */
const SECRET = /pass|secret|token|credential|auth|sasl|cookie|header|user|url|cert|tls|protocols$|key$/i;

/**
 * Shows a value in an error: numbers and short words as they are, everything else by its kind, so that no secret leaks.
 *
 * @param name what the value was given as
 */
function shown(value: unknown, name: string): string {
  if (typeof value === 'boolean' || value === undefined || value === null) return String(value);
  const isSecret = SECRET.test(name);
  if (typeof value === 'number' && !isSecret) return String(value);
  if (typeof value === 'string')
    return !isSecret && /^[\w.:/+#*-]{1,32}$/.test(value) ? `'${value}'` : `a text of ${value.length} characters`;
  return Array.isArray(value) ? 'an array' : typeof value;
}

/**
 * A whole number in the range, both ends included.
 *
 * @see numeric
 */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): OptionRule {
  return (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `expected a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`}`;
}

/**
 * A duration or size that may have a fraction.
 *
 * @see integer
 */
export function numeric(min: number, max: number = Infinity): OptionRule {
  return (value) =>
    typeof value === 'number' && value >= min && value <= max
      ? undefined
      : `expected a number from ${min}${max === Infinity ? '' : ` to ${max}`}`;
}

/**
 * True or false.
 *
 * @see checkOptions
 */
export const flag: OptionRule = (value) => (typeof value === 'boolean' ? undefined : 'expected true or false');
/**
 * A text that is not empty.
 *
 * @see checkOptions
 */
export const text: OptionRule = (value) =>
  typeof value === 'string' && value !== '' ? undefined : 'expected a text that is not empty';
/**
 * A function.
 *
 * @see checkOptions
 */
export const callable: OptionRule = (value) => (typeof value === 'function' ? undefined : 'expected a function');
/**
 * Whatever there is.
 *
 * @see checkOptions
 */
export const anything: OptionRule = () => undefined;

/**
 * One of these words.
 *
 * @see checkOptions
 */
export function oneOf(...names: readonly string[]): OptionRule {
  // Line ends, and nothing at all, cannot be seen as they are.
  const told = names.map((name) => (/^\S+$/.test(name) ? name : JSON.stringify(name))).join(', ');
  return (value) => {
    if (names.includes(value as string)) return undefined;
    const isMeant = typeof value === 'number' && names.includes(String(value));
    return isMeant ? `expected the text '${value}'` : `expected one of ${told}`;
  };
}

/**
 * An object that has all of these methods or fields.
 *
 * @see checkOptions
 */
export function having(...names: readonly string[]): OptionRule {
  return (value) =>
    typeof value === 'object' && value !== null && names.every((name) => name in value)
      ? undefined
      : `expected an object${names.length === 0 ? '' : ` with ${names.join(', ')}`}`;
}

/**
 * An object that has all of these methods or fields, called by what it is.
 *
 * @see having
 */
export function called(what: string, ...names: readonly string[]): OptionRule {
  const rule = having(...names);
  return (value) => (rule(value) === undefined ? undefined : `expected ${what}`);
}

/**
 * An object with options, whatever they are.
 *
 * @see checkArgument
 */
export const someOptions: OptionRule = called('an object with options');
/**
 * A flow.
 *
 * @see checkArgument
 */
export const flowLike: OptionRule = called('a flow, which is an Observable of messages', 'subscribe');
/**
 * A sink.
 *
 * @see checkArgument
 */
export const sinkLike: OptionRule = called('a sink with next, error and complete', 'next', 'error', 'complete');

/**
 * A signal of an `AbortController`.
 *
 * @see checkOptions
 */
export const signalLike: OptionRule = called('an AbortSignal', 'aborted');

/**
 * A stage.
 *
 * @see checkArgument
 */
export const stageLike: OptionRule = (value) =>
  typeof value === 'function' ? undefined : 'expected a stage, which is a function from flow to flow';

/**
 * A clock.
 *
 * @see checkOptions
 */
export const clockLike: OptionRule = called('a clock, as systemClock is one', 'defer');

/**
 * What either rule accepts.
 *
 * @see checkOptions
 */
export function either(...rules: readonly OptionRule[]): OptionRule {
  return (value) => {
    const said = rules.map((rule) => rule(value));
    return said.includes(undefined) ? undefined : said.join(', or ').replaceAll(', or expected', ', or');
  };
}

/**
 * Has to be there. Without it, a rule applies only to options that are given.
 *
 * @see checkOptions
 */
export function required(rule: OptionRule): OptionRule & { readonly required: true } {
  return Object.assign((value: unknown) => rule(value), { required: true as const });
}

/**
 * The rules of an options object by option name.
 *
 * @see checkOptions
 */
export type OptionRules<O> = { readonly [K in keyof O]-?: OptionRule };

/**
 * Checks options when they are handed over, so that a wrong one never surfaces as a stalled flow later. All faults are
 * told at once; an unknown name comes with the nearest known one, or with what `elsewhere` says of it.
 *
 * @example
 * import { checkOptions, integer, required, text } from 'sluice/connection';
 * checkOptions('redisSource', { stream: 'orders', credit: 16 }, { stream: required(text), credit: integer(0, 65535) });
 * @param owner the function the options belong to, for the text
 * @param elsewhere names that other libraries have for the same things, each with the option that it is here, or with what to
 * do instead
 * @throws SluiceError `CONFIG_INVALID`; `details.faults` lists each fault
 */
export function checkOptions<O extends object>(
  owner: string,
  options: O,
  rules: OptionRules<O>,
  elsewhere: Readonly<Record<string, string>> = {},
): void {
  const all: unknown = options;
  if (typeof all !== 'object' || all === null || Array.isArray(all))
    throw configInvalid(owner, [`expected an object with options, got ${shown(all, owner)}`]);
  if (sinkLike(all) === undefined)
    throw configInvalid(owner, ['expected options, got a sink: a flow has one; give to several with fanout']);
  const faults: string[] = [];
  const given = all as Record<string, unknown>;
  const known = rules as Record<string, OptionRule & { required?: boolean }>;
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    const here = Object.hasOwn(elsewhere, name) ? elsewhere[name] : nearest(name, Object.keys(known));
    const hint = here === undefined ? '' : Object.hasOwn(known, here) ? `, did you mean '${here}'?` : `: ${here}`;
    faults.push(`unknown option '${name}'${hint}`);
  }
  for (const [name, rule] of Object.entries(known)) {
    const value = given[name];
    if (value === undefined) {
      if (rule.required === true) faults.push(`'${name}' is missing: ${rule(undefined) ?? 'it is required'}`);
      continue;
    }
    const wrong = rule(value);
    if (wrong !== undefined) faults.push(`'${name}': ${wrong}, got ${shown(value, name)}`);
  }
  if (faults.length > 0) throw configInvalid(owner, faults);
}

/**
 * Checks what a function was given by position, as {@link checkOptions} checks what it was given by name: a wrong argument
 * is told where it was written, not where it is first used.
 *
 * @example
 * import { callable, checkArgument } from 'sluice/connection';
 * checkArgument('twice', 'work', undefined, callable); // twice: 'work' is missing: expected a function.
 * @param owner the function, for the text
 * @throws SluiceError `CONFIG_INVALID`
 */
export function checkArgument(owner: string, name: string, value: unknown, rule: OptionRule): void {
  const wrong = rule(value);
  if (wrong === undefined) return;
  throw configInvalid(owner, [
    value === undefined ? `'${name}' is missing: ${wrong}` : `'${name}': ${wrong}, got ${shown(value, name)}`,
  ]);
}

/**
 * The error for options that do not go together.
 *
 * @see checkOptions
 */
export function configInvalid(owner: string, faults: readonly string[]): SluiceError {
  const more = faults.length > MAX_TOLD ? `; and ${faults.length - MAX_TOLD} more` : '';
  const told = `${owner}: ${faults.slice(0, MAX_TOLD).join('; ')}${more}`;
  const text = /[.?]$/.test(told) ? told : `${told}.`;
  return new SluiceError('CONFIG_INVALID', text, { details: { owner, faults } });
}

function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = distance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, swap));
    }
    row = next;
  }
  return row[b.length] as number;
}
