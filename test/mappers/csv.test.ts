import fc from 'fast-check';
import Papa from 'papaparse';
import { describe, expect, it, vi } from 'vitest';
import { type RecordMapper, type SplitRecord, type SplitStart } from 'sluice';
import { csv, type CsvOptions } from 'sluice/csv';
import { codeOf, cut, refusal, textOf, utf8 } from '../helpers/payloads.js';
import { runs } from '../helpers/runs.js';

interface Seen {
  readonly line: number;
  readonly offset: number;
  readonly nextOffset: number;
  readonly bytes: number;
  readonly value: unknown;
}

const columns = { id: 'string', amount: 'number', paid: 'boolean' } as const;
const plain = csv();
const typed = csv({ columns });

function seen(record: SplitRecord<unknown>): Seen {
  const { line, offset, nextOffset, bytes, value, error } = record;
  const { column, line: faultLine } = error?.details ?? {};
  const said = error === undefined ? value : `${error.code} ${String(faultLine)}:${String(column)}`;
  return { line, offset, nextOffset, bytes: bytes.length, value: said };
}

function split(mapper: RecordMapper<unknown>, chunks: readonly Uint8Array[], start?: SplitStart): Seen[] {
  const splitter = mapper.splitter(start);
  const records = chunks.flatMap((chunk) => Array.from(splitter.push(chunk), seen));
  return [...records, ...Array.from(splitter.end(), seen)];
}

const outcomes = (text: string, options: CsvOptions & { columns?: undefined } = {}): unknown[] =>
  split(csv(options), [utf8(text)]).map(({ value }) => value);

describe('csv decodes (S2.21, S2.51)', () => {
  it('gives rows by the names of the header, with their places', () => {
    expect(split(plain, [utf8('a,b\r\n1,"x ""y"", z"\r\n\r\n"2\n3",é\n')])).toStrictEqual([
      { line: 2, offset: 5, nextOffset: 21, bytes: 14, value: { a: '1', b: 'x "y", z' } },
      { line: 4, offset: 23, nextOffset: 32, bytes: 8, value: { a: '2\n3', b: 'é' } },
    ]);
  });

  it('types the cells of columns by name, whatever the order in the file', () => {
    const all = csv({
      columns: { n: 'number', s: 'string', b: 'boolean', i: 'bigint', nn: 'number?', ss: 'string?', bb: 'boolean?' },
    }).all;
    expect(
      all.decode(
        utf8('s,extra,i,b,n,bb,ss,nn\nx,?,9007199254740993,TRUE,-1.5e3,,,\n,?,-1,false,0,true,y,0.25\n,?,0,False,1,,,'),
      ),
    ).toStrictEqual([
      { n: -1500, s: 'x', b: true, i: 9007199254740993n, nn: null, ss: null, bb: null },
      { n: 0, s: '', b: false, i: -1n, nn: 0.25, ss: 'y', bb: true },
      { n: 1, s: '', b: false, i: 0n, nn: null, ss: null, bb: null },
    ]);
  });

  it('takes the names from the options for files without a header line', () => {
    const mapper = csv({ columns, header: ['paid', 'id', 'amount'], delimiter: ';' });
    expect(mapper.all.decode(utf8('true;a;1\nfalse;b;2\n'))).toStrictEqual([
      { id: 'a', amount: 1, paid: true },
      { id: 'b', amount: 2, paid: false },
    ]);
    expect(mapper.decode(utf8('true;a;1'))).toStrictEqual({ id: 'a', amount: 1, paid: true });
    expect(mapper.needsHead).toBe(false);
  });

  it('keeps quotes inside of a field that does not start with one, and spaces', () => {
    expect(outcomes('a,b\n5" pipe, "x"\n')).toStrictEqual([{ a: '5" pipe', b: ' "x"' }]);
  });

  it('B03: strips one byte-order mark, also before a quoted name and when it comes byte by byte', () => {
    for (const size of [1, 2, 100]) {
      const records = split(plain, cut(utf8('\uFEFF"a",b\n\uFEFF1,2\n'), [size]));
      expect(records.map(({ value }) => value)).toStrictEqual([{ a: '\uFEFF1', b: '2' }]);
    }
  });

  it('leaves columns out that are not named, or refuses them when told so', () => {
    const strict = csv({ columns, extra: 'error' });
    expect(typed.all.decode(utf8('id,x,amount,paid,\na,?,1,true,\n'))).toStrictEqual([
      { id: 'a', amount: 1, paid: true },
    ]);
    expect(refusal(() => strict.all.decode(utf8('id,x,amount,paid\na,?,1,true\n')))).toMatchObject({
      code: 'SCHEMA_INVALID',
      details: { column: 2, line: 1 },
    });
  });

  it('reads one record, and refuses none or two', () => {
    expect(typed.decode(utf8('id,amount,paid\na,1,true'))).toStrictEqual({ id: 'a', amount: 1, paid: true });
    expect(refusal(() => typed.decode(utf8('id,amount,paid\n')))).toMatchObject({ details: { records: 0 } });
    expect(refusal(() => plain.decode(utf8('a\n1\n2')))).toMatchObject({ details: { records: 2 } });
  });
});

describe('csv makes a fault an error of its record alone', () => {
  const bad = (column: number): string => `DECODE_FAILED 3:${column}`;
  it.each([
    ['a row that is too short', 'x', bad(2)],
    ['a row that is too long', 'x,y,z', bad(3)],
    ['the other delimiter', 'x;y', bad(2)],
    ['a lone CR', 'x,y\rz', bad(2)],
    ['two CRs', 'x,y\r\r', bad(2)],
    ['a CR after quotes', '"x"\r,y', bad(1)],
    ['NUL', 'x\0,y', bad(1)],
    ['NUL in quotes', 'x,"y\0"', bad(2)],
    ['NUL at the start of a field', 'x,\0', bad(2)],
    ['text after a closing quote', '"x"y,z', bad(1)],
    ['space after a closing quote', 'x,"y" ', bad(2)],
    ['a quote that is not doubled', 'x,"a "b" c"', bad(2)],
    ['a quote that is not doubled, behind quotes that are right', '"x","y ""z"" "w"', bad(2)],
    ['a fault on a later line of its record', '"x\n\ny"z,1', 'DECODE_FAILED 5:1'],
  ])('B13: %s', (_, row, expected) => {
    for (const end of ['\n', '\r\n']) {
      const records = split(plain, [utf8(`a,b${end}1,2${end}${row}${end}3,4${end}`)]);
      expect(records.map(({ value }) => value)).toStrictEqual([{ a: '1', b: '2' }, expected, { a: '3', b: '4' }]);
      expect(records[1]?.line).toBe(3);
    }
  });

  it.each([
    ['no number', 'a,abc,true', 'SCHEMA_INVALID 2:2'],
    ['an empty number', 'a,,true', 'SCHEMA_INVALID 2:2'],
    ['a number in hexadecimal', 'a,0x1f,true', 'SCHEMA_INVALID 2:2'],
    ['a binary number', 'a,0b1,true', 'SCHEMA_INVALID 2:2'],
    ['a number with spaces', 'a, 1,true', 'SCHEMA_INVALID 2:2'],
    ['a number with a grouping comma', 'a,"1,000",true', 'SCHEMA_INVALID 2:2'],
    ['Infinity', 'a,-Infinity,true', 'SCHEMA_INVALID 2:2'],
    ['a number that ends with a point', 'a,1.,true', 'SCHEMA_INVALID 2:2'],
    ['a number before a space', 'a,1 ,true', 'SCHEMA_INVALID 2:2'],
    ['a number that would be rounded', 'a,9007199254740993,true', 'LIMIT_NUMBER 2:2'],
    ['a number beyond all doubles', 'a,1e400,true', 'LIMIT_NUMBER 2:2'],
    ['a number below all doubles', 'a,-1e400,true', 'LIMIT_NUMBER 2:2'],
    ['a number that would become zero', 'a,1e-400,true', 'LIMIT_NUMBER 2:2'],
    ['no boolean', 'a,1,yes', 'SCHEMA_INVALID 2:3'],
  ])('%s', (_, row, expected) => {
    const records = split(typed, [utf8(`id,amount,paid\n${row}\nb,2,false`)]);
    expect(records.map(({ value }) => value)).toStrictEqual([expected, { id: 'b', amount: 2, paid: false }]);
  });

  it('names the column and never shows the cell', () => {
    const error = refusal(() => typed.all.decode(utf8('paid,id,amount\ntrue,a,canary')));
    expect(error.message).toBe('line 2: column 3 (amount): expected a number.');
    expect(error.details).toStrictEqual({ column: 3, name: 'amount', line: 2, offset: 15 });
    const big = csv({ columns: { n: 'bigint' } });
    expect(codeOf(() => big.all.decode(utf8('n\n1.5')))).toBe('SCHEMA_INVALID');
    expect(big.decode(utf8(`n\n${'1'.repeat(1000)}`)).n).toBe(BigInt('1'.repeat(1000)));
    expect(codeOf(() => big.all.decode(utf8(`n\n${'1'.repeat(1001)}`)))).toBe('LIMIT_NUMBER');
  });

  it('B04: bytes that are not UTF-8 spoil their record only', () => {
    const file = utf8('a,b\n1,2\nx,?\n3,4\ny,?\n5,6');
    const records = split(plain, [file.map((byte) => (byte === 0x3f ? 0xff : byte))]);
    const [, first, , second] = records;
    expect(records.map(({ value }) => value)).toStrictEqual([
      { a: '1', b: '2' },
      'DECODE_FAILED 3:undefined',
      { a: '3', b: '4' },
      'DECODE_FAILED 5:undefined',
      { a: '5', b: '6' },
    ]);
    expect([first?.offset, second?.offset]).toStrictEqual([8, 16]);
  });

  it('B13: mixed line ends are both line ends', () => {
    expect(outcomes('a,b\r\n1,2\n3,"4\r\n5"\r\n6,7')).toStrictEqual([
      { a: '1', b: '2' },
      { a: '3', b: '4\r\n5' },
      { a: '6', b: '7' },
    ]);
    expect(outcomes('a,b\n1,2\r\n3,4\n')).toStrictEqual([
      { a: '1', b: '2' },
      { a: '3', b: '4' },
    ]);
  });

  it('B13: a quote that is never closed costs its record, not the rest of the file', () => {
    const rows = Array.from({ length: 100 }, (_, at) => `${at},row ${at}\n`).join('');
    const records = split(csv({ maxBytes: 100 }), [utf8(`a,b\n1,2\n3,"open\n${rows}`)]);
    expect(records[1]).toMatchObject({ line: 3, offset: 8, bytes: 100, value: 'PAYLOAD_TOO_LARGE 3:undefined' });
    expect(records.at(-1)?.value).toStrictEqual({ a: '99', b: 'row 99' });
    // Lines and offsets after it are those of the file.
    expect(records[2]?.line).toBe(3 + Number((records[2]?.value as { a: string }).a) + 1);
    const pieces = cut(utf8(`a,b\n1,2\n3,"open\n${rows}`), [50]);
    expect(split(csv({ maxBytes: 100 }), pieces)).toStrictEqual(records);
    const end = split(plain, [utf8('a,b\n1,2\n3,"open\n4,5\n')]);
    expect(end.map(({ value }) => value)).toStrictEqual([{ a: '1', b: '2' }, 'DECODE_FAILED 3:2']);
    expect(refusal(() => plain.all.decode(utf8('a\n"x'))).message).toContain('a quote that is never closed');
  });

  it('B13: a field of 10 MiB is an error without being kept', () => {
    const splitter = plain.splitter();
    Array.from(splitter.push(utf8('a,b\n1,"')));
    const chunk = new Uint8Array(65_536).fill(0x61);
    for (let turn = 0; turn < 160; turn += 1) expect(Array.from(splitter.push(chunk))).toStrictEqual([]);
    const [large, next] = splitter.push(utf8('"\n3,4\n'));
    expect(large).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' }, nextOffset: 4 + 3 + 160 * 65_536 + 2 });
    expect(large?.bytes.buffer.byteLength).toBeLessThanOrEqual(1_048_578);
    expect(next?.value).toStrictEqual({ a: '3', b: '4' });
  });

  it('B10: takes a record of maxBytes and none of one byte more', () => {
    for (const end of ['\n', '\r\n']) {
      const file = utf8(`a,b${end}12,34${end}12,345${end}"1","2"${end}1,2${end}12,34`);
      for (const size of [1, 4, 100]) {
        expect(split(csv({ maxBytes: 5 }), cut(file, [size])).map(({ value }) => value)).toStrictEqual([
          { a: '12', b: '34' },
          'PAYLOAD_TOO_LARGE 3:undefined',
          'PAYLOAD_TOO_LARGE 4:undefined',
          { a: '1', b: '2' },
          { a: '12', b: '34' },
        ]);
      }
    }
    expect(codeOf(() => csv({ maxBytes: 5 }).all.decode(utf8('a\n1\n2\n')))).toBe('PAYLOAD_TOO_LARGE');
  });

  it('B10: says how large a record is, and whether quotes may be why', () => {
    const said = (record: string): string | undefined => {
      const [first] = csv({ header: ['a'], maxBytes: 3 })
        .splitter()
        .push(utf8(record));
      return first?.error?.message;
    };
    expect(said('abc\rxyz\n')).toContain('csv: a record of 7 bytes is above maxBytes 3.');
    expect(said('"abcdef\n')).toContain('a record of 7 bytes, in quotes that are perhaps never closed, is above');
  });

  it.each([
    ['a record on two lines', '"1\n2",3', { a: '1\n2', b: '3' }],
    ['a bad one', '"1"2,3', 'DECODE_FAILED 3:1'],
  ])('B10: finds %s behind one that is too large', (_, record, value) => {
    for (const size of [1, 100]) {
      const chunks = cut(utf8(`a,b\n${'x'.repeat(20)}\n${record}\n4,5\n`), [size]);
      expect(split(csv({ maxBytes: 8 }), chunks).map((row) => row.value)).toStrictEqual([
        'PAYLOAD_TOO_LARGE 2:undefined',
        value,
        { a: '4', b: '5' },
      ]);
    }
  });
});

describe('a header that cannot be used', () => {
  it.each([
    ['B13: duplicate names', 'a,b,a', 'SCHEMA_INVALID', 3],
    ['B06: __proto__', 'a,__proto__', 'SCHEMA_INVALID', 2],
    ['B06: constructor.prototype', 'constructor.prototype,b', 'SCHEMA_INVALID', 1],
    ['B09: a name that is too long', `a,${'n'.repeat(1025)}`, 'LIMIT_NAME', 2],
    ['B09: too many columns', Array.from({ length: 10_001 }, (_, at) => at).join(), 'LIMIT_KEYS', 10_001],
    ['B13: another delimiter', 'a;b', 'SCHEMA_INVALID', 1],
    ['B13: a quote that is not doubled', 'a,"b"c', 'DECODE_FAILED', 2],
  ])('%s: is an error, and so is every row', (_, header, code, column) => {
    const records = split(plain, [utf8(`${header}\n1,2\n3,4\n`)]);
    expect(records.map(({ value }) => value)).toStrictEqual([1, 2, 3].map((line) => `${code} ${line}:${column}`));
    expect(({} as { b?: string }).b).toBeUndefined();
  });

  it('B09, B13: takes names at a limit, and other delimiters in them where there are several or they are quoted', () => {
    expect(outcomes(`a,${'n'.repeat(1024)}\n1,2`)).toMatchObject([{ a: '1' }]);
    expect(plain.all.decode(utf8(Array.from({ length: 10_000 }, (_, at) => at).join()))).toStrictEqual([]);
    expect(outcomes('a;b,c\n1,2')).toStrictEqual([{ 'a;b': '1', c: '2' }]);
    expect(outcomes('"a,b"\n1')).toStrictEqual([{ 'a,b': '1' }]);
  });

  it('B13: names the columns that are missing, and hints at the delimiter', () => {
    const error = refusal(() => typed.all.decode(utf8('id;amount;paid\na;1;true')));
    expect(error).toMatchObject({ code: 'SCHEMA_INVALID', details: { missing: ['id', 'amount', 'paid'], line: 1 } });
    expect(error.message).toContain(`one column with ';' in its name: is that the delimiter?`);
    expect(refusal(() => typed.all.decode(utf8('id\na'))).message).toBe('line 1: the header lacks amount, paid.');
  });

  it('B13: 0 rows: a header alone has none, and nothing at all has no header', () => {
    expect(plain.all.decode(utf8('a,b\n'))).toStrictEqual([]);
    expect(plain.all.decode(utf8('a,b'))).toStrictEqual([]);
    for (const empty of ['', '\uFEFF', '\n\r\n', '\r'])
      expect(refusal(() => plain.all.decode(utf8(empty)))).toMatchObject({
        code: 'DECODE_FAILED',
        details: { column: 1, offset: 0 },
      });
    expect(csv({ header: ['a'] }).all.decode(utf8(''))).toStrictEqual([]);
  });
});

describe('a splitter of csv', () => {
  const file = utf8(
    '\uFEFFid,"na\nme"\r\n1,"é, ""€"""\r\n\r\n2,"𝄞\r\n\n"\n3,x"y"\n"4",\n5,6,7\n"8"9,x\n10,z\r\n11,"open',
  );
  const whole = split(plain, [file]);

  it('gives the same records when the file is cut at any one byte', () => {
    expect(whole).toHaveLength(8);
    for (let at = 0; at <= file.length; at += 1)
      expect(split(plain, [file.subarray(0, at), file.subarray(at)])).toStrictEqual(whole);
    expect(split(plain, cut(file, [1]))).toStrictEqual(whole);
  });

  it('goes on at any record, with its offset, line and the head of the file', () => {
    expect(split(plain, [file], { offset: 0, head: file })).toStrictEqual(whole);
    for (const [at, { offset, line }] of whole.entries()) {
      for (const head of [file, file.subarray(0, 20)])
        expect(split(plain, [file.subarray(offset)], { offset, line, head })).toStrictEqual(whole.slice(at));
    }
    expect(split(plain, [utf8('1\n')], { offset: 2, line: 2, head: utf8('a') })).toMatchObject([{ value: { a: '1' } }]);
    expect(split(plain, [utf8('1,2\n')], { offset: 4, line: 2, head: utf8('a,a\n1,2\n') })).toMatchObject([
      { value: 'SCHEMA_INVALID 2:2' },
    ]);
    expect(codeOf(() => plain.splitter({ offset: 1 }))).toBe('CONFIG_INVALID');
    expect(split(csv({ header: ['a'] }), [utf8('1\n')], { offset: 2, line: 2 })).toMatchObject([{ value: { a: '1' } }]);
    expect(plain.needsHead).toBe(true);
  });

  it('lets its consumer stop between records and go on with the same iterable', () => {
    const splitter = plain.splitter();
    const records = splitter.push(utf8('a\n1\n2\n3\n4'));
    for (const { value } of records) if (value?.['a'] === '1') break;
    expect(() => splitter.push(utf8('5'))).toThrow(RangeError);
    expect(Array.from(records, ({ value }) => value)).toStrictEqual([{ a: '2' }, { a: '3' }]);
    expect(Array.from(splitter.push(utf8('5\n')), seen)).toStrictEqual([
      { line: 5, offset: 8, nextOffset: 11, bytes: 2, value: { a: '45' } },
    ]);
  });

  it('reads files of many blocks', () => {
    const count = 5000;
    const text = Array.from(
      { length: count },
      (_, at) => `${at},${at % 700 === 0 ? '"q""\nq"' : 'x'.repeat(at % 50)}\n`,
    );
    const records = split(plain, cut(utf8(`id,text\n${text.join('')}`), [65_536]));
    expect(records).toHaveLength(count);
    for (const [at, { value, nextOffset }] of records.entries()) {
      expect(value).toStrictEqual({ id: String(at), text: at % 700 === 0 ? 'q"\nq' : 'x'.repeat(at % 50) });
      expect(nextOffset).toBe(records[at + 1]?.offset ?? nextOffset);
    }
  });

  it.each([
    ['256 short rows', '1,2', 1000, 4],
    ['16 KiB of long ones', `1,${'x'.repeat(998)}`, 51, 3],
  ])('parses %s at once, and takes no longer text for it', (_, row, count, blocks) => {
    for (const end of ['\n', '\r\n']) {
      const parse = vi.spyOn(Papa, 'parse').mockClear();
      expect(split(csv({ header: ['a', 'b'] }), [utf8(`${row}${end}`.repeat(count))])).toHaveLength(count);
      expect(parse).toHaveBeenCalledTimes(blocks);
    }
  });

  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
  const sign = fc.constantFrom(...'a,";\n\r é€ '.split(''), '\r\n', '""', '","', '\n"', '\uFEFF', '\0', '𝄞', 'xyz');

  it('gives the same records of any text however it is cut, one after the other and none lost', () => {
    fc.assert(
      fc.property(
        fc.array(sign, { maxLength: 60 }),
        sizes,
        fc.integer({ min: 3, max: 40 }),
        (signs, pieces, maxBytes) => {
          const bytes = utf8(`a,b\n${signs.join('')}`);
          for (const mapper of [plain, csv({ maxBytes })]) {
            const records = split(mapper, [bytes]);
            expect(split(mapper, cut(bytes, pieces))).toStrictEqual(records);
            for (const [at, { offset, line }] of records.entries()) {
              if (at === 0) continue;
              expect(offset).toBeGreaterThanOrEqual(records[at - 1]!.nextOffset);
              // Only blank lines are between two records.
              const between = textOf(bytes.subarray(records[at - 1]!.nextOffset, offset));
              expect(between).toMatch(/^(\r?\n)*$/);
              expect(line).toBe(textOf(bytes.subarray(0, offset)).split('\n').length);
            }
          }
        },
      ),
      { numRuns: runs(1000) },
    );
  });

  it('answers mutated files with records or SluiceErrors', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        sizes,
        (changes, pieces) => {
          const bytes = file.slice();
          for (const [at, byte] of changes) bytes[at] = byte;
          for (const mapper of [plain, csv({ columns: { id: 'number' }, maxBytes: 30 })])
            expect(split(mapper, cut(bytes, pieces))).toStrictEqual(split(mapper, [bytes]));
        },
      ),
      { numRuns: runs(500) },
    );
  });
});

describe('csv reads what other writers write', () => {
  const cell = fc.oneof(
    fc.constantFrom('', '"', '""', ',', '\n', '\r\n', '\r', ' ', '\uFEFF', '=1+1', 'a"b'),
    fc.string({ unit: 'grapheme' }),
  );
  const table = fc
    .integer({ min: 1, max: 5 })
    .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 8 }));

  it('whether they quote all cells or only some, with LF or CRLF', () => {
    fc.assert(
      fc.property(
        table,
        fc.array(fc.boolean(), { minLength: 1 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        (rows, quote, end, last) => {
          fc.pre(!rows.flat().some((text) => text.includes('\0')));
          const lines = rows.map((row, at) =>
            row
              .map((text, column) => {
                const mustQuote =
                  /[",\r\n]/.test(text) || row.length === 1 || (at + column === 0 && text.startsWith('\uFEFF'));
                return mustQuote || quote[(at + column) % quote.length] === true
                  ? `"${text.replaceAll('"', '""')}"`
                  : text;
              })
              .join(),
          );
          const header = rows[0]!.map((_, at) => `c${at}`);
          const expected = rows.map((row) => Object.fromEntries(row.map((text, at) => [`c${at}`, text])));
          expect(csv({ header }).all.decode(utf8(lines.join(end) + (last ? end : '')))).toStrictEqual(expected);
        },
      ),
      { numRuns: runs(1000) },
    );
  });
});

describe('csv encodes (S2.24, S2.51)', () => {
  it('writes the header once and quotes only what has to be', () => {
    const rows = [
      { paid: true, id: 'a,"b"', amount: 1 },
      { id: 'c\nd', amount: -0.5, paid: false },
    ];
    expect(textOf(typed.all.encode(rows))).toBe('id,amount,paid\r\n"a,""b""",1,true\r\n"c\nd",-0.5,false\r\n');
    expect(textOf(typed.encode(rows[0]!))).toBe('id,amount,paid\r\n"a,""b""",1,true\r\n');
    expect(textOf(typed.head) + textOf(typed.encodeRecord(rows[1]!))).toBe('id,amount,paid\r\n"c\nd",-0.5,false\r\n');
    expect(textOf(csv({ columns, lineEnd: '\n', delimiter: '\t' }).all.encode([]))).toBe('id\tamount\tpaid\n');
    expect(typed).toMatchObject({ name: 'csv', contentType: 'text/csv; charset=utf-8; header=present' });
  });

  it('quotes a cell for its delimiter alone, and leaves a cell empty that may be and is not there', () => {
    const mapper = csv({ columns: { a: 'string', b: 'number?' }, delimiter: ';' });
    expect(textOf(mapper.encodeRecord({ a: 'x;y,z', b: 1 }))).toBe('"x;y,z";1\r\n');
    expect(textOf(mapper.encodeRecord({ a: 'x,y' } as never))).toBe('x,y;\r\n');
  });

  it('writes no header where the names come from the options', () => {
    const mapper = csv({ columns, header: ['paid', 'other', 'id', 'amount'] });
    expect(textOf(mapper.encode({ id: 'a', amount: 1, paid: true }))).toBe('true,,a,1\r\n');
    expect(mapper.head).toHaveLength(0);
    expect(mapper.contentType).toContain('header=absent');
  });

  it('without columns takes the names of the first row, and asks the same of the others', () => {
    expect(
      textOf(
        plain.all.encode([
          { b: '1', a: '2' },
          { a: '3', b: '4' },
        ]),
      ),
    ).toBe('b,a\r\n1,2\r\n4,3\r\n');
    expect(textOf(plain.all.encode([]))).toBe('');
    expect(codeOf(() => plain.all.encode([{ a: '1' }, { a: '1', b: '2' }]))).toBe('ENCODE_FAILED');
    expect(refusal(() => plain.all.encode([{ a: '1' }, {}] as { a: string }[]))).toMatchObject({
      code: 'ENCODE_FAILED',
      message: "csv: the column 'a' has no value of type string.",
    });
    expect(codeOf(() => plain.all.encode([{ a: {} as string }]))).toBe('ENCODE_FAILED');
    expect(codeOf(() => plain.encodeRecord({ a: '1' }))).toBe('ENCODE_FAILED');
    expect(plain.head).toHaveLength(0);
  });

  it.each([
    ['=SUM(A1)', `'=SUM(A1)`],
    ['+1+1', `'+1+1`],
    ['-1+1', `'-1+1`],
    ['@cmd', `'@cmd`],
    ['\tx', `'\tx`],
    ['\rx', `"'\rx"`],
    ['\n=1', `"'\n=1"`],
    ['＝1', `'＝1`],
    ['＋1', `'＋1`],
    ['－1', `'－1`],
    ['＠x', `'＠x`],
    ['-12.5', '-12.5'],
    ['-1e-7', '-1e-7'],
    ['a=1', 'a=1'],
    ["'=1", "'=1"],
  ])('B14 (S19): writes %j as %j', (text, written) => {
    const mapper = csv({ columns: { t: 'string', n: 'number' } });
    expect(textOf(mapper.encodeRecord({ t: text, n: -5 }))).toBe(`${written},-5\r\n`);
    const open = csv({ columns: { t: 'string', n: 'number' }, guardFormulas: false });
    expect(textOf(open.encodeRecord({ t: text, n: -5 })).startsWith(`'${text}`)).toBe(false);
  });

  it('reads what it wrote, also where the names of its columns were guarded', () => {
    const named = csv({ columns: { '@timestamp': 'string', '-x': 'number' }, extra: 'error' });
    const row = { '@timestamp': 'noon', '-x': 1 };
    expect(textOf(named.encode(row))).toBe(`'@timestamp,'-x\r\nnoon,1\r\n`);
    expect(named.decode(named.encode(row))).toStrictEqual(row);
    expect(named.decode(utf8('-x,@timestamp\n1,noon\n'))).toStrictEqual(row);
    expect(codeOf(() => csv({ columns: { '@x': 'string' }, guardFormulas: false }).decode(utf8(`'@x\n1`)))).toBe(
      'SCHEMA_INVALID',
    );
  });

  it('refuses rows whose names no file can have', () => {
    expect(codeOf(() => plain.all.encode([{}, {}]))).toBe('ENCODE_FAILED');
    expect(codeOf(() => plain.all.encode([JSON.parse('{"__proto__":"1"}') as Record<string, string>]))).toBe(
      'ENCODE_FAILED',
    );
    expect(codeOf(() => csv({ columns: { '\uD800': 'string' } }))).toBe('CONFIG_INVALID');
  });

  it('B12: refuses a row that is no object', () => {
    for (const [row, kind] of [
      [null, 'null'],
      ['a', 'string'],
    ] as const)
      for (const mapper of [typed, plain])
        expect(refusal(() => mapper.all.encode([row as never]))).toMatchObject({
          code: 'ENCODE_FAILED',
          message: `csv: a row is an object with its cells by column, got ${kind}.`,
        });
  });

  it('B14: guards names too, and reading strips nothing', () => {
    expect(textOf(plain.all.encode([{ '=a': '@b' }]))).toBe(`'=a\r\n'@b\r\n`);
    expect(plain.all.decode(utf8(`a\n'=1`))).toStrictEqual([{ a: `'=1` }]);
  });

  it('B14: refuses a NUL, which its own reader does, wherever it stands', () => {
    const mapper = csv({ columns: { t: 'string', n: 'number' } });
    for (const t of ['\0x', 'x\0', 'a,"\0"'])
      expect(refusal(() => mapper.encodeRecord({ t, n: 1 }))).toMatchObject({
        code: 'ENCODE_FAILED',
        message: "csv: the column 't' has a NUL character, which no reader takes: take it out.",
        details: { name: 't' },
      });
    expect(codeOf(() => plain.all.encode([{ 'a\0': '1' }]))).toBe('ENCODE_FAILED');
    expect(codeOf(() => csv({ columns: { 'a\0': 'string' } }))).toBe('CONFIG_INVALID');
  });

  it('refuses a record that is larger than its own reader takes, alone too (B10)', () => {
    const mapper = csv({ columns: { t: 'string' }, maxBytes: 5 });
    expect(textOf(mapper.encodeRecord({ t: '12345' }))).toBe('12345\r\n');
    expect(codeOf(() => mapper.encodeRecord({ t: '123456' }))).toBe('PAYLOAD_TOO_LARGE');
  });

  it.each([
    ['a missing cell', { id: 'a', paid: true }, 'amount'],
    ['null where the type has none', { id: null, amount: 1, paid: true }, 'id'],
    ['a cell of another type', { id: 'a', amount: '1', paid: true }, 'amount'],
    ['NaN', { id: 'a', amount: Number.NaN, paid: true }, 'amount'],
    ['an object', { id: {}, amount: 1, paid: true }, 'id'],
  ])('B12: refuses %s and names the column', (_, row, name) => {
    const error = refusal(() => typed.encode(row as never));
    expect(error).toMatchObject({ code: 'ENCODE_FAILED', details: { name } });
    expect(error.message).toContain(`'${name}'`);
  });

  it('drops properties that are no columns, or refuses them when told so; refuses half a surrogate pair', () => {
    const row = { id: 'a', amount: 1, paid: true, more: 1 };
    expect(textOf(typed.encodeRecord(row))).toBe('a,1,true\r\n');
    expect(codeOf(() => csv({ columns, extra: 'error' }).encodeRecord(row))).toBe('ENCODE_FAILED');
    expect(codeOf(() => typed.encodeRecord({ ...row, id: '\uD800' }))).toBe('ENCODE_FAILED');
    expect(codeOf(() => csv({ columns, maxBytes: 20 }).encode(row))).toBe('PAYLOAD_TOO_LARGE');
  });

  it('decode(encode(x)) is x', () => {
    const string = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    const row = fc.record(
      {
        s: string,
        n: fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
        b: fc.boolean(),
        i: fc.bigInt(-(2n ** 70n), 2n ** 70n),
        nn: fc.option(fc.integer()),
        ss: fc.option(string.filter((text) => text !== '')),
      },
      { noNullPrototype: true },
    );
    for (const [lineEnd, delimiter] of [
      ['\n', ','],
      ['\r\n', ';'],
      ['\n', '\t'],
      ['\r\n', ' '],
    ] as const) {
      const mapper = csv({
        columns: { s: 'string', n: 'number', b: 'boolean', i: 'bigint', nn: 'number?', ss: 'string?' },
        lineEnd,
        delimiter,
        guardFormulas: false,
      });
      fc.assert(
        fc.property(fc.array(row, { maxLength: 5 }), (rows) => {
          expect(mapper.all.decode(mapper.all.encode(rows))).toStrictEqual(rows);
        }),
      );
    }
    const single = csv({ columns: { 'only\uFEFF "one"': 'string' } });
    const rows = ['', 'x', '\uFEFF'].map((text) => ({ 'only\uFEFF "one"': text }));
    expect(single.all.decode(single.all.encode(rows))).toStrictEqual(rows);
    const marked = csv({ columns: { '\uFEFFa': 'string', b: 'string' } });
    const odd = { '\uFEFFa': '1', b: '2' };
    expect(marked.decode(marked.encode(odd))).toStrictEqual(odd);
  });
});

describe('csv', () => {
  it('B32: refuses wrong options when they are handed over', () => {
    const wrong = [
      { delimiter: ',,' },
      { delimiter: '"' },
      { delimiter: 'é' },
      { delimiter: 'x' },
      { header: [] },
      { delimiter: [';'] },
      { header: 'ab' },
      { header: ['a', 1] },
      { columns: 5 },
      { columns: null },
      { columns: { a: 'date' } },
      { columns: { ['__proto__']: 'string' } },
      { columns: { a: 'string' }, header: ['b'] },
      { maxBytes: 0 },
      { delimeter: ';' },
    ];
    for (const options of wrong)
      expect(
        codeOf(() => csv(options as never)),
        JSON.stringify(options),
      ).toBe('CONFIG_INVALID');
  });

  it('says what is wrong with a name', () => {
    const error = refusal(() => csv({ header: ['a', 'a'] }));
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'csv: column 2 (a): duplicate name in the header.',
    });
  });

  it('names the column whose type there is not', () => {
    const refuse = (wrong: unknown, text: string): void => expect(() => csv({ columns: wrong as never })).toThrow(text);
    refuse({ id: 'string', amount: 'int' }, `'amount': expected one of string, string?, number`);
    refuse({ amount: undefined }, `'amount' is missing`);
    refuse(['id', 'amount'], 'expected an object from column names');
  });
});
