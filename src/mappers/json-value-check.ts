import type { JsonRules } from './json-rules.js';

/** Below this a double has fewer digits than its text may have had. */
const SMALLEST_NORMAL = 2.2250738585072014e-308;
const LARGEST = Number.MAX_VALUE;

// What a value shows of its text.
const NOTHING = 0;
const TINY = 1;
const INFINITE = 2;
const BROKEN = 4;
/** Nothing yet: not all of them are numbers. */
const MIXED = -1;

/** Not what looks like it inside of an identifier. */
const SMALL_NUMBER = /(?:^|[\s,:[])-?\d[\d.]*[eE]-\d{3}/;

/**
 * Whether what JSON.parse made of a text could break a rule, so that the text has to be scanned to tell, and where. It
 * never misses a rule that the value breaks, for numbers of up to 15 digits. What a later equal key replaced is not in the
 * value and harms nobody. A walk through the value costs a fraction of what making it did.
 *
 * @internal
 */
export function mayBreakRules(value: unknown, text: string, rules: JsonRules): boolean {
  const signs = typeof value === 'number' ? ofNumber(value) : ofValue(value, rules.maxDepth, rules);
  if (signs >= BROKEN) return true;
  if (signs === NOTHING || rules.numbers === 'round') return false;
  // A zero may have been a number that is too small for a double.
  return signs >= INFINITE || SMALL_NUMBER.test(text);
}

/** @param levels how many levels may still be entered */
function ofValue(value: unknown, levels: number, rules: JsonRules): number {
  if (typeof value !== 'object' || value === null) return NOTHING;
  if (levels === 0) return BROKEN;
  return Array.isArray(value) ? ofArray(value, levels, rules) : ofObject(value as Members, levels, rules);
}

type Members = Record<string, unknown>;

function ofArray(items: readonly unknown[], levels: number, rules: JsonRules): number {
  const { length } = items;
  if (length > rules.maxItems) return BROKEN;
  if (areDoubles(items)) {
    const signs = ofDoubles(items);
    if (signs !== MIXED) return signs;
  }
  let signs = NOTHING;
  for (let index = 0; index < length && signs < BROKEN; index += 1) {
    const item = items[index];
    if (typeof item === 'object') signs |= ofValue(item, levels - 1, rules);
    else if (typeof item === 'number') signs |= ofNumber(item);
  }
  return signs;
}

/**
 * Whether engines are likely to hold the items as bare doubles: numbers, and not only small integers. It asks by `at`, as a
 * compiled `items[0]` that also meets lists of objects first turns the whole list into one of objects.
 */
function areDoubles(items: readonly unknown[]): boolean {
  const first = items.at(0);
  const last = items.at(-1);
  if (typeof first !== 'number' || typeof last !== 'number') return false;
  return first !== (first | 0) || last !== (last | 0);
}

/** Of bare doubles alone, so that it is compiled for those. */
function ofDoubles(items: readonly unknown[]): number {
  let signs = NOTHING;
  for (let index = 0; index < items.length; index += 1) {
    const item = items[index];
    if (typeof item !== 'number') return MIXED;
    signs |= ofNumber(item);
  }
  return signs;
}

function ofObject(object: Members, levels: number, rules: JsonRules): number {
  const { maxNameLength } = rules;
  let signs = NOTHING;
  let count = 0;
  // Without a look whether a key is its own: a prototype with enumerable keys only makes it look closer.
  for (const key in object) {
    count += 1;
    if (key === '__proto__' || key.length > maxNameLength) return BROKEN;
    const member = object[key];
    if (typeof member === 'number') signs |= ofNumber(member);
    else if (typeof member === 'object') {
      if (key === 'constructor' && member !== null && Object.hasOwn(member, 'prototype')) return BROKEN;
      signs |= ofValue(member, levels - 1, rules);
      if (signs >= BROKEN) return BROKEN;
    }
  }
  return count > rules.maxKeys ? BROKEN : signs;
}

function ofNumber(value: number): number {
  if (value >= SMALLEST_NORMAL && value <= LARGEST) return NOTHING;
  if (value < SMALLEST_NORMAL && value > -SMALLEST_NORMAL) return TINY;
  return value < -LARGEST || value > LARGEST ? INFINITE : NOTHING;
}
