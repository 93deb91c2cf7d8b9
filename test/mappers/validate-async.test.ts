import { describe, expect, it } from 'vitest';
import { validateAsync, type SchemaResult, type StandardSchemaV1 } from 'sluice';

function schema<O>(
  check: (value: unknown) => SchemaResult<O> | Promise<SchemaResult<O>>,
): StandardSchemaV1<unknown, O> {
  return { '~standard': { version: 1, vendor: 'test', validate: check } };
}

describe('validateAsync', () => {
  it('gives a promise of what the schema makes of the payload, also when it answers at once', async () => {
    await expect(validateAsync(schema(async (value) => ({ value: [value] })))(7)).resolves.toStrictEqual([7]);
    await expect(validateAsync(schema((value) => ({ value })))(7)).resolves.toBe(7);
  });

  it('rejects with the paths that are wrong', async () => {
    const refuse = validateAsync(schema(async () => ({ issues: [{ message: 'canary', path: ['id'] }] })));
    await expect(refuse({})).rejects.toMatchObject({ code: 'SCHEMA_INVALID', details: { paths: ['/id'] } });
  });

  it('keeps what the schema threw or rejected with as the cause', async () => {
    const cause = new Error('database away');
    const fail = (): never => {
      throw cause;
    };
    await expect(validateAsync(schema(fail))(1)).rejects.toMatchObject({ code: 'SCHEMA_INVALID', cause });
    await expect(validateAsync(schema(async () => fail()))(1)).rejects.toMatchObject({ code: 'SCHEMA_INVALID', cause });
  });

  it('B32: refuses what is no schema when it is handed over', () => {
    expect(() => validateAsync({} as unknown as StandardSchemaV1)).toThrow(/expected an object with ~standard/);
  });
});
