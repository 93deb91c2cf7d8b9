import { SluiceError } from '../errors.js';
import { checkOptions, type OptionRule, required } from '../options.js';
import { jsonPointer } from './json-pointer.js';
import type { SchemaIssue, SchemaResult, StandardSchemaV1 } from './standard-schema.js';

/**
 * A function from a payload to what the schema makes of it, for any validator that speaks Standard Schema v1 (Zod,
 * Valibot, ArkType and others).
 *
 * The schema has to answer at once. For one that answers with a promise use `validateAsync` in `each`.
 *
 * @example
 * import { payload, validate } from 'sluice';
 * orders.pipe(payload(validate(orderSchema)));
 * @param schema a Standard Schema v1 validator
 * @throws SluiceError `CONFIG_INVALID` when the schema answers with a promise; `SCHEMA_INVALID` when it refuses the payload:
 *   the text and `details.paths` name where, never the value
 * Source: Standard Schema, version 1.
 * @see validateAsync
 */
export function validate<Output>(schema: StandardSchemaV1<unknown, Output>): (payload: unknown) => Output {
  checkSchema('validate', schema);
  return (payload) => {
    const result = ask(schema, payload);
    if (isPromise(result)) {
      // Nobody waits for it: a rejection must not end the process.
      void Promise.resolve(result).catch(() => undefined);
      throw new SluiceError(
        'CONFIG_INVALID',
        `validate: the schema of ${schema['~standard'].vendor} answers with a promise. Use each(validateAsync(schema)).`,
        { details: { owner: 'validate' } },
      );
    }
    return output(result);
  };
}

/** An object, or as with ArkType a function, that can be asked. @internal */
export const schemaLike: OptionRule = (value) => {
  const { validate: asked } = ((value ?? {}) as Partial<StandardSchemaV1>)['~standard'] ?? {};
  return typeof asked === 'function' ? undefined : 'expected an object with ~standard, as Standard Schema v1 has it';
};

/** @internal */
export function checkSchema(owner: string, schema: StandardSchemaV1): void {
  checkOptions(owner, { schema }, { schema: required(schemaLike) });
}

/** Puts the question; what the validator throws is told as a refusal, with the cause kept. @internal */
export function ask<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  payload: unknown,
): SchemaResult<Output> | Promise<SchemaResult<Output>> {
  let answer: unknown;
  try {
    answer = schema['~standard'].validate(payload);
  } catch (cause) {
    throw new SluiceError('SCHEMA_INVALID', 'the schema threw instead of answering: see the cause.', { cause });
  }
  if (typeof answer === 'object' && answer !== null) return answer as SchemaResult<Output>;
  throw new SluiceError('SCHEMA_INVALID', `the schema answered with ${typeof answer}, and neither value nor issues.`);
}

/** True for a promise of any library or realm. */
function isPromise<Output>(
  answer: SchemaResult<Output> | Promise<SchemaResult<Output>>,
): answer is Promise<SchemaResult<Output>> {
  return 'then' in answer;
}

/** @internal */
export function output<Output>(result: SchemaResult<Output>): Output {
  if (result.issues === undefined) {
    if ('value' in result) return result.value;
    throw new SluiceError('SCHEMA_INVALID', 'the schema answered with neither value nor issues.');
  }
  if (!Array.isArray(result.issues)) {
    throw new SluiceError('SCHEMA_INVALID', 'the schema answered with issues that are no array.');
  }
  const paths = result.issues.map(pathOf);
  const more = paths.length > 5 ? ` and ${paths.length - 5} more` : '';
  const where = paths.length === 0 ? '' : ` at ${paths.slice(0, 5).join(', ')}${more}`;
  throw new SluiceError('SCHEMA_INVALID', `the payload does not fit the schema${where}.`, { details: { paths } });
}

/** Its message stays inside: validators quote the value in it. What is no path, as validators made by hand have it, is none. */
function pathOf(issue: Partial<SchemaIssue> | null): string {
  const path: readonly unknown[] = Array.isArray(issue?.path) ? issue.path : [];
  return jsonPointer(
    path.map((part) => (typeof part === 'object' ? (part as { key: PropertyKey } | null)?.key : part) as PropertyKey),
  );
}
