import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytes, json, lines, text, type Mapper, type SplitRecord, type Splitter } from 'sluice';
import { codeOf, cut, refusal, textOf, utf8 } from '../helpers/payloads.js';
import { runs } from '../helpers/runs.js';

interface Seen {
  readonly line: number;
  readonly offset: number;
  readonly nextOffset: number;
  readonly text: string;
  readonly value: unknown;
}

function seen(record: SplitRecord<unknown>): Seen {
  const { line, offset, nextOffset, value, error } = record;
  return { line, offset, nextOffset, text: textOf(record.bytes), value: error?.code ?? value };
}

function split(splitter: Splitter<unknown>, chunks: readonly Uint8Array[], end = true): Seen[] {
  const records = chunks.flatMap((chunk) => Array.from(splitter.push(chunk), seen));
  return end ? [...records, ...Array.from(splitter.end(), seen)] : records;
}

const values = (records: readonly Seen[]): unknown[] => records.map(({ value }) => value);

describe('a splitter of lines', () => {
  it('gives each line with its place', () => {
    expect(split(lines().splitter(), [utf8('a\r\n\nçd\n')])).toStrictEqual([
      { line: 1, offset: 0, nextOffset: 3, text: 'a', value: 'a' },
      { line: 2, offset: 3, nextOffset: 4, text: '', value: '' },
      { line: 3, offset: 4, nextOffset: 8, text: 'çd', value: 'çd' },
    ]);
  });

  it('B15: takes a last line without its end when the file ends, and holds it until then', () => {
    const splitter = lines().splitter();
    expect(values(split(splitter, [utf8('a\nha')], false))).toStrictEqual(['a']);
    expect(values(split(splitter, [utf8('lf')], false))).toStrictEqual([]);
    expect(split(splitter, [])).toStrictEqual([{ line: 2, offset: 2, nextOffset: 6, text: 'half', value: 'half' }]);
    expect(split(lines().splitter(), [])).toStrictEqual([]);
  });

  it('B13: leaves a lone CR in its line and takes LF and CRLF side by side', () => {
    expect(values(split(lines().splitter(), [utf8('a\rb\r\nc\n\r\r\nd\r')]))).toStrictEqual(['a\rb', 'c', '\r', 'd']);
  });

  it('B03: strips one byte-order mark at the start of a file, also one that comes byte by byte', () => {
    for (const size of [1, 2, 3, 100]) {
      const records = split(lines().splitter(), cut(utf8('\uFEFFa\n\uFEFFb\n'), [size]));
      expect(records[0]).toMatchObject({ line: 1, offset: 3, nextOffset: 5, value: 'a' });
      expect(records[1]).toMatchObject({ line: 2, offset: 5, value: '\uFEFFb' });
    }
  });

  it('gives the beginning of a byte-order mark as content when it goes on otherwise', () => {
    for (const file of [
      Uint8Array.of(0xef, 0xbb),
      Uint8Array.of(0xef, 0x41),
      Uint8Array.of(0xef, 0xbb, 0xef, 0xbb, 0xbf),
    ])
      for (const size of [1, 9]) {
        const splitter = lines(bytes()).splitter();
        for (const chunk of cut(file, [size])) expect(Array.from(splitter.push(chunk))).toStrictEqual([]);
        expect(Array.from(splitter.end(), ({ value, offset }) => [offset, ...(value ?? [])])).toStrictEqual([
          [0, ...file],
        ]);
      }
  });

  it('gives the same records however the file is cut, with nothing lost between them', () => {
    const piece = fc.oneof(fc.constantFrom('\n', '\r\n', '\r', '\uFEFF', 'é', '€', '𝄞', 'abc', '"', ''), fc.string());
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        (parts, sizes) => {
          const file = utf8(parts.join(''));
          const whole = split(lines().splitter(), [file]);
          expect(split(lines().splitter(), cut(file, sizes))).toStrictEqual(whole);
          const text = parts.join('').replace(/^\uFEFF/, '');
          const expected = text.split('\n').map((line) => line.replace(/\r$/, ''));
          if (text === '' || text.endsWith('\n')) expected.pop();
          expect(values(whole)).toStrictEqual(expected);
          for (const [at, record] of whole.entries())
            expect(record.nextOffset).toBe(whole[at + 1]?.offset ?? file.length);
        },
      ),
      { numRuns: runs(500) },
    );
  });

  it('goes on at any record, with its offset and line', () => {
    const file = utf8('one\r\ntwo\n\nthree');
    const whole = split(lines().splitter(), [file]);
    for (const [at, { offset, line }] of whole.entries())
      expect(split(lines().splitter({ offset, line }), [file.subarray(offset)])).toStrictEqual(whole.slice(at));
  });

  it('lets its consumer stop between records and go on with the same iterable', () => {
    const splitter = lines().splitter();
    const records = splitter.push(utf8('a\nb\nc\nd'));
    for (const { value } of records) if (value === 'a') break;
    expect(Array.from(records, ({ value }) => value)).toStrictEqual(['b', 'c']);
    expect(Array.from(records)).toStrictEqual([]);
    expect(Array.from(splitter.end(), ({ value }) => value)).toStrictEqual(['d']);
    expect(Array.from(splitter.end())).toStrictEqual([]);
  });

  it('refuses a chunk while records of the last one wait, and loses none of them', () => {
    const splitter = lines().splitter();
    const records = splitter.push(utf8('a\nb\nc'))[Symbol.iterator]();
    records.next();
    expect(() => splitter.push(utf8('d'))).toThrow(RangeError);
    expect(() => splitter.end()).toThrow(RangeError);
    expect(records.next().value).toMatchObject({ value: 'b' });
    expect(Array.from(splitter.push(utf8('d\n')), seen)).toMatchObject([{ value: 'cd', offset: 4 }]);
    splitter.end();
    expect(() => splitter.push(utf8('d'))).toThrow(RangeError);
  });

  it('B10, B13, B15: skips a line above maxBytes without keeping it, and reads on after it', () => {
    const limited = lines(text(), { maxBytes: 4 });
    for (const size of [1, 3, 64]) {
      for (const end of ['\n', '\r\n']) {
        const file = `abcd${end}abcde${end}${'x'.repeat(50)}${end}abcd${end}abcdef`;
        const records = split(limited.splitter(), cut(utf8(file), [size]));
        const large = 'PAYLOAD_TOO_LARGE';
        expect(values(records)).toStrictEqual(['abcd', large, large, 'abcd', large]);
        expect(records.map((record) => record.text)).toStrictEqual(['abcd', 'abcd', 'xxxx', 'abcd', 'abcd']);
        for (const [at, record] of records.entries())
          expect(record.nextOffset).toBe(records[at + 1]?.offset ?? file.length);
      }
    }
  });

  it('B10: says how large a line is that came in pieces', () => {
    const splitter = lines(text(), { maxBytes: 3 }).splitter();
    const records = cut(utf8('abc\rxyz\n'), [3]).flatMap((chunk) => Array.from(splitter.push(chunk)));
    expect(records.map(({ error }) => error?.message)).toStrictEqual([
      expect.stringContaining('a line of 7 bytes is above maxBytes 3.'),
    ]);
  });

  it('B15: keeps no more than maxBytes of a line that never ends', () => {
    const splitter = lines(text(), { maxBytes: 1000 }).splitter();
    const chunk = new Uint8Array(65_536).fill(0x61);
    for (let turn = 0; turn < 100; turn += 1) expect(Array.from(splitter.push(chunk))).toStrictEqual([]);
    const [record] = splitter.push(utf8('\n'));
    expect(record).toMatchObject({ offset: 0, nextOffset: 6_553_601, error: { code: 'PAYLOAD_TOO_LARGE' } });
    expect(record?.bytes.length).toBe(1000);
    expect(record?.bytes.buffer.byteLength).toBeLessThan(2000);
  });

  it('gives what the mapper throws as the error of that line alone', () => {
    const odd: Mapper<string> = {
      ...text(),
      decode(line) {
        if (line.length % 2 === 1) return textOf(line);
        throw new Error('even');
      },
    };
    const [first, second, third] = lines(odd).splitter().push(utf8('a\nab\nabc\n'));
    expect([first?.value, third?.value]).toStrictEqual(['a', 'abc']);
    expect(second?.error).toMatchObject({ code: 'DECODE_FAILED', details: { line: 2, offset: 2 } });
    expect(second?.error?.message).toMatch(/^line 2: /);
  });
});

describe('lines', () => {
  it('reads and writes one value, and a list of any number', () => {
    const mapper = lines();
    expect(mapper.decode(utf8('one\n'))).toBe('one');
    expect(textOf(mapper.encode('one'))).toBe('one\n');
    expect(mapper.all.decode(utf8('one\ntwo'))).toStrictEqual(['one', 'two']);
    expect(textOf(mapper.all.encode(['one', '', 'two']))).toBe('one\n\ntwo\n');
    expect(mapper.all.decode(utf8(''))).toStrictEqual([]);
    expect(mapper).toMatchObject({ name: 'lines of text', needsHead: false, head: new Uint8Array(0) });
    expect(mapper.contentType).toBe('text/plain; charset=utf-8');
    for (const value of ['\u2EFF', '\uF03F', '\uFEC0']) expect(mapper.decode(mapper.encode(value))).toBe(value);
    expect(codeOf(() => lines({} as never))).toBe('CONFIG_INVALID');
  });

  it('B01: refuses a payload with no record, or with two, where one is expected', () => {
    expect(refusal(() => lines().decode(utf8('')))).toMatchObject({ code: 'DECODE_FAILED', details: { records: 0 } });
    expect(refusal(() => lines().decode(utf8('a\nb')))).toMatchObject({
      code: 'DECODE_FAILED',
      details: { records: 2 },
    });
  });

  it('refuses to write what would not come back as one record', () => {
    for (const value of ['a\nb', 'a\r', '\uFEFFa'])
      expect(codeOf(() => lines().encodeRecord(value))).toBe('ENCODE_FAILED');
    const compact = lines(text(), { skipBlank: true });
    expect(codeOf(() => compact.encode('\r \t'))).toBe('ENCODE_FAILED');
    expect(compact.all.decode(utf8('a\n \r\n\n\t\n\r\r\n x\n\ty\nb'))).toStrictEqual(['a', ' x', '\ty', 'b']);
    const throwing: Mapper<string> = {
      ...text(),
      encode() {
        throw new Error('no');
      },
    };
    expect(codeOf(() => lines(throwing).encode('a'))).toBe('ENCODE_FAILED');
  });

  it('B10: writes no line that it would not read again', () => {
    const any: Mapper<Uint8Array> = { ...bytes(), name: 'any', encode: (value) => value, decode: (value) => value };
    const small = lines(any, { maxBytes: 3 });
    expect(textOf(small.encodeRecord(utf8('abc')))).toBe('abc\n');
    expect(codeOf(() => small.encodeRecord(utf8('abcd')))).toBe('PAYLOAD_TOO_LARGE');
  });

  it('B10: bounds whole payloads by maxBytes too', () => {
    const small = lines(undefined, { maxBytes: 4 });
    expect(small.all.decode(utf8('a\nb\n'))).toStrictEqual(['a', 'b']);
    expect(codeOf(() => small.all.decode(utf8('a\nb\nc')))).toBe('PAYLOAD_TOO_LARGE');
    expect(codeOf(() => small.all.encode(['a', 'bc']))).toBe('PAYLOAD_TOO_LARGE');
    expect(codeOf(() => lines(json(), { maxBytes: 0 }))).toBe('CONFIG_INVALID');
  });

  it('decode(encode(x)) is x for lists of text', () => {
    const line = fc.string({ unit: 'grapheme' }).filter((value) => !/\n|\r$|^\uFEFF/.test(value));
    fc.assert(
      fc.property(fc.array(line), (list) => {
        expect(lines().all.decode(lines().all.encode(list))).toStrictEqual(list);
      }),
    );
  });
});
