import type { JsonRules } from './json-rules.js';

const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const SMALL_E = 0x65;
const SPACE = 0x20;
const LONGEST_FOLLOWED = 64;

/**
 * Whether a JSON text could break a rule, so that it has to be scanned. It never misses one that does; it asks only
 * questions that the engine answers by searching memory, because a look at each character would cost more than
 * JSON.parse itself.
 *
 * @param bytes the payload that `text` was decoded from
 * @internal
 */
export function mayBreakRules(text: string, bytes: Uint8Array, rules: JsonRules): boolean {
  const { length } = text;
  return (
    rules.duplicateKeys === 'error' ||
    mayHaveForbiddenKey(text) ||
    (length >= 2 * rules.maxDepth && atLeast(text, '{', rules.maxDepth + 1 - atMost(text, '[', rules.maxDepth))) ||
    (length >= 4 * rules.maxKeys && atLeast(text, ':', rules.maxKeys + 1)) ||
    (length >= 2 * rules.maxItems && atLeast(text, ',', rules.maxItems)) ||
    (length > rules.maxNameLength && mayHaveLongName(text, rules.maxNameLength)) ||
    (rules.numbers !== 'round' && mayRound(text, bytes))
  );
}

/** Counts up to `count` of them. */
function atMost(text: string, sign: string, count: number): number {
  let found = 0;
  for (let at = text.indexOf(sign); at !== -1 && found <= count; at = text.indexOf(sign, at + 1)) found += 1;
  return found;
}

function atLeast(text: string, sign: string, count: number): boolean {
  return count <= 0 || atMost(text, sign, count - 1) >= count;
}

/** A forbidden name can only hide behind escapes of letters, which no encoder writes. */
function mayHaveForbiddenKey(text: string): boolean {
  // Both names at once. Engines search short texts without preparing tables first.
  if (text.includes('proto') && (text.includes('__proto__') || text.includes('prototype"'))) return true;
  return text.includes('\\u') && /\\u00(?:5f|6[0-9a-f]|7[0-9])/i.test(text);
}

/**
 * A name longer than the limit covers one of these windows completely. A window without a quote is part of a long text;
 * only when a colon follows that text is it a name.
 */
function mayHaveLongName(text: string, maxNameLength: number): boolean {
  const width = Math.max(1, maxNameLength >> 1);
  for (let start = 0; start + width <= text.length; start += width) {
    let quote = text.indexOf('"', start);
    while (quote !== -1 && text.charCodeAt(quote - 1) === BACKSLASH) {
      if (isBeforeColon(text, quote)) return true;
      quote = text.indexOf('"', quote + 1);
    }
    if (quote === -1) return false;
    if (quote < start + width) continue;
    if (isBeforeColon(text, quote)) return true;
    // The windows up to that quote have none either.
    start += Math.floor((quote - start) / width - 1) * width;
  }
  return false;
}

function isBeforeColon(text: string, quote: number): boolean {
  let at = quote + 1;
  while (text.charCodeAt(at) <= 0x20) at += 1;
  return text.charCodeAt(at) === COLON;
}

/**
 * Only a number with 16 digits or more, or with an exponent of three digits or more, can be rounded silently. A run of 16
 * covers a multiple of 16, so it is enough to look at each 16th byte.
 */
function mayRound(text: string, bytes: Uint8Array): boolean {
  let digits = 0;
  for (let at = 15; at < bytes.length; at += 16) {
    if (!isDigit(bytes[at] as number)) continue;
    digits += 1;
    // It also covers the 8 bytes before or after.
    if (!isRun(bytes, at - 8) && !isRun(bytes, at + 4)) continue;
    let from = at;
    while (from > 0 && isDigit(bytes[from - 1] as number)) from -= 1;
    let to = at + 1;
    while (to < bytes.length && isDigit(bytes[to] as number)) to += 1;
    if (to - from >= 16 && isNumber(bytes, from) && mayLoseDigits(bytes, from, to)) return true;
    // The rest of the run was seen.
    at += (to - 1 - at) & ~15;
  }
  // The pattern leaps over text, the search over digits.
  if (digits * 32 > bytes.length) return hasExponent(text, 'e') || hasExponent(text, 'E');
  return EXPONENT.test(text) && (hasExponent(text, 'e') || hasExponent(text, 'E'));
}

const EXPONENT = /\d[eE][-+]?\d{3}/;

/** Digits and the decimal point. */
function isDigit(byte: number): boolean {
  return (byte ^ 0x30) < 10 || byte === POINT;
}

/** Whether the ends of these 5 bytes are digits: most runs are shorter and end here. */
function isRun(bytes: Uint8Array, from: number): boolean {
  return from >= 0 && from + 4 < bytes.length && isDigit(bytes[from] as number) && isDigit(bytes[from + 4] as number);
}

/** Whether digits that begin here can be a number: in texts, for example identifiers, they mostly follow a quote. */
function isNumber(bytes: Uint8Array, from: number): boolean {
  const before = bytes[from - 1];
  return before === undefined || canPrecede(before === MINUS ? (bytes[from - 2] ?? SPACE) : before);
}

function canPrecede(code: number): boolean {
  return code <= SPACE || code === COLON || code === COMMA || code === BRACKET;
}

/** False for a safe integer, and for a fraction with no more digits than a double has. */
function mayLoseDigits(bytes: Uint8Array, from: number, to: number): boolean {
  if (((bytes[to] ?? SPACE) | 0x20) === SMALL_E) return true;
  let whole = 0;
  let at = from;
  for (; at < to && bytes[at] !== POINT; at += 1) whole = whole * 10 + ((bytes[at] as number) - ZERO);
  if (at === to) return whole > Number.MAX_SAFE_INTEGER;
  let digits = at - from;
  if (whole === 0) {
    digits = 0;
    while (bytes[at + 1] === ZERO) at += 1;
  }
  // A fraction that ends with 0 may be a whole number.
  return bytes[to - 1] === ZERO || digits + to - at - 1 > 17;
}

/** A number with an exponent of three digits or more; hexadecimal texts have many that look like it. */
function hasExponent(text: string, sign: 'e' | 'E'): boolean {
  for (let at = text.indexOf(sign); at !== -1; at = text.indexOf(sign, at + 1)) {
    const next = text.charCodeAt(at + 1);
    const from = next === MINUS || next === PLUS ? at + 2 : at + 1;
    if (isDigit(text.charCodeAt(from)) && isDigit(text.charCodeAt(from + 2)) && isNumberBefore(text, at)) return true;
  }
  return false;
}

function isNumberBefore(text: string, end: number): boolean {
  // A longer one is known by its digits; following it to its start could take quadratic time over one text.
  for (let at = end - 1; at >= end - LONGEST_FOLLOWED; at -= 1) {
    const code = text.charCodeAt(at);
    if (!isDigit(code) && code !== MINUS) return at < end - 1 && (Number.isNaN(code) || canPrecede(code));
  }
  return false;
}
