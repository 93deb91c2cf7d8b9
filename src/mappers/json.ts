import { SluiceError, toSluiceError } from '../errors.js';
import { checkOptions } from '../options.js';
import type { Mapper } from './codec.js';
import { decodeJson } from './json-decode.js';
import { whyNotJson } from './json-encodable.js';
import { JSON_LIMIT_RULES, jsonRules, type JsonOptions, type JsonRules } from './json-rules.js';
import { checkSize } from './size.js';
import type { SchemaOutput, StandardSchemaV1 } from './standard-schema.js';
import { schemaLike, validate } from './validate.js';

const encoder = new TextEncoder();
// Typed to give a text always, but a toJSON may have nothing to write.
const stringify = JSON.stringify as (value: unknown) => string | undefined;

/**
 * JSON values. Decoding refuses what JSON.parse lets pass although it harms or changes later: keys that reach prototypes,
 * nesting without end, numbers that would be rounded. Encoding refuses what JSON.stringify leaves out or replaces;
 * only a property that is `undefined` is absent.
 *
 * The value is checked once it is parsed; the text is looked at closely only where the value, or a look at its digits, shows a
 * sign of trouble.
 *
 * @example
 * import { decode, json } from 'sluice';
 * raw.pipe(decode(json<Order>()));
 * raw.pipe(decode(json({ schema: orderSchema, numbers: 'bigint' })));
 * @param options limits, `numbers`, `duplicateKeys`, and `schema` to check and type the decoded value
 * @throws SluiceError from `decode`: `DECODE_FAILED` with the byte, `SCHEMA_INVALID` for a forbidden or duplicate key and
 *   for what the schema refuses, `LIMIT_DEPTH`, `LIMIT_KEYS`, `LIMIT_NAME`, `LIMIT_ITEMS`, `LIMIT_NUMBER`,
 *   `PAYLOAD_TOO_LARGE`; from `encode`: `ENCODE_FAILED` with the path, `PAYLOAD_TOO_LARGE`
 * Source: RFC 8259.
 * @see ndjson
 * @see validate
 */
export function json<S extends StandardSchemaV1>(
  options: JsonOptions & { readonly schema: S },
): Mapper<SchemaOutput<S>>;
export function json<T = unknown>(options?: JsonOptions & { readonly schema?: undefined }): Mapper<T>;
export function json(options: JsonOptions = {}): Mapper<unknown> {
  checkOptions('json', options, { ...JSON_LIMIT_RULES, schema: schemaLike });
  const rules = jsonRules(options);
  const check = options.schema === undefined ? undefined : validate(options.schema);
  return {
    name: 'json',
    contentType: 'application/json',
    encode: (value) => encodeJson(value, rules),
    decode: check === undefined ? (bytes) => decodeJson(bytes, rules) : (bytes) => check(decodeJson(bytes, rules)),
  };
}

function encodeJson(value: unknown, rules: JsonRules): Uint8Array {
  let text: string | undefined;
  try {
    const unfit = whyNotJson(value, rules.maxDepth);
    if (unfit !== undefined) throw new SluiceError('ENCODE_FAILED', `json: ${unfit}.`);
    text = stringify(value);
  } catch (error) {
    // A getter or toJSON of the value threw.
    throw toSluiceError(error, 'ENCODE_FAILED', 'json: the value cannot be written');
  }
  if (text === undefined)
    throw new SluiceError('ENCODE_FAILED', 'json: the toJSON of the value gave nothing to write.');
  return checkSize('json', encoder.encode(text), rules.maxBytes);
}
