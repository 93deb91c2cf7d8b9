import { jsonPointer } from './json-pointer.js';

/** What JSON cannot express, and where: the path grows from its end while the search returns. */
interface Problem {
  readonly what: string;
  readonly path: PropertyKey[];
  /** The object where the depth ran out: met again further up, it is a circle. */
  readonly deepest?: object;
}

/** What a writer can write beside JSON, and what was met on the way through a value. */
export interface JsonSight {
  readonly bigints: boolean;
  hasNull: boolean;
}

/** That of JSON.stringify, where nobody asks what was met. */
const PLAIN: JsonSight = { bigints: false, hasNull: false };

/**
 * Why JSON.stringify would throw, overflow the stack, or leave out or replace a part of the value; `undefined` when it
 * writes all of it. A property that is `undefined` is absent, as everywhere in JSON.
 *
 * @internal
 */
export function whyNotJson(value: unknown, maxDepth: number, sight: JsonSight = PLAIN): string | undefined {
  const problem = value === undefined ? said('undefined has no JSON form') : inValue(value, maxDepth, sight);
  return problem === undefined ? undefined : `${problem.what}, at ${jsonPointer(problem.path.reverse())}`;
}

function said(what: string): Problem {
  return { what, path: [] };
}

/** @param levels how many levels may still be entered */
function inValue(value: unknown, levels: number, sight: JsonSight): Problem | undefined {
  switch (typeof value) {
    case 'object':
      if (value !== null) return inObject(value, levels, sight);
      sight.hasNull = true;
      return undefined;
    case 'number':
      return value - value === 0 ? undefined : said(`JSON would write null for the number ${value}`);
    case 'bigint':
      return sight.bigints ? undefined : said('JSON has no bigint: map it to text');
    case 'function':
    case 'symbol':
      return said(`a ${typeof value} has no JSON form`);
    default:
      return undefined;
  }
}

function inObject(value: object, levels: number, sight: JsonSight): Problem | undefined {
  if (levels === 0) return { what: 'nested deeper than maxDepth', path: [], deepest: value };
  if (Array.isArray(value)) return inArray(value, levels, sight);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const known = ofClass(value);
    if (known !== 'plain') return known;
  }
  const record = value as Record<string, unknown>;
  // `for in` with its own key is the fastest way through an object; the check drops what a class put on a prototype.
  for (const key in record) {
    const problem = inValue(record[key], levels - 1, sight);
    if (problem === undefined || !Object.hasOwn(record, key)) continue;
    // An object that says itself what to write is taken at its word.
    if (typeof record['toJSON'] === 'function') return undefined;
    return above(problem, value, key);
  }
  return undefined;
}

function inArray(items: readonly unknown[], levels: number, sight: JsonSight): Problem | undefined {
  for (let index = 0; index < items.length; index += 1) {
    const item = items[index];
    const problem =
      item === undefined ? said('JSON would write null for undefined in an array') : inValue(item, levels - 1, sight);
    if (problem !== undefined) return above(problem, items, index);
  }
  return undefined;
}

function above(problem: Problem, parent: object, key: PropertyKey): Problem {
  if (problem.deepest === parent) return { what: 'the object contains itself', path: [], deepest: parent };
  problem.path.push(key);
  return problem;
}

const EMPTIED = new Set(['Map', 'Set', 'WeakMap', 'WeakSet', 'Promise', 'RegExp', 'Error', 'ArrayBuffer', 'DataView']);

/** Without properties of its own, nothing of an object of any other class would be written. */
const SHOWN = new Set(['Object', 'Number', 'String', 'Boolean', 'BigInt', 'Date', 'Arguments']);

/** What is wrong with an object of a class, nothing, or that it is to be looked at like a plain one. */
function ofClass(value: object): Problem | 'plain' | undefined {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag === 'Date' && Number.isNaN((value as Date).getTime()))
    return said('JSON would write null for an invalid Date');
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function' && !ArrayBuffer.isView(value)) return undefined;
  if (EMPTIED.has(tag) || (!SHOWN.has(tag) && Object.keys(value).length === 0))
    return said(`JSON would lose the content of the ${tag}: map it to an array or object`);
  if (ArrayBuffer.isView(value)) return said('JSON has no bytes: map them to text, for example base64');
  return 'plain';
}
