import fc from 'fast-check';
import { from } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  bytes,
  decode,
  encode,
  json,
  lines,
  ndjson,
  text,
  type ErrorCode,
  type Mapper,
  type RecordMapper,
} from 'sluice';
import { csv } from 'sluice/csv';
import { jsonWithSchema } from 'sluice/json-schema';
import { answered, anyValue, INPUTS, mutated } from '../helpers/fuzz.js';
import { recorder } from '../helpers/message.js';

const UNREADABLE: readonly ErrorCode[] = [
  'DECODE_FAILED',
  'SCHEMA_INVALID',
  'PAYLOAD_TOO_LARGE',
  'LIMIT_DEPTH',
  'LIMIT_KEYS',
  'LIMIT_NAME',
  'LIMIT_ITEMS',
  'LIMIT_NUMBER',
];
const UNWRITABLE: readonly ErrorCode[] = ['ENCODE_FAILED', 'PAYLOAD_TOO_LARGE'];

const JSON_INPUTS = [
  '{"id":"a","amount":12.5,"paid":true,"tags":["x","y"],"at":{"city":"Köln","zip":null}}',
  '[1,-2.5e3,0.1,"\\u00e4\\n",{},[],[[[1]]],true,false,null]',
  '{"__proto__":{"a":1},"constructor":{"prototype":{"b":2}}}',
  '{"n":9007199254740993,"big":1e400,"minus":-0,"long":1234567890123456789012345678901234567890}',
  '{"a":1,"a":2,"b":{"a":3,"a":4}}',
  `${'['.repeat(64)}${']'.repeat(64)}`,
  ' "text" ',
  '\uFEFF{"id":1}',
];
const LINES = ['{"id":1}\n{"id":2}\r\n\n{"id":3}', '\uFEFF[1]\n"a"\n', JSON_INPUTS.join('\n')];
const CSV_INPUTS = [
  'id,amount,note\n1,2.5,"a, ""b"""\r\n2,-3,"two\nlines"\n',
  '\uFEFFid,amount,note\n1,1e5,=1+1\n\n3,,\n',
  'id,amount,note\n1,2\n1,2,3,4\n"1"x,2,3\n1,2,"open\n',
  'id,id,__proto__\n1,2,3\n',
];
const TEXTS = ['plain', 'Köln 😀 \u2028', '\uFEFFmark', 'a\0b'];
const COLUMNS = { id: 'string', amount: 'number?', note: 'string?' } as const;
const SCHEMA = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    amount: { type: 'number' },
    tags: { type: 'array', items: { type: 'string' } },
  },
} as const;

const MAPPERS: Readonly<Record<string, readonly [mapper: Mapper<unknown>, good: string, corpus: readonly string[]]>> = {
  json: [json(), '{"id":1}', JSON_INPUTS],
  'json, as strict as can be': [
    json({ duplicateKeys: 'error', maxDepth: 3, maxKeys: 3, maxItems: 4 }),
    '1',
    JSON_INPUTS,
  ],
  'json with bigints': [json({ numbers: 'bigint' }), '{"id":1}', JSON_INPUTS],
  'json with a JSON Schema': [jsonWithSchema(SCHEMA), '{"id":"a"}', JSON_INPUTS],
  'one record of NDJSON': [ndjson(), '{"id":1}\n', LINES],
  NDJSON: [ndjson().all, '{"id":1}\n{"id":2}', LINES],
  lines: [lines().all, 'a\nb', TEXTS],
  CSV: [csv().all, 'id,amount\n1,2', CSV_INPUTS],
  'CSV with types': [csv({ columns: COLUMNS }).all, 'id,amount,note\n1,2,x\n', CSV_INPUTS],
  'CSV without a header': [csv({ header: ['id', 'amount', 'note'] }).all, '1,2,3', CSV_INPUTS],
  text: [text(), 'good', TEXTS],
  'bytes with a limit': [bytes({ maxBytes: 40 }), 'good', TEXTS],
};

describe('a payload that is anything (G17)', () => {
  it.each(Object.entries(MAPPERS))(
    'is read as %s or is dead, and those around it are read',
    (_, [mapper, good, corpus]) => {
      const around = new TextEncoder().encode(good);
      fc.assert(
        fc.property(mutated(...corpus), (payload) => {
          const { flow, settled } = recorder();
          answered(() => decode(mapper)(flow([around, payload, around])).subscribe((message) => void message.ack()));
          const [before, tried, after] = settled;
          expect([settled.length, before?.outcome, after?.outcome]).toEqual([3, 'ack', 'ack']);
          if (tried?.outcome === 'dead') expect(UNREADABLE).toContain(tried.code);
          else expect(tried?.outcome).toBe('ack');
        }),
        INPUTS,
      );
    },
  );

  const lossless = ['json', 'json with bigints', 'NDJSON', 'lines', 'text', 'bytes with a limit'];

  it.each(lossless)('is read as %s, and what is written of it is read and written as the same', (name) => {
    const [mapper, , corpus] = MAPPERS[name] as (typeof MAPPERS)[string];
    fc.assert(
      fc.property(mutated(...corpus), (payload) => {
        const value = answered(() => ({ is: mapper.decode(payload) }), UNREADABLE);
        // It may be longer now, or begin with a second byte-order mark.
        const written = value && answered(() => mapper.encode(value.is), UNWRITABLE);
        // As bytes: JSON has a sign for minus zero, and nobody writes it.
        const again = written && mapper.encode(mapper.decode(written));
        expect(again).toEqual(written);
      }),
      INPUTS,
    );
  });
});

/** Every record and error of a file that comes in chunks of these sizes, and where it stands. */
function split(mapper: RecordMapper<unknown>, file: Uint8Array, sizes: readonly number[]): unknown[] {
  const splitter = mapper.splitter();
  const records: unknown[] = [];
  const take = (some: ReturnType<typeof splitter.push>): void => {
    for (const { line, offset, nextOffset, value, error } of some) {
      expect(error === undefined || UNREADABLE.includes(error.code), String(error)).toBe(true);
      records.push([line, offset, nextOffset, value, error?.code, error?.details['column']]);
    }
  };
  for (let at = 0, turn = 0; at < file.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? file.length;
    take(splitter.push(file.subarray(at, at + size)));
    at += size;
  }
  take(splitter.end());
  return records;
}

describe('a file that is anything (G17)', () => {
  const files: Readonly<Record<string, readonly [RecordMapper<unknown>, readonly string[]]>> = {
    NDJSON: [ndjson(), LINES],
    'lines with a limit': [lines(undefined, { maxBytes: 20 }), TEXTS],
    CSV: [csv(), CSV_INPUTS],
    'CSV with types and a limit': [csv({ columns: COLUMNS, maxBytes: 60 }), CSV_INPUTS],
  };
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });

  it.each(Object.entries(files))('is the same records of %s in whatever chunks it comes', (_, [mapper, corpus]) => {
    fc.assert(
      fc.property(mutated(...corpus), sizes, (file, chunks) => {
        const whole = answered(() => split(mapper, file, [Math.max(1, file.length)]));
        expect(answered(() => split(mapper, file, chunks))).toEqual(whole);
        let end = 0;
        for (const [, offset, nextOffset] of whole as [number, number, number][]) {
          expect(offset).toBeGreaterThanOrEqual(end);
          expect(nextOffset).toBeGreaterThanOrEqual(offset);
          end = nextOffset;
        }
        expect(end).toBeLessThanOrEqual(file.length);
      }),
      INPUTS,
    );
  });

  it('loses no line of NDJSON around one that is anything', () => {
    const around = new TextEncoder().encode('{"good":1}\n');
    fc.assert(
      fc.property(mutated(...JSON_INPUTS), (line) => {
        const file = Uint8Array.from([...around, ...line, 10, ...around]);
        const values = answered(() => split(ndjson(), file, [7])) as unknown[][];
        expect([values.at(0)?.[3], values.at(-1)?.[3]]).toEqual([{ good: 1 }, { good: 1 }]);
      }),
      INPUTS,
    );
  });
});

describe('a value that is anything (G17)', () => {
  const anything = fc.oneof(anyValue, fc.dictionary(fc.string(), anyValue), fc.array(anyValue));

  it.each(Object.entries(MAPPERS))(
    'is written as %s or is dead, and those around it are written',
    (_, [mapper, good]) => {
      const around = mapper.decode(new TextEncoder().encode(good));
      fc.assert(
        fc.property(anything, (value) => {
          answered(() => mapper.encode(value), UNWRITABLE);
          const { message, settled } = recorder();
          const given = [around, value, around].map((one) => message('').with(one));
          answered(() => encode(mapper)(from(given)).subscribe((written) => void written.ack()));
          const [before, tried, after] = settled;
          expect([settled.length, before?.outcome, after?.outcome]).toEqual([3, 'ack', 'ack']);
          if (tried?.outcome === 'dead') expect(UNWRITABLE).toContain(tried.code);
          else expect(tried?.outcome).toBe('ack');
        }),
        INPUTS,
      );
    },
  );
});
