import { integer, oneOf, type OptionRules } from '../options.js';
import { MAX_PAYLOAD_BYTES } from './codec.js';
import type { StandardSchemaV1 } from './standard-schema.js';

/** What becomes of a number that a JavaScript number cannot hold: see {@link JsonOptions.numbers}. */
export type JsonNumbers = 'error' | 'string' | 'bigint' | 'round';

/** Options of {@link json} that do not depend on the value's type. */
export interface JsonLimits {
  /** Largest payload in bytes, in and out. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Deepest nesting of arrays and objects, in and out. Default 64, at most 1,000. */
  readonly maxDepth?: number;
  /** Most keys of one object. Default 10,000. */
  readonly maxKeys?: number;
  /** Longest key in characters. Default 1,024. */
  readonly maxNameLength?: number;
  /** Most items of one array. Default 100,000. */
  readonly maxItems?: number;
  /**
   * What becomes of a number that would be rounded or become infinite or zero: an `error`, its digits as a `string`, a
   * `bigint` (whole numbers only, others are an error), or silently the nearest number (`round`, as JSON.parse does). A
   * number with a fraction is taken for a double: up to 17 digits are no rounding. Default `error`.
   */
  readonly numbers?: JsonNumbers;
  /** What becomes of a key that comes twice in one object: the `last` one counts, or it is an `error`. Default `last`. */
  readonly duplicateKeys?: 'last' | 'error';
}

/** Options of {@link json}. */
export interface JsonOptions extends JsonLimits {
  /** Any Standard Schema validator that answers at once; its output is the decoded value. Default: it is not checked. */
  readonly schema?: StandardSchemaV1 | undefined;
}

/** The limits with their defaults filled in. */
export type JsonRules = Required<JsonLimits>;

/** @internal */
export const JSON_LIMIT_RULES: OptionRules<JsonLimits> = {
  maxBytes: integer(1),
  maxDepth: integer(0, 1000),
  maxKeys: integer(0),
  maxNameLength: integer(1),
  maxItems: integer(0),
  numbers: oneOf('error', 'string', 'bigint', 'round'),
  duplicateKeys: oneOf('last', 'error'),
};

/** @internal */
export function jsonRules(options: JsonLimits): JsonRules {
  return {
    maxBytes: options.maxBytes ?? MAX_PAYLOAD_BYTES,
    maxDepth: options.maxDepth ?? 64,
    maxKeys: options.maxKeys ?? 10_000,
    maxNameLength: options.maxNameLength ?? 1024,
    maxItems: options.maxItems ?? 100_000,
    numbers: options.numbers ?? 'error',
    duplicateKeys: options.duplicateKeys ?? 'last',
  };
}
