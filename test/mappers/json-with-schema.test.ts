import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StandardSchemaV1 } from 'sluice';
import { jsonWithSchema, type JsonSchema } from 'sluice/json-schema';
import { anyCharacter } from '../helpers/any-character.js';
import { codeOf, refusal, textOf, utf8 } from '../helpers/payloads.js';
import { runs } from '../helpers/runs.js';

interface Bill {
  readonly id: string;
  readonly amount: number;
  readonly lines?: readonly { readonly sku: string; readonly count: number }[];
}

const schema = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    amount: { type: 'number' },
    lines: {
      type: 'array',
      items: { type: 'object', properties: { sku: { type: 'string' }, count: { type: 'integer' } } },
    },
  },
  required: ['id', 'amount'],
} as const;
const bills = jsonWithSchema<Bill>(schema);

describe('jsonWithSchema', () => {
  it('writes what the schema names, and nothing else', () => {
    const bill = { id: 'a"b', amount: 1.5, secret: 'x', lines: [{ sku: 's', count: 2, more: 1 }] };
    expect(textOf(bills.encode(bill))).toBe('{"id":"a\\"b","amount":1.5,"lines":[{"sku":"s","count":2}]}');
    expect(bills).toMatchObject({ name: 'json', contentType: 'application/json' });
  });

  it('decode(encode(x)) is x', () => {
    const bill = fc.record(
      {
        id: fc.string({ unit: anyCharacter }),
        amount: fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
        lines: fc.array(fc.record({ sku: fc.string(), count: fc.maxSafeInteger() }, { noNullPrototype: true })),
      },
      { requiredKeys: ['id', 'amount'], noNullPrototype: true },
    );
    fc.assert(
      fc.property(bill, (value) => {
        expect(bills.decode(bills.encode(value))).toStrictEqual(value);
      }),
      { numRuns: runs(100) },
    );
  });

  it('writes a bigint where the schema says integer, and reads it back', () => {
    const wide = jsonWithSchema({ type: 'object', properties: { id: { type: 'integer' } } }, { numbers: 'bigint' });
    const value = { id: 9007199254740993n };
    expect(textOf(wide.encode(value))).toBe('{"id":9007199254740993}');
    expect(wide.decode(wide.encode(value))).toStrictEqual(value);
  });

  it('B01 to B09: decodes with the guards of json', () => {
    expect(codeOf(() => bills.decode(utf8('')))).toBe('DECODE_FAILED');
    expect(codeOf(() => bills.decode(utf8('{"__proto__":1}')))).toBe('SCHEMA_INVALID');
    expect(codeOf(() => bills.decode(utf8('['.repeat(65))))).toBe('LIMIT_DEPTH');
    const check: StandardSchemaV1<unknown, number> = {
      '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: Number(value) + 1 }) },
    };
    expect(jsonWithSchema({ type: 'number' }, { schema: check }).decode(utf8('1'))).toBe(2);
  });

  it.each([
    ['NaN', { id: 'a', amount: Number.NaN }, '/amount'],
    ['a function that is no part of the schema', { id: 'a', amount: 1, fn: () => 1 }, '/fn'],
    ['a missing property', { id: 'a' }, `'amount' is missing`],
    ['a value of a type that cannot be converted', { id: 'a', amount: 'canary' }, 'cannot take'],
    ['undefined', undefined, 'the root'],
  ])('B12: refuses %s', (_, value, said) => {
    const error = refusal(() => bills.encode(value as unknown as Bill));
    expect(error.code).toBe('ENCODE_FAILED');
    expect(error.message).toContain(said);
    expect(error.message).not.toContain('canary');
    expect(error.cause).toBeUndefined();
  });

  it('B12: refuses null where the schema does not take it, and writes it where it does', () => {
    const type = (one: JsonSchema): JsonSchema => ({
      type: 'object',
      properties: { a: { type: 'array', items: one } },
    });
    for (const name of ['number', 'integer', 'string', 'boolean', 'array', 'object']) {
      const error = refusal(() => jsonWithSchema(type({ type: name })).encode({ a: [null] }));
      expect(error.code).toBe('ENCODE_FAILED');
      expect(error.message).toContain('does not take null, at /a/0');
      expect(textOf(jsonWithSchema(type({ type: name, nullable: true })).encode({ a: [null] }))).toBe('{"a":[null]}');
    }
    const some = {
      type: 'object',
      properties: { own: { type: 'object', properties: { x: { type: 'number' } } }, free: {} },
    };
    const inherits = Object.create({ a: [null] }) as object;
    expect(codeOf(() => jsonWithSchema(type({ type: 'number' })).encode(inherits))).toBe('ENCODE_FAILED');
    const value = { own: { x: null, toJSON: () => ({ x: 1 }) }, free: { b: null }, unnamed: null };
    expect(textOf(jsonWithSchema(some).encode(value))).toBe('{"own":{"x":1},"free":{"b":null}}');
    const filled = { type: 'object', properties: { a: { type: 'object', default: { x: 1 } } } };
    expect(textOf(jsonWithSchema(filled).encode({ a: undefined, unnamed: null }))).toBe('{"a":{"x":1}}');
  });

  it('B10: refuses a payload above maxBytes', () => {
    const small = jsonWithSchema({ type: 'string' }, { maxBytes: 5 });
    expect(small.encode('abc')).toHaveLength(5);
    expect(codeOf(() => small.encode('abcd'))).toBe('PAYLOAD_TOO_LARGE');
  });

  it('B32: refuses a schema that cannot be compiled, and unknown options', () => {
    expect(codeOf(() => jsonWithSchema({ type: 'no such type' }))).toBe('CONFIG_INVALID');
    expect(codeOf(() => jsonWithSchema(schema, { maxDeph: 3 } as object))).toBe('CONFIG_INVALID');
  });
});
