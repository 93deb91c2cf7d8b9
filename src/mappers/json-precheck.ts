import type { JsonRules } from './json-rules.js';

const COLON = 0x3a;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const MINUS = 0x2d;
const POINT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;
const SMALL_E = 0x65;
const SPACE = 0x20;

/** Fewer digits are never rounded. */
const RUN = 16;
/** Nesting up to this costs JSON.parse no more than the same text side by side; far beyond, many times as much. */
const DEEP = 32_768;
/** White space between a closing bracket and the opening one that is looked over; most texts have none. */
const MOST_SPACE = 64;

/**
 * Whether a JSON text has to be scanned before it is parsed: because what could break a rule would not be seen in its
 * value any more, or because parsing it could take long. It never misses one. It looks at a part of the bytes only: a
 * look at each would cost more than a tenth of what JSON.parse costs.
 *
 * @param bytes the payload that `text` was decoded from
 * @internal
 */
export function mustScan(text: string, bytes: Uint8Array, rules: JsonRules): boolean {
  return (
    rules.duplicateKeys === 'error' || mayBeVeryDeep(text) || (rules.numbers !== 'round' && mayHaveManyDigits(bytes))
  );
}

/** Whether it may be nested so deep that parsing it takes long. A short text is never deep enough to matter here. @internal */
export function mayBeVeryDeep(text: string): boolean {
  return text.length >= 2 * DEEP && mostOpen(text, '{') + mostOpen(text, '[') > DEEP;
}

/**
 * How many of these brackets may be open at once, or more. One that follows a closing bracket and a comma does not count:
 * inside of a text both mean nothing, outside of texts the one takes back what the other adds.
 */
function mostOpen(text: string, bracket: string): number {
  let count = 0;
  for (let at = text.indexOf(bracket); at !== -1 && count <= DEEP; at = text.indexOf(bracket, at + 1)) {
    const comma = notSpaceBefore(text, at);
    const closing = text.charCodeAt(comma) === COMMA ? text.charCodeAt(notSpaceBefore(text, comma)) : 0;
    // `]` and `}` differ in this bit alone.
    if ((closing | 0x20) !== 0x7d) count += 1;
  }
  return count;
}

function notSpaceBefore(text: string, end: number): number {
  let at = end - 1;
  while (at > end - MOST_SPACE && text.charCodeAt(at) <= SPACE) at -= 1;
  return at;
}

/**
 * Whether there may be a number with 16 digits or more that is rounded. What ends a run of digits also ends every run of 16
 * that would cover it, so most bytes are leapt over.
 */
function mayHaveManyDigits(bytes: Uint8Array): boolean {
  const { length } = bytes;
  for (let at = RUN - 1; at < length;) {
    if (!isNearDigit(bytes[at] as number)) {
      at += RUN;
      continue;
    }
    const last = at - RUN;
    let before = at - 1;
    while (before > last && isNearDigit(bytes[before] as number)) before -= 1;
    if (before === last) {
      before = at;
      while (before > last && isDigit(bytes[before] as number)) before -= 1;
    }
    at = before + RUN;
    if (before > last) continue;
    // Every leap begins behind what ends a run, so this is its first digit.
    const from = before + 1;
    while (at < length && isDigit(bytes[at] as number)) at += 1;
    if (isNumber(bytes, from) && mayLoseDigits(bytes, from, at)) return true;
    at += RUN;
  }
  return false;
}

/** From `.` to `9`, `/` included: one comparison for the many bytes that are none of them. */
function isNearDigit(byte: number): boolean {
  return (byte - POINT) >>> 0 <= NINE - POINT;
}

/** Digits and the decimal point. */
function isDigit(byte: number): boolean {
  return isNearDigit(byte) && byte !== SLASH;
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
