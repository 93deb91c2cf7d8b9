import build from 'fast-json-stringify';
import { SluiceError } from '../errors.js';
import { checkOptions, configInvalid } from '../options.js';
import type { Mapper } from './codec.js';
import { decodeJson } from './json-decode.js';
import { whyNotJson } from './json-encodable.js';
import { jsonPointer } from './json-pointer.js';
import { JSON_LIMIT_RULES, jsonRules, type JsonOptions } from './json-rules.js';
import { checkSize } from './size.js';
import type { SchemaOutput, StandardSchemaV1 } from './standard-schema.js';
import { schemaLike, validate } from './validate.js';

/**
 * A JSON Schema (draft 7) as plain data: `{ type: 'object', properties: { … } }`.
 *
 * @see jsonWithSchema
 */
export type JsonSchema = Readonly<Record<string, unknown>>;

const encoder = new TextEncoder();

/**
 * Like `json`, but values are written by a function that fast-json-stringify compiles from a JSON Schema: up to twice as fast
 * for objects with many short fields. Decoding is that of `json`.
 *
 * The schema decides what is written: properties it does not name are left out, and a value of another type is converted
 * (1.5 as an `integer` gives 1), but null is refused where it does not say `nullable: true`. What `json` refuses to write is refused here too, except for a bigint where the schema says
 * `integer`.
 *
 * Compiling uses `new Function`: in a browser whose content security policy forbids that, use `json`. Build one mapper and
 * keep it; compiling takes milliseconds. Never compile a schema that comes from outside: it becomes code.
 *
 * @example
 * import { jsonWithSchema } from 'sluice/json-schema';
 * const bills = jsonWithSchema<Bill>({
 *   type: 'object',
 *   properties: { id: { type: 'string' }, amount: { type: 'number' } },
 *   required: ['id', 'amount'],
 * });
 * @param jsonSchema what to write
 * @param options as for `json`; its `schema` checks decoded values and has nothing to do with the JSON Schema
 * @throws SluiceError `CONFIG_INVALID` for a schema that cannot be compiled; from `decode` as `json`; from `encode`:
 *   `ENCODE_FAILED`, `PAYLOAD_TOO_LARGE`
 * @see json
 */
export function jsonWithSchema<S extends StandardSchemaV1>(
  jsonSchema: JsonSchema,
  options: JsonOptions & { readonly schema: S },
): Mapper<SchemaOutput<S>>;
export function jsonWithSchema<T = unknown>(
  jsonSchema: JsonSchema,
  options?: JsonOptions & { readonly schema?: undefined },
): Mapper<T>;
export function jsonWithSchema(jsonSchema: JsonSchema, options: JsonOptions = {}): Mapper<unknown> {
  checkOptions('jsonWithSchema', options, { ...JSON_LIMIT_RULES, schema: schemaLike });
  const rules = jsonRules(options);
  const check = options.schema === undefined ? undefined : validate(options.schema);
  const write = compiled(jsonSchema);
  return {
    name: 'json',
    contentType: 'application/json',
    decode: check === undefined ? (bytes) => decodeJson(bytes, rules) : (bytes) => check(decodeJson(bytes, rules)),
    encode(value) {
      let text: string;
      try {
        const sight = { bigints: true, hasNull: false };
        const unfit = whyNotJson(value, rules.maxDepth, sight);
        if (unfit !== undefined) throw new SluiceError('ENCODE_FAILED', `jsonWithSchema: ${unfit}.`);
        text = write(value);
        if (sight.hasNull) checkNulls(value, text);
      } catch (error) {
        throw unwritable(error);
      }
      return checkSize('json', encoder.encode(text), rules.maxBytes);
    },
  };
}

function compiled(jsonSchema: JsonSchema): (value: unknown) => string {
  try {
    return build(jsonSchema) as (value: unknown) => string;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw configInvalid('jsonWithSchema', [`the JSON Schema cannot be compiled: ${said.slice(0, 200)}`]);
  }
}

/** The compiled function takes null for 0, an empty text or an empty object, and what was not known would be a figure. */
function checkNulls(value: unknown, text: string): void {
  const path = changedNull(value, JSON.parse(text));
  if (path === undefined) return;
  const cure = `Say nullable: true where it may be null`;
  throw new SluiceError(
    'ENCODE_FAILED',
    `jsonWithSchema: the JSON Schema does not take null, at ${jsonPointer(path.reverse())}. ${cure}.`,
  );
}

/** Where a null was written as something else, from its end; what the schema leaves out was not. */
function changedNull(value: unknown, written: unknown): PropertyKey[] | undefined {
  if (value === null) return written === null ? undefined : [];
  if (typeof value !== 'object' || typeof written !== 'object' || written === null) return undefined;
  const record = value as Record<string, unknown>;
  // An object that says itself what to write is taken at its word.
  if (typeof record['toJSON'] === 'function') return undefined;
  for (const [key, own] of Object.entries(written)) {
    const path = changedNull(record[key], own);
    if (path !== undefined) return [...path, key];
  }
  return undefined;
}

/** The compiled function quotes values in its errors, so neither its text nor the error itself is kept. */
function unwritable(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const said = error instanceof Error ? error.message : '';
  const [, missing] = /^"([^"]{1,40})" is required!$/.exec(said) ?? [];
  const why =
    missing === undefined
      ? 'a value has a type that the JSON Schema cannot take'
      : `the property '${missing}' is missing`;
  return new SluiceError('ENCODE_FAILED', `jsonWithSchema: ${why}.`);
}
