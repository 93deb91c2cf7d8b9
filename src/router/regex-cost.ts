/** Longest regular expression, in characters. */
export const MAX_REGEX_LENGTH = 256;
/** Longest text a regular expression is tried on, in characters. */
export const MAX_REGEX_INPUT = 1024;
/** How many ways through a text may be tried: some milliseconds at worst. */
const MAX_WAYS = 2 ** 21;

/**
 * Says why a regular expression may take too long, `undefined` when it cannot. What counts is the number of ways in which
 * a backtracking engine can try to read one text: it multiplies along a sequence, adds up over alternatives, and becomes
 * endless as soon as something is repeated that itself can be read in two ways.
 *
 * @internal
 */
export function regexFault(regex: RegExp): string | undefined {
  if (!/^[isu]*$/.test(regex.flags)) return `of the regular expression's flags only i, s and u are allowed`;
  if (regex.source.length > MAX_REGEX_LENGTH)
    return `the regular expression is longer than ${MAX_REGEX_LENGTH} characters`;
  const cost = new Cost(regex.source);
  const ways = cost.alternatives();
  if (cost.refused !== undefined) return `the regular expression uses ${cost.refused}, which is not allowed`;
  // Without ^ it is tried again from every place of the text.
  const total = ways * (cost.isAnchored ? 1 : MAX_REGEX_INPUT);
  if (total <= MAX_WAYS) return undefined;
  return 'the regular expression could take very long: it repeats what repeats or chooses, or repeats too often';
}

/** Reads a regular expression that the engine accepted, and counts its ways. */
class Cost {
  refused: string | undefined = undefined;
  private readonly source: string;
  private at = 0;

  constructor(source: string) {
    this.source = source;
  }

  /** `^a|b` is anchored in one branch only, so any alternative at the top counts as not anchored. */
  get isAnchored(): boolean {
    return this.source.startsWith('^') && !this.source.includes('|');
  }

  alternatives(): number {
    let ways = this.sequence();
    while (this.source[this.at] === '|') {
      this.at += 1;
      ways += this.sequence();
    }
    return ways;
  }

  private sequence(): number {
    let ways = 1;
    while (this.at < this.source.length && this.source[this.at] !== '|' && this.source[this.at] !== ')')
      ways *= this.repeated(this.atom());
    return ways;
  }

  private atom(): number {
    const sign = this.source[this.at];
    this.at += 1;
    if (sign === '\\') {
      if (/[1-9k]/.test(this.source[this.at] ?? '')) this.refused ??= 'a back-reference';
      this.at += 1;
    } else if (sign === '[') {
      for (; this.at < this.source.length && this.source[this.at] !== ']'; this.at += 1)
        if (this.source[this.at] === '\\') this.at += 1;
      this.at += 1;
    } else if (sign === '(') {
      const head = /^\?(?::|<\w+>|.)/.exec(this.source.slice(this.at))?.[0] ?? '';
      if (head !== '' && head !== '?:' && !head.endsWith('>')) this.refused ??= 'a look-around or modifier';
      this.at += head.length;
      const ways = this.alternatives();
      this.at += 1;
      return ways;
    }
    return 1;
  }

  private repeated(ways: number): number {
    const found = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/.exec(this.source.slice(this.at));
    if (found === null) return ways;
    this.at += found[0].length;
    const [text, least, comma, most] = found;
    if (least === undefined) return text.startsWith('?') ? ways + 1 : sumOfPowers(ways, 0, MAX_REGEX_INPUT);
    const min = Number(least);
    return sumOfPowers(ways, min, comma === '' ? min : most === '' ? MAX_REGEX_INPUT : Number(most));
  }
}

/** Ways to read something `min` to `max` times. */
function sumOfPowers(ways: number, min: number, max: number): number {
  const limit = Math.min(max, MAX_REGEX_INPUT);
  if (ways === 1) return Math.max(1, limit - Math.min(min, limit) + 1);
  return ways ** limit * 2;
}
