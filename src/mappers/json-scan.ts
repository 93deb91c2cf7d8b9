import { SluiceError, type ErrorCode } from '../errors.js';
import { isExact } from './exact-number.js';
import { jsonPointer } from './json-pointer.js';
import type { JsonRules } from './json-rules.js';

/** A number that JSON.parse would change: where it stands in the text and in the value. */
export interface InexactNumber {
  readonly from: number;
  readonly to: number;
  readonly path: readonly PropertyKey[];
}

/** An array or object that is open at the place reached. */
interface Open {
  readonly isArray: boolean;
  /** The name of the value that is read now, or its index. */
  key: PropertyKey;
  count: number;
  /** The names so far, where duplicates are an error. */
  readonly names: Set<string> | undefined;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
// eslint-disable-next-line no-control-regex -- they have to be escaped in JSON
const UNESCAPED = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
/** What at least a number has that is not exact: many digits, or an exponent of three. */
const INEXACT = /^.{16}|[eE][-+]?\d{3}/;
/** A bigint with more digits takes noticeable time to be made. */
const MAX_BIGINT_DIGITS = 1000;

/**
 * Reads a whole JSON text by the grammar, without building anything and without recursion, and holds it against the rules.
 *
 * @returns the numbers that have to be kept as text or bigint, in order
 * @throws SluiceError the first broken rule, or `DECODE_FAILED` at the first character that is not JSON
 * Source: RFC 8259 sections 2 to 7.
 * @internal
 */
export function scanJson(text: string, rules: JsonRules, byteOffset: (character: number) => number): InexactNumber[] {
  return new Scan(text, rules, byteOffset).run();
}

class Scan {
  private readonly text: string;
  private readonly rules: JsonRules;
  private readonly byteOffset: (character: number) => number;
  private readonly open: Open[] = [];
  private readonly inexact: InexactNumber[] = [];
  /** The character that is read next. */
  private at = 0;

  constructor(text: string, rules: JsonRules, byteOffset: (character: number) => number) {
    this.text = text;
    this.rules = rules;
    this.byteOffset = byteOffset;
  }

  run(): InexactNumber[] {
    // Each turn reads one value or, for an array or object with content, its opening.
    do this.value();
    while (this.hasMore());
    this.space();
    if (this.at < this.text.length) this.expected('the end of the payload');
    return this.inexact;
  }

  /** After a value: closes what ends here; true when another value follows. */
  private hasMore(): boolean {
    for (;;) {
      const top = this.open[this.open.length - 1];
      if (top === undefined) return false;
      // An array or object was just opened and not empty.
      if (top.count === 0) {
        this.member(top);
        return true;
      }
      this.space();
      const char = this.text[this.at];
      if (char === ',') {
        this.at += 1;
        this.member(top);
        return true;
      }
      if (char !== (top.isArray ? ']' : '}')) this.expected(top.isArray ? `',' or ']'` : `',' or '}'`);
      this.at += 1;
      this.open.pop();
    }
  }

  /** The start of an item or the name of a member. */
  private member(top: Open): void {
    top.count += 1;
    if (!top.isArray) {
      this.name(top);
      return;
    }
    top.key = top.count - 1;
    if (top.count > this.rules.maxItems)
      this.broken('LIMIT_ITEMS', `the array at ${this.parent()} has more than maxItems ${this.rules.maxItems} items`);
  }

  private name(top: Open): void {
    const { rules } = this;
    this.space();
    const start = this.at;
    if (this.text[start] !== '"')
      this.expected(top.count === 1 ? `a name in double quotes or '}'` : 'a name in double quotes');
    const name = this.string();
    top.key = name;
    const fail = (code: ErrorCode, what: string): never => {
      this.at = start;
      return this.broken(code, what);
    };
    if (name.length > rules.maxNameLength)
      fail('LIMIT_NAME', `a name in ${this.parent()} is longer than maxNameLength ${rules.maxNameLength} characters`);
    if (top.count > rules.maxKeys)
      fail('LIMIT_KEYS', `the object at ${this.parent()} has more than maxKeys ${rules.maxKeys} keys`);
    if (name === '__proto__' || (name === 'prototype' && this.open[this.open.length - 2]?.key === 'constructor'))
      fail('SCHEMA_INVALID', `forbidden key at ${this.pointer()}: it could change the prototype of other objects`);
    if (top.names?.has(name) === true)
      fail('SCHEMA_INVALID', `duplicate key at ${this.pointer()}: remove one, or set duplicateKeys to 'last'`);
    top.names?.add(name);
    this.space();
    if (this.text[this.at] !== ':') this.expected(`':' after the name`);
    this.at += 1;
  }

  private value(): void {
    this.space();
    const char = this.text[this.at];
    if (char === '{' || char === '[') this.enter(char === '[');
    else if (char === '"') this.string();
    else if (char === 't') this.word('true');
    else if (char === 'f') this.word('false');
    else if (char === 'n') this.word('null');
    else this.number();
  }

  private enter(isArray: boolean): void {
    const { rules } = this;
    if (this.open.length >= rules.maxDepth)
      this.broken('LIMIT_DEPTH', `arrays and objects are nested deeper than maxDepth ${rules.maxDepth}`);
    this.at += 1;
    this.space();
    if (this.text[this.at] === (isArray ? ']' : '}')) {
      this.at += 1;
      return;
    }
    const names = !isArray && rules.duplicateKeys === 'error' ? new Set<string>() : undefined;
    this.open.push({ isArray, key: '', count: 0, names });
  }

  /** The text of the string that starts here. */
  private string(): string {
    const { text } = this;
    const start = this.at;
    for (this.at += 1; ; this.at = ESCAPE.lastIndex) {
      UNESCAPED.lastIndex = this.at;
      UNESCAPED.test(text);
      this.at = UNESCAPED.lastIndex;
      ESCAPE.lastIndex = this.at;
      if (!ESCAPE.test(text)) break;
    }
    const end = text[this.at];
    if (end === '\\') this.expected('an escape that JSON knows');
    if (end !== '"') this.expected(end === undefined ? 'a double quote' : 'an escape instead of a control character');
    this.at += 1;
    const inside = text.slice(start + 1, this.at - 1);
    return inside.includes('\\') ? (JSON.parse(text.slice(start, this.at)) as string) : inside;
  }

  private word(word: string): void {
    if (!this.text.startsWith(word, this.at)) this.expected('a value');
    this.at += word.length;
  }

  private number(): void {
    NUMBER.lastIndex = this.at;
    const token = NUMBER.exec(this.text)?.[0];
    if (token === undefined) return this.expected('a value');
    const from = this.at;
    this.at += token.length;
    const { numbers } = this.rules;
    if (numbers === 'round' || !INEXACT.test(token) || isExact(token)) return;
    const asBigint = /^-?\d+$/.test(token) && token.length <= MAX_BIGINT_DIGITS;
    if (numbers === 'error' || (numbers === 'bigint' && !asBigint)) {
      this.at = from;
      const way = asBigint ? `'bigint' or 'string'` : `'string'`;
      this.broken('LIMIT_NUMBER', `the number at ${this.pointer()} would be rounded: set numbers to ${way} to keep it`);
    }
    this.inexact.push({ from, to: this.at, path: this.path() });
  }

  private space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at += 1;
    }
  }

  private path(): PropertyKey[] {
    return this.open.map(({ key }) => key);
  }

  private pointer(): string {
    return jsonPointer(this.path());
  }

  /** The array or object that is being read. */
  private parent(): string {
    return jsonPointer(this.path().slice(0, -1));
  }

  private expected(what: string): never {
    const byte = this.byteOffset(this.at);
    const ends = this.at >= this.text.length ? ', but the payload ends' : '';
    throw new SluiceError('DECODE_FAILED', `invalid JSON at byte ${byte}: expected ${what}${ends}.`, {
      details: { byte, expected: what },
    });
  }

  private broken(code: ErrorCode, what: string): never {
    const byte = this.byteOffset(this.at);
    throw new SluiceError(code, `${what} (byte ${byte}).`, { details: { byte } });
  }
}
