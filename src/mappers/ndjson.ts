import { checkArgument, someOptions } from '../options.js';
import type { RecordMapper } from './codec.js';
import { json } from './json.js';
import { jsonRules, type JsonOptions } from './json-rules.js';
import { lines } from './lines.js';
import type { SchemaOutput, StandardSchemaV1 } from './standard-schema.js';

/**
 * One JSON value per line. Each line has the guards of `json`; blank lines are left out. A line that cannot be read is an
 * error of that record alone.
 *
 * @example
 * import { ndjson } from 'sluice';
 * const splitter = ndjson<Order>().splitter();
 * for (const { value, nextOffset } of splitter.push(chunk)) handle(value, nextOffset);
 * @param options as for `json`; `maxBytes` bounds each line and each whole payload
 * @throws SluiceError as `json` does, with `line` and `offset` in the details
 * Source: github.com/ndjson/ndjson-spec, and RFC 8259 for each line.
 * @see json
 * @see lines
 */
export function ndjson<S extends StandardSchemaV1>(
  options: JsonOptions & { readonly schema: S },
): RecordMapper<SchemaOutput<S>>;
export function ndjson<T = unknown>(options?: JsonOptions & { readonly schema?: undefined }): RecordMapper<T>;
export function ndjson(options: JsonOptions = {}): RecordMapper<unknown> {
  checkArgument('ndjson', 'options', options, someOptions);
  const mapper = json(options as JsonOptions & { readonly schema?: undefined });
  return lines(mapper, {
    name: 'ndjson',
    contentType: 'application/x-ndjson',
    maxBytes: jsonRules(options).maxBytes,
    skipBlank: true,
  });
}
