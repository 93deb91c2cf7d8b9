import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ndjson, type SplitRecord } from 'sluice';
import { codeOf, cut, textOf, utf8 } from '../helpers/payloads.js';
import { runs } from '../helpers/runs.js';

const mapper = ndjson();
const outcome = (record: SplitRecord<unknown>): unknown[] => [
  record.line,
  record.offset,
  record.nextOffset,
  record.error?.code ?? record.value,
  record.error?.details['offset'],
];

function split(chunks: readonly Uint8Array[]): unknown[] {
  const splitter = mapper.splitter();
  return [
    ...chunks.flatMap((chunk) => Array.from(splitter.push(chunk), outcome)),
    ...Array.from(splitter.end(), outcome),
  ];
}

describe('ndjson', () => {
  it('gives one value per line, leaves blank lines out, and goes on after a bad one', () => {
    expect(split([utf8('{"a":1}\n\n {"a" 2}\r\n  \r\n[3]')])).toStrictEqual([
      [1, 0, 8, { a: 1 }, undefined],
      [3, 9, 19, 'DECODE_FAILED', 9],
      [5, 23, 26, [3], undefined],
    ]);
  });

  it.each([
    ['B01', '\uFEFF', undefined],
    ['B02', '{"a":', 'DECODE_FAILED'],
    ['B03', '\uFEFF{"a":1}', { a: 1 }],
    ['B05', '['.repeat(65) + ']'.repeat(65), 'LIMIT_DEPTH'],
    ['B06', '{"__proto__":1}', 'SCHEMA_INVALID'],
    ['B07', '9007199254740993', 'LIMIT_NUMBER'],
    ['B09', `[${'0,'.repeat(100_000)}0]`, 'LIMIT_ITEMS'],
    ['B15', '{"last":"without line end"}', { last: 'without line end' }],
  ])('%s', (_, line, expected) => {
    const result = split([utf8(line)]) as unknown[][];
    expect(result[0]?.[3]).toStrictEqual(expected);
  });

  it('B04: names the line of bytes that are not UTF-8', () => {
    const [, bad] = mapper.splitter().push(Uint8Array.of(0x31, 0x0a, 0x22, 0xff, 0x22, 0x0a));
    expect(bad?.error).toMatchObject({ code: 'DECODE_FAILED', details: { line: 2, offset: 2, byte: 1 } });
  });

  it('B15: a line above maxBytes is one error, and the next line is read', () => {
    const splitter = ndjson({ maxBytes: 10 }).splitter();
    const records = cut(utf8(`${'[1,'.repeat(40)}\n[2]\n`), [7]).flatMap((chunk) =>
      Array.from(splitter.push(chunk), outcome),
    );
    expect(records).toStrictEqual([
      [1, 0, 121, 'PAYLOAD_TOO_LARGE', 0],
      [2, 121, 125, [2], undefined],
    ]);
  });

  it('gives the same records however the file is cut', () => {
    const piece = fc.oneof(fc.constantFrom('\n', '\r\n', '\uFEFF', '{"é":"€𝄞"}', '[1,2]', '"', '{', ' '), fc.json());
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (parts, sizes) => {
          const file = utf8(parts.join(''));
          expect(split(cut(file, sizes))).toStrictEqual(split([file]));
        },
      ),
      { numRuns: runs(300) },
    );
  });

  it('gives the same records when it is cut at any one byte', () => {
    const file = utf8('\uFEFF{"a":"é€𝄞"}\r\n[1,2,3]\n\n"x"\r\n{"b":null}');
    const whole = split([file]);
    for (let at = 0; at <= file.length; at += 1)
      expect(split([file.subarray(0, at), file.subarray(at)])).toStrictEqual(whole);
  });

  it('decode(encode(x)) is x, for one value and for lists', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ maxDepth: 3 })), (list) => {
        fc.pre(!/"(?:__proto__|prototype)":/.test(JSON.stringify(list)));
        const expected = JSON.parse(JSON.stringify(list)) as unknown;
        expect(mapper.all.decode(mapper.all.encode(list))).toStrictEqual(expected);
        for (const value of list)
          expect(mapper.decode(mapper.encode(value))).toStrictEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    expect(textOf(mapper.encode({ a: 'x\ny' }))).toBe('{"a":"x\\ny"}\n');
    expect(mapper).toMatchObject({ name: 'ndjson', contentType: 'application/x-ndjson' });
  });

  it('B12, B32: refuses what json refuses', () => {
    expect(codeOf(() => mapper.encode({ a: 1n }))).toBe('ENCODE_FAILED');
    expect(codeOf(() => ndjson({ maxDeph: 1 } as object))).toBe('CONFIG_INVALID');
  });

  it('answers mutated files with records or SluiceErrors, and never loses its place', () => {
    const seed = utf8('\uFEFF{"id":9007199254740991,"name":"\\u00e9"}\r\n[[1.5],[{}]]\n\n"x€"\n');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (changes) => {
          const file = seed.slice();
          for (const [at, byte] of changes) file[at] = byte;
          const records = split([file]) as [number, number, number][];
          for (const [at, [, offset, next]] of records.entries()) {
            expect(next).toBeGreaterThan(offset);
            if (at > 0) expect(offset).toBeGreaterThanOrEqual(records[at - 1]![2]);
          }
          expect(split(cut(file, [3]))).toStrictEqual(records);
        },
      ),
      { numRuns: runs(500) },
    );
  });
});
