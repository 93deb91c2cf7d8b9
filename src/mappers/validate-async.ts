import { SluiceError } from '../errors.js';
import type { StandardSchemaV1 } from './standard-schema.js';
import { ask, checkSchema, output } from './validate.js';

/**
 * Like `validate` for schemas that answer later, for example because they ask a database: the function gives a promise,
 * also when the schema answers at once.
 *
 * @example
 * import { each, validateAsync } from 'sluice';
 * orders.pipe(each(validateAsync(orderSchema), { concurrency: 8 }));
 * @param schema a Standard Schema v1 validator
 * @throws SluiceError `SCHEMA_INVALID`, as a rejection
 * @see validate
 */
export function validateAsync<Output>(
  schema: StandardSchemaV1<unknown, Output>,
): (payload: unknown) => Promise<Output> {
  checkSchema('validateAsync', schema);
  return async (payload) => {
    const answer = ask(schema, payload);
    try {
      return output(await answer);
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      throw new SluiceError('SCHEMA_INVALID', 'the schema failed instead of answering: see the cause.', { cause });
    }
  };
}
