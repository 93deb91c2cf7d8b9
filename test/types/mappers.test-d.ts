import { describe, expectTypeOf, it } from 'vitest';
import {
  json,
  lines,
  ndjson,
  validate,
  validateAsync,
  type Mapper,
  type RecordMapper,
  type StandardSchemaV1,
} from 'sluice';
import { csv } from 'sluice/csv';
import { jsonWithSchema } from 'sluice/json-schema';

interface Order {
  readonly id: string;
}
declare const schema: StandardSchemaV1<{ id: number }, Order>;

describe('mappers', () => {
  it('take the type of the value from the schema or from the caller', () => {
    expectTypeOf(json<Order>()).toEqualTypeOf<Mapper<Order>>();
    expectTypeOf(json({ numbers: 'bigint' })).toEqualTypeOf<Mapper<unknown>>();
    expectTypeOf(json({ schema })).toEqualTypeOf<Mapper<Order>>();
    expectTypeOf(ndjson({ schema })).toEqualTypeOf<RecordMapper<Order>>();
    expectTypeOf(lines()).toEqualTypeOf<RecordMapper<string>>();
    expectTypeOf(lines(json<Order>()).all).toEqualTypeOf<Mapper<Order[]>>();
    expectTypeOf(jsonWithSchema<Order>({ type: 'object' })).toEqualTypeOf<Mapper<Order>>();
    expectTypeOf(validate(schema)).toEqualTypeOf<(payload: unknown) => Order>();
    expectTypeOf(validateAsync(schema)).toEqualTypeOf<(payload: unknown) => Promise<Order>>();
  });

  it('type the rows of csv by their columns (S2.51)', () => {
    const typed = csv({ columns: { id: 'string', amount: 'number?', paid: 'boolean', big: 'bigint' } });
    expectTypeOf(typed.decode).returns.toEqualTypeOf<{
      id: string;
      amount: number | null;
      paid: boolean;
      big: bigint;
    }>();
    expectTypeOf(csv().all.decode).returns.toEqualTypeOf<Record<string, string>[]>();
    // @ts-expect-error -- no such type of column
    csv({ columns: { at: 'date' } });
    // @ts-expect-error -- a column is missing
    typed.encode({ id: 'a', amount: 1, paid: true });
  });

  it('tell a record with a value from one with an error', () => {
    for (const record of csv({ columns: { n: 'number' } })
      .splitter()
      .end()) {
      if (record.error === undefined) expectTypeOf(record.value).toEqualTypeOf<{ n: number }>();
      else expectTypeOf(record.value).toEqualTypeOf<undefined>();
    }
  });
});
