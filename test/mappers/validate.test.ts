import { describe, expect, it } from 'vitest';
import { json, validate, validateAsync, type SchemaResult, type StandardSchemaV1 } from 'sluice';
import { codeOf, refusal } from '../helpers/payloads.js';

function schema<O>(
  check: (value: unknown) => SchemaResult<O> | Promise<SchemaResult<O>>,
): StandardSchemaV1<unknown, O> {
  return { '~standard': { version: 1, vendor: 'test', validate: check } };
}

describe('validate', () => {
  it('gives what the schema makes of the payload', () => {
    const length = validate(schema((value) => ({ value: String(value).length })));
    expect(length('four')).toBe(4);
  });

  it('names the paths that are wrong and never a value or a message of the schema', () => {
    const refuse = validate(
      schema(() => ({
        issues: [
          { message: 'received "canary"', path: ['items', 0, { key: 'price' }] },
          { message: 'canary' },
          ...Array.from({ length: 5 }, (_, at) => ({ message: 'canary', path: [`f${at}`] })),
        ],
      })),
    );
    const error = refusal(() => refuse({}));
    expect(error.code).toBe('SCHEMA_INVALID');
    expect(error.message).toBe(
      'the payload does not fit the schema at /items/0/price, the root, /f0, /f1, /f2 and 2 more.',
    );
    expect(error.details['paths']).toHaveLength(7);
    expect(JSON.stringify(error)).not.toContain('canary');
  });

  it.each([
    ['nothing', {}, 'the schema answered with neither value nor issues.'],
    ['issues that are null', { issues: null, value: 1 }, 'the schema answered with issues that are no array.'],
    ['a text as issues', { issues: 'canary' }, 'the schema answered with issues that are no array.'],
    ['an issue that is null', { issues: [null] }, 'the payload does not fit the schema at the root.'],
    ['a path that is a text', { issues: [{ path: 'canary' }] }, 'the payload does not fit the schema at the root.'],
    ['a path with null', { issues: [{ path: [null] }] }, 'the payload does not fit the schema at /undefined.'],
  ])('refuses the payload when the schema answers with %s', async (_, answer, said) => {
    const answering = schema(() => answer as unknown as SchemaResult<number>);
    const expected = { code: 'SCHEMA_INVALID', message: said };
    expect(refusal(() => validate(answering)(1))).toMatchObject(expected);
    await expect(validateAsync(answering)(1)).rejects.toMatchObject(expected);
  });

  it('keeps what the schema threw as the cause', () => {
    const cause = new TypeError('broken schema');
    const broken = validate(
      schema(() => {
        throw cause;
      }),
    );
    expect(refusal(() => broken(1))).toMatchObject({ code: 'SCHEMA_INVALID', cause });
  });

  it('refuses a schema that answers with a promise, and leaves no rejection behind', async () => {
    const later = validate(schema(() => Promise.reject(new Error('late'))));
    const error = refusal(() => later(1));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain('validateAsync');
    // An unhandled rejection would fail the run.
    await new Promise(setImmediate);
  });

  it('takes a schema that is a function, as those of ArkType are', () => {
    const callable = Object.assign(
      () => undefined,
      schema((value) => ({ value: String(value) })),
    );
    expect(validate(callable)(1)).toBe('1');
    expect(json({ schema: callable }).decode(new TextEncoder().encode('1'))).toBe('1');
  });

  it('refuses a payload whose schema gives no answer, and one with issues that name no place', () => {
    for (const answer of [undefined, null, 'yes', { issues: [] }, { issues: [{ message: 'canary', path: null }] }]) {
      const error = refusal(() => validate(schema(() => answer as unknown as SchemaResult<string>))({}));
      expect(error.code).toBe('SCHEMA_INVALID');
      expect(error.message).not.toContain('canary');
    }
  });

  it('B32: refuses what is no schema when it is handed over', () => {
    expect(codeOf(() => validate({ '~standard': {} } as unknown as StandardSchemaV1))).toBe('CONFIG_INVALID');
    expect(codeOf(() => validate({} as unknown as StandardSchemaV1))).toBe('CONFIG_INVALID');
    expect(codeOf(() => validate(undefined as unknown as StandardSchemaV1))).toBe('CONFIG_INVALID');
  });
});
