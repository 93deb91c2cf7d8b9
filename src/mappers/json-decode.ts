import { SluiceError } from '../errors.js';
import { mustScan } from './json-precheck.js';
import type { JsonRules } from './json-rules.js';
import { scanJson, type InexactNumber } from './json-scan.js';
import { mayBreakRules } from './json-value-check.js';
import { checkSize } from './size.js';
import { decodeUtf8 } from './utf8.js';

/**
 * The value of a JSON payload, held against the rules.
 *
 * @throws SluiceError as `json` lists them
 * @internal
 */
export function decodeJson(bytes: Uint8Array, rules: JsonRules): unknown {
  checkSize('json', bytes, rules.maxBytes);
  const text = decodeUtf8(bytes, 'strip');
  if (mustScan(text, bytes, rules)) return scanned(text, bytes, rules);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The engine's error is not kept as the cause: it quotes the payload, and where it happened is told better here.
    scan(text, bytes, rules);
    throw new SluiceError('DECODE_FAILED', 'invalid JSON: this engine cannot parse the payload.');
  }
  return mayBreakRules(value, text, rules) ? scanned(text, bytes, rules) : value;
}

function scanned(text: string, bytes: Uint8Array, rules: JsonRules): unknown {
  return parseKeeping(text, scan(text, bytes, rules), rules.numbers === 'bigint');
}

function scan(text: string, bytes: Uint8Array, rules: JsonRules): InexactNumber[] {
  if (text.trim() === '')
    throw new SluiceError('DECODE_FAILED', 'empty payload, expected JSON.', { details: { byte: 0 } });
  const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  return scanJson(text, rules, (character) => mark + utf8Length(text, character));
}

/** Bytes of the first characters of a well-formed text. */
function utf8Length(text: string, characters: number): number {
  let length = 0;
  for (let at = 0; at < characters; at += 1) {
    const code = text.charCodeAt(at);
    // Each half of a surrogate pair counts for two of its four bytes.
    length += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 2 : 3;
  }
  return length;
}

/** Stands for a number that becomes a bigint: it is read as Infinity, and no number of a text that was scanned for them is. */
const PLACE = '1e999';

/** Parses with the inexact numbers put in quotes, or kept as bigints. */
function parseKeeping(text: string, inexact: readonly InexactNumber[], asBigint: boolean): unknown {
  let kept = '';
  let done = 0;
  for (const { from, to } of inexact) {
    kept += text.slice(done, from) + (asBigint ? PLACE : `"${text.slice(from, to)}"`);
    done = to;
  }
  const holder = { root: JSON.parse(kept + text.slice(done)) as unknown };
  // From the end: of a key that came twice the last value counts.
  if (asBigint)
    for (const { from, to, path } of [...inexact].reverse()) toBigint(holder, ['root', ...path], text.slice(from, to));
  return holder.root;
}

function toBigint(holder: object, path: readonly PropertyKey[], digits: string): void {
  let target = holder as Record<PropertyKey, unknown>;
  for (const key of path.slice(0, -1)) {
    const inner = target[key];
    // The same key came again later.
    if (typeof inner !== 'object' || inner === null) return;
    target = inner as Record<PropertyKey, unknown>;
  }
  const last = path[path.length - 1] as PropertyKey;
  if (target[last] === Infinity) target[last] = BigInt(digits);
}
