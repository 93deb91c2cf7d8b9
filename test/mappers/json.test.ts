import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { json, type JsonOptions, type StandardSchemaV1 } from 'sluice';
import { isExact } from '../../src/mappers/exact-number.js';
import { anyCharacter } from '../helpers/any-character.js';
import { codeOf, refusal, textOf, utf8 } from '../helpers/payloads.js';
import { runs } from '../helpers/runs.js';

const mapper = json();
const decode = (text: string, options: JsonOptions & { schema?: undefined } = {}): unknown =>
  json(options).decode(utf8(text));
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const keys = (count: number): string => `{${Array.from({ length: count }, (_, at) => `"k${at}":0`).join()}}`;

describe('json decodes (S2.20, S2.50)', () => {
  it('gives the value of a payload with every kind of value', () => {
    const value = { text: 'é € 𝄞', number: -1.5e3, yes: true, no: false, none: null, list: [1, [2], {}], empty: '' };
    expect(mapper.decode(utf8(JSON.stringify(value)))).toStrictEqual(value);
  });

  it('B03: strips one byte-order mark and no second one', () => {
    expect(decode('\uFEFF{"a":1}')).toStrictEqual({ a: 1 });
    expect(refusal(() => decode('\uFEFF\uFEFF{}'))).toMatchObject({ code: 'DECODE_FAILED', details: { byte: 3 } });
  });

  it('B08: lets the last of duplicate keys count, and refuses them when told so', () => {
    expect(decode('{"a":1,"b":{"a":2},"a":3}')).toStrictEqual({ a: 3, b: { a: 2 } });
    const error = refusal(() => decode('{"b":[{"a":2,"\\u0061":3}]}', { duplicateKeys: 'error' }));
    expect(error).toMatchObject({ code: 'SCHEMA_INVALID', details: { byte: 13 } });
    expect(error.message).toContain('duplicate key at /b/0/a');
    expect(decode('{"a":{"a":1},"b":[{"a":1},{"a":1}]}', { duplicateKeys: 'error' })).toBeTypeOf('object');
  });

  it('passes what is right at a limit (S03, S05)', () => {
    expect(decode(nested(64))).toHaveLength(1);
    expect(decode('{"a":'.repeat(64) + '1' + '}'.repeat(64))).toHaveProperty('a');
    expect(Object.keys(decode(keys(10_000)) as object)).toHaveLength(10_000);
    expect(decode(`{"${'n'.repeat(1024)}":1}`)).toBeTypeOf('object');
    expect(decode(`[${'0,'.repeat(99_999)}0]`)).toHaveLength(100_000);
    expect(decode(JSON.stringify('x'.repeat(1_048_574)))).toHaveLength(1_048_574);
  });

  it('B08 (S05): passes the same where it looks for duplicate keys', () => {
    const strict = { duplicateKeys: 'error' } as const;
    const spaced = '\t{\r"a"\n:\t[ 1\r,\n2 , [\r] , {\n} ]\r, "b" : "c"\n}\r';
    expect(decode(spaced, strict)).toStrictEqual({ a: [1, 2, [], {}], b: 'c' });
    expect(
      decode('[{"ab":[[0],0]}]', { ...strict, maxDepth: 4, maxItems: 2, maxKeys: 1, maxNameLength: 2 }),
    ).toHaveLength(1);
    expect(decode('[9007199254740993]', { ...strict, numbers: 'round' })).toStrictEqual([Number('9007199254740993')]);
  });

  it('lets a later equal key replace what breaks a rule, since nothing of it is left', () => {
    expect(decode(`{"a":{"__proto__":1},"b":${nested(70)},"a":1,"b":2}`)).toStrictEqual({ a: 1, b: 2 });
  });

  it.each([
    ['[0.5,{"__proto__":1},0.5]', 'SCHEMA_INVALID'],
    [`[0.5,${nested(64)},0.5]`, 'LIMIT_DEPTH'],
    ['[0.5,1e999,0.5]', 'LIMIT_NUMBER'],
    ['[0.5,-1e999,0.5]', 'LIMIT_NUMBER'],
    ['[0.5,1e-999,0.5]', 'LIMIT_NUMBER'],
    ['[0.5,["1e999",1e999],0.5]', 'LIMIT_NUMBER'],
    [`[0.5,{"${'n'.repeat(1_025)}":1},3000000000]`, 'LIMIT_NAME'],
  ])('finds what breaks a rule between numbers with a fraction: %s', (text, code) => {
    expect(codeOf(() => decode(text))).toBe(code);
    expect(decode('[0.5,0,-1,"a",null,[],{},3000000000,0.5]')).toHaveLength(9);
  });

  it('passes many small objects and arrays, also in a long text', () => {
    const points = Array.from({ length: 30_000 }, (_, at) => [at, { at }]);
    expect(decode(JSON.stringify(points))).toStrictEqual(points);
    expect(decode(JSON.stringify(points.slice(0, 9000), undefined, 2))).toHaveLength(9000);
  });

  it('reads the same while Object.prototype has keys that are enumerable', () => {
    let value: unknown;
    Object.defineProperty(Object.prototype, 'stray', { value: [[1]], enumerable: true, configurable: true });
    try {
      value = decode('{"a":[{}]}', { maxDepth: 3, maxKeys: 1 });
    } finally {
      delete (Object.prototype as { stray?: unknown }).stray;
    }
    expect(value).toStrictEqual({ a: [{}] });
  });

  it('takes signs of trouble inside of texts for what they are', () => {
    const value = {
      text: '__proto__ "constructor": {"prototype"} 9007199254740993 1e400',
      deep: '['.repeat(100),
      id: '4111111111111111111',
      hash: '3e123',
      uuid: 'a1e400bc-1e123-4e567',
      escaped: '\u005f\u0001',
      type: 'prototype',
      prototype: 1,
      constructor: 2,
      long: `${'"'.repeat(3000)}:${'x'.repeat(3000)}`,
      colons: ':'.repeat(20_000),
    };
    expect(mapper.decode(utf8(JSON.stringify(value)))).toStrictEqual(value);
  });

  it('checks and types the value with a schema', () => {
    const schema: StandardSchemaV1<unknown, { readonly id: string }> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) =>
          typeof (value as { id?: unknown }).id === 'number'
            ? { value: { id: String((value as { id: number }).id) } }
            : { issues: [{ message: 'secret value', path: ['id'] }] },
      },
    };
    const typed = json({ schema });
    expect(typed.decode(utf8('{"id":7}')).id).toBe('7');
    const error = refusal(() => typed.decode(utf8('{"id":"secret"}')));
    expect(error).toMatchObject({ code: 'SCHEMA_INVALID', details: { paths: ['/id'] } });
    expect(error.message).not.toContain('secret');
  });
});

describe('json refuses to decode', () => {
  it.each([
    ['B01: nothing', '', 0],
    ['B01: only a byte-order mark', '\uFEFF', 0],
    ['B01: only white space', ' \n\t', 0],
  ])('%s', (_, text, byte) => {
    const error = refusal(() => decode(text));
    expect(error).toMatchObject({ code: 'DECODE_FAILED', details: { byte } });
    expect(error.message).toContain('empty payload, expected JSON');
  });

  it.each([
    ['an end after a colon', '{"a":', 5, 'a value, but the payload ends'],
    ['an end inside a text', '["abc', 5, 'a double quote, but the payload ends'],
    ['an end inside an array', '[1', 2, "',' or ']', but the payload ends"],
    ['text after the value', '{"a":1} x', 8, 'the end of the payload'],
    ['a second value', '1 2', 2, 'the end of the payload'],
    ['NaN', '{"a":NaN}', 5, 'a value'],
    ['Infinity', '[-Infinity]', 1, 'a value'],
    ['single quotes', "{'a':1}", 1, "a name in double quotes or '}'"],
    ['a missing comma in an object', '{"a":1 "b":2}', 7, "',' or '}'"],
    ['a comment', '[1, /* two */ 2]', 4, 'a value'],
    ['a trailing comma in an array', '[1,]', 3, 'a value'],
    ['a trailing comma in an object', '{"a":1,}', 7, 'a name in double quotes'],
    ['a missing colon', '{"a" 1}', 5, "':' after the name"],
    ['a leading zero', '[01]', 2, "',' or ']'"],
    ['a number that ends with a point', '[1.]', 2, "',' or ']'"],
    ['a line end inside a text', '["a\nb"]', 3, 'an escape instead of a control character'],
    ['an unknown escape', '["a\\x"]', 3, 'an escape that JSON knows'],
    ['a word that only begins right', '[nul]', 1, 'a value'],
    ['a bracket of the wrong kind', '{"a":[1}', 7, "',' or ']'"],
    ['the offset in bytes after longer characters', '["é€𝄞", x]', 14, 'a value'],
    [
      'the offset in bytes after the first and the last characters of each length',
      '["\u007f\u0080\u07ff\u0800\ud7ff\u{10000}\u{103ff}\ue000\uffff", x]',
      30,
      'a value',
    ],
    ['the offset with a byte-order mark', '\uFEFFx', 3, 'a value'],
    ['the offset without a mark, where its last bytes are there', '\u2EFF', 0, 'a value'],
    ['the offset without a mark, where its outer bytes are there', '\uF03F', 0, 'a value'],
    ['the offset without a mark, where its first bytes are there', '\uFEC0', 0, 'a value'],
  ])('B02: %s', (_, text, byte, expected) => {
    const error = refusal(() => decode(text));
    expect(error.code).toBe('DECODE_FAILED');
    expect(error.message).toBe(`invalid JSON at byte ${byte}: expected ${expected}.`);
    expect(error.details).toMatchObject({ byte });
    expect(error.cause).toBeUndefined();
  });

  it.each([
    ['a byte that is never UTF-8', [0x22, 0x61, 0xff, 0x62, 0x22], 2],
    ['an overlong form', [0x22, 0xc0, 0xaf, 0x22], 1],
    ['a surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22], 1],
    ['a cut sequence', [0x22, 0xe2, 0x82], 1],
  ])('B04: %s', (_, bytes, byte) => {
    const error = refusal(() => mapper.decode(Uint8Array.from(bytes)));
    expect(error).toMatchObject({ code: 'DECODE_FAILED', details: { byte } });
    expect(error.message).toContain(`invalid UTF-8 at byte ${byte}`);
  });

  it.each([65, 10_000, 1_000_000])('B05 (S05): nesting of %d', (depth) => {
    const large = { maxBytes: 10_000_000 };
    expect(codeOf(() => decode(nested(depth), large))).toBe('LIMIT_DEPTH');
    expect(codeOf(() => decode('['.repeat(depth), large))).toBe('LIMIT_DEPTH');
    expect(refusal(() => decode('{"a":'.repeat(depth), large)).details).toStrictEqual({ byte: 64 * 5 });
  });

  it.each([
    ['side by side with closed ones', `[${'{"a":1},'.repeat(100)}${nested(64)}]`],
    ['behind numbers', `[1,2.5,${nested(64)}]`],
    ['behind brackets in texts', `{"a":"${']'.repeat(200)}","b":${nested(64)}}`],
    ['with brackets in texts between', `${'["}],[",'.repeat(65)}0${']'.repeat(65)}`],
    ['in a long text', `${'{"}, {":'.repeat(40_000)}0${'}'.repeat(40_000)}`],
    ['in a long text of white space', `${'[\n\t'.repeat(40_000)}0${']'.repeat(40_000)}`],
  ])('B05: nesting %s', (_, text) => {
    expect(() => void JSON.parse(text)).not.toThrow();
    expect(codeOf(() => decode(text))).toBe('LIMIT_DEPTH');
  });

  it('B05: builds no tree of what is nested very deep, which takes long', () => {
    const parse = vi.spyOn(JSON, 'parse');
    for (const text of [nested(40_000), `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`])
      expect(codeOf(() => decode(text))).toBe('LIMIT_DEPTH');
    expect(parse).not.toHaveBeenCalled();
  });

  it.each([
    ['at the root', '{"__proto__":1}', '/__proto__'],
    ['in a nested array', '{"a":[1,{"__proto__":{}}]}', '/a/1/__proto__'],
    ['escaped', '{"a":{"\\u005f_proto__":{}}}', '/a/__proto__'],
    ['escaped completely', '{"\\u005F\\u005f\\u0070\\u0072\\u006f\\u0074\\u006F\\u005f\\u005f":1}', '/__proto__'],
    ['constructor.prototype', '{"constructor":{"a":1,"prototype":{"b":1}}}', '/constructor/prototype'],
    ['constructor.prototype, escaped', '{"constru\\u0063tor":{"protot\\u0079pe":{}}}', '/constructor/prototype'],
  ])('B06: a forbidden key %s', (_, text, path) => {
    const error = refusal(() => decode(text));
    expect(error.code).toBe('SCHEMA_INVALID');
    expect(error.message).toContain(`forbidden key at ${path}:`);
    expect(({} as { b?: number }).b).toBeUndefined();
  });

  it.each([
    ['2^53+1', '9007199254740993'],
    ['-(2^53+1)', '-9007199254740993'],
    ['a nanosecond stamp', '1763716440123456789'],
    ['1,000 digits', '7'.repeat(1000)],
    ['an overflow', '1e400'],
    ['a negative overflow', '-1E+400'],
    ['an underflow', '1e-400'],
    ['an overflow with a fraction', '1.5e0400'],
    ['a fraction of 18 digits', '123456789.123456789'],
    ['a fraction of 20 digits', '3.1415926535897932384'],
    ['a fraction of 18 digits behind the point', '0.123456789012345678'],
    ['a fraction of 18 digits behind a zero', '0.0123456789012345678'],
    ['a fraction with zeros behind its first digit', '0.10000000000000000555'],
    ['a fraction with zeros behind a one', '1.00000000000000000123'],
    ['a whole number written as a fraction', '9007199254740993.0'],
    ['a whole number with an exponent', '900719925474099.3e1'],
  ])('B07: %s would be rounded', (_, token) => {
    for (const text of [
      token,
      `[0,${token}]`,
      `{"a": [1], "id" :\n${token} }`,
      `{"pad":"${'x'.repeat(7)}","b":${token},"c":1}`,
    ]) {
      expect(codeOf(() => decode(text))).toBe('LIMIT_NUMBER');
      expect(decode(text, { numbers: 'round' })).toStrictEqual(JSON.parse(text));
    }
    const error = refusal(() => decode(`{"id":[${token}]}`));
    const way = /^-?\d+$/.test(token) ? "'bigint' or 'string'" : "'string'";
    expect(error.message).toBe(`the number at /id/0 would be rounded: set numbers to ${way} to keep it (byte 7).`);
    expect(error.details).toStrictEqual({ byte: 7 });
    expect(decode(`{"id":${token},"n":1}`, { numbers: 'string' })).toStrictEqual({ id: token, n: 1 });
  });

  it('B07: keeps whole numbers as bigint, and refuses what no bigint can hold', () => {
    const big = { numbers: 'bigint' } as const;
    expect(decode('9007199254740993', big)).toBe(9007199254740993n);
    expect(decode('{"a":[1,-9007199254740993],"b":{"c":12345678901234567890}}', big)).toStrictEqual({
      a: [1, -9007199254740993n],
      b: { c: 12345678901234567890n },
    });
    expect(decode('{"a":9007199254740993,"a":1}', big)).toStrictEqual({ a: 1 });
    expect(decode('{"a":{"b":9007199254740993},"a":null}', big)).toStrictEqual({ a: null });
    expect(decode('{"a":{"b":{"c":9007199254740993}},"a":1}', big)).toStrictEqual({ a: 1 });
    expect(decode('{"a":9007199254740993,"a":"9007199254740993"}', big)).toStrictEqual({ a: '9007199254740993' });
    expect(decode('{"a":9007199254740993,"a":9007199254740995}', big)).toStrictEqual({ a: 9007199254740995n });
    expect(decode('[{"a":[9007199254740993,1]},{"a":[9007199254740993],"a":[2,"x"]}]', big)).toStrictEqual([
      { a: [9007199254740993n, 1] },
      { a: [2, 'x'] },
    ]);
    expect(codeOf(() => decode('1e400', big))).toBe('LIMIT_NUMBER');
    expect(codeOf(() => decode('3.1415926535897932384', big))).toBe('LIMIT_NUMBER');
    expect(decode('1'.repeat(1000), big)).toBe(BigInt('1'.repeat(1000)));
    expect(refusal(() => decode('1'.repeat(1001), big)).message).toContain(`set numbers to 'string' to keep it`);
  });

  it.each([
    '0.30000000000000004',
    '0.10000000000000001',
    '1700000000000000',
    '9007199254740991',
    '9007199254740992',
    '590295810358705700000',
    '1e300',
    '5e-324',
    '1.7976931348623157e308',
    '0.0000000000000000000001',
    '1.00000000000000000000',
    '-51.507350912345674',
    '100000000000000000000000',
  ])('B07: passes %s, which is not rounded', (token) => {
    expect(decode(`[${token}]`)).toStrictEqual([Number(token)]);
    expect(decode(`[${token}]`, { numbers: 'string' })).toStrictEqual([Number(token)]);
  });

  it('B07: keeps the sign of -0', () => {
    expect(Object.is(decode('-0'), -0)).toBe(true);
  });

  it.each([
    ['LIMIT_KEYS', keys(10_001)],
    ['LIMIT_KEYS', `[1,{"a":${keys(10_001)}}]`],
    ['LIMIT_NAME', `{"${'n'.repeat(1025)}":1}`],
    ['LIMIT_NAME', `{"a":1,"${'n'.repeat(1_000_000)}" \n :1}`],
    ['LIMIT_NAME', `{"a":"x","${'\\"'.repeat(1025)}":1}`],
    ['LIMIT_NAME', `{"a":"x","${'x'.repeat(2000)}\\\\":1,"b":"c"}`],
    ['LIMIT_ITEMS', `[${'0,'.repeat(100_000)}0]`],
    ['LIMIT_ITEMS', `{"a":[${'[],'.repeat(100_000)}0]}`],
  ])('B09: %s', (code, text) => {
    expect(codeOf(() => decode(text))).toBe(code);
  });

  it('B10: a payload of one byte more than maxBytes', () => {
    const error = refusal(() => decode(JSON.stringify('x'.repeat(1_048_575))));
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', details: { maxBytes: 1_048_576 } });
    expect(codeOf(() => decode('[1]', { maxBytes: 2 }))).toBe('PAYLOAD_TOO_LARGE');
    expect(decode('[1]', { maxBytes: 3 })).toStrictEqual([1]);
  });

  it('S05: what is above a limit that was set, down to none at all', () => {
    expect(codeOf(() => decode('[]', { maxDepth: 0 }))).toBe('LIMIT_DEPTH');
    expect(decode('7', { maxDepth: 0 })).toBe(7);
    expect(codeOf(() => decode('[0]', { maxItems: 0 }))).toBe('LIMIT_ITEMS');
    expect(decode('[]', { maxItems: 0 })).toStrictEqual([]);
    expect(codeOf(() => decode('{"a":0}', { maxKeys: 0 }))).toBe('LIMIT_KEYS');
    expect(codeOf(() => decode('{"ab":0}', { maxNameLength: 1 }))).toBe('LIMIT_NAME');
    expect(decode('{"a":"bcd"}', { maxNameLength: 1 })).toStrictEqual({ a: 'bcd' });
  });

  it('S05: names the array or object that is above a limit', () => {
    const said = (options: JsonOptions & { schema?: undefined }): string =>
      refusal(() => decode('{"a":{"b":[{"cd":0},1]}}', options)).message;
    expect(said({ maxItems: 1 })).toBe('the array at /a/b has more than maxItems 1 items (byte 20).');
    expect(said({ maxNameLength: 1 })).toBe('a name in /a/b/0 is longer than maxNameLength 1 characters (byte 12).');
    expect(said({ maxKeys: 0 })).toBe('the object at the root has more than maxKeys 0 keys (byte 1).');
  });

  it('never shows more of a payload than where it is wrong', () => {
    const error = refusal(() => decode(`{"${'k\n'.repeat(300)}": {"__proto__": "canary"}}`.replaceAll('\n', '\\n')));
    expect(error.message.length).toBeLessThan(300);
    expect(error.message).not.toMatch(/canary|\n/);
  });
});

describe('json encodes (S2.23, S2.50)', () => {
  it('writes what JSON.stringify writes when nothing is lost', () => {
    class Point {
      readonly x = 1;
      readonly hidden = undefined;
      length(): number {
        return this.x;
      }
    }
    const value = {
      at: new Date(0),
      list: [null, 'é', { absent: undefined }],
      point: new Point(),
      bare: Object.assign(Object.create(null) as object, { a: 1 }),
      own: { toJSON: () => 'said', fn: () => 1 },
      inherited: Object.create({ method: () => 1, toString: () => 'x' }) as object,
      url: new URL('https://a.example/'),
      tagged: Object.assign(Object.create({ [Symbol.toStringTag]: 'Order' }) as object, { a: 1 }),
    };
    expect(textOf(mapper.encode(value))).toBe(JSON.stringify(value));
    expect(mapper).toMatchObject({ name: 'json', contentType: 'application/json' });
  });

  const circle: Record<string, unknown> = { name: 'circle' };
  circle['self'] = circle;
  const round: Record<string, unknown> = {};
  round['inner'] = { back: [round] };
  const deep = (depth: number): unknown => (depth === 0 ? 1 : { a: deep(depth - 1) });
  it.each([
    ['undefined', undefined, 'the root'],
    ['a function', () => 1, 'the root'],
    ['a BigInt', { a: [1, 2n] }, '/a/1'],
    ['a circle', { b: { a: circle } }, '/b/a.'],
    ['a longer circle', { a: round }, '/a.'],
    ['a function inside', { a: { b: () => 1 } }, '/a/b'],
    ['a symbol', [Symbol('s')], '/0'],
    ['undefined in an array', { a: [1, undefined] }, '/a/1'],
    ['a hole in an array', [[1, , 2]], '/0/1'], // eslint-disable-line no-sparse-arrays
    ['an invalid Date', { at: new Date(Number.NaN) }, '/at'],
    ['NaN', { a: { 'b/c~d': Number.NaN } }, '/a/b~1c~0d'],
    ['Infinity', [-Infinity], '/0'],
    ['a Map', { m: new Map([[1, 2]]) }, '/m'],
    ['a Set', { m: [new Set([1])] }, '/m/0'],
    ['bytes', { m: new Uint8Array(2) }, '/m'],
    ['a Buffer', { m: Buffer.from('x') }, '/m'],
    ['an Error', { e: new TypeError('x') }, '/e'],
    ['an Error with properties', { e: Object.assign(new Error('x'), { code: 'E' }) }, '/e'],
    ['a promise', { e: Promise.resolve(1) }, '/e'],
    ['an object that keeps its content inside', { q: new URLSearchParams('a=1') }, '/q'],
    ['nesting of 65', deep(65), '/a/a/a'],
    ['nesting of 100,000', Array.from({ length: 100_000 }).reduce<unknown>((inner) => [inner], 1), '/0/0/0'],
  ])('B12: refuses %s and names the path', (_, value, path) => {
    const error = refusal(() => mapper.encode(value));
    expect(error.code).toBe('ENCODE_FAILED');
    expect(error.message).toContain(`at ${path}`);
  });

  it('B12: writes nesting of 64, which it also reads', () => {
    expect(mapper.decode(mapper.encode(deep(64)))).toStrictEqual(deep(64));
  });

  it('keeps what a getter or toJSON threw as the cause', () => {
    const cause = new Error('broken getter');
    const value = {
      get a(): never {
        throw cause;
      },
    };
    expect(refusal(() => mapper.encode(value))).toMatchObject({ code: 'ENCODE_FAILED', cause });
    expect(codeOf(() => mapper.encode({ toJSON: () => undefined }))).toBe('ENCODE_FAILED');
  });

  it('B10: refuses a payload above maxBytes (S03)', () => {
    expect(json({ maxBytes: 5 }).encode('abc')).toHaveLength(5);
    expect(codeOf(() => json({ maxBytes: 5 }).encode('abcd'))).toBe('PAYLOAD_TOO_LARGE');
  });
});

describe('json', () => {
  it('B32: refuses unknown and wrong options all at once', () => {
    const options = { maxdepth: 3, numbers: 'int', maxBytes: 0 } as unknown as { maxBytes: number };
    expect(refusal(() => json(options)).details['faults']).toHaveLength(3);
    expect(refusal(() => json(options)).message).toContain("did you mean 'maxDepth'");
    // The values are looked at level by level, and so are those that are written (S05).
    expect(json({ maxDepth: 1_000 }).decode(utf8(nested(1_000)))).toHaveLength(1);
    expect(refusal(() => json({ maxDepth: 1_001 })).message).toContain('a whole number from 0 to 1000, got 1001');
  });

  it('decode(encode(x)) is x (S2.19)', () => {
    // JSON has no -0 in JSON.stringify.
    const positive = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4, stringUnit: anyCharacter }), (value) => {
        fc.pre(!/"(?:__proto__|prototype)":/.test(JSON.stringify(value)));
        expect(mapper.decode(mapper.encode(value))).toStrictEqual(positive(value));
      }),
      { numRuns: runs(300) },
    );
  });

  it('decode(encode(x)) is x for every double', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), (value) => {
        expect(mapper.decode(mapper.encode(value))).toEqual(value.map((number) => number + 0));
      }),
      { numRuns: runs(500) },
    );
  });

  // Everything that decides where the scan starts, put together at random.
  const parts = fc.constantFrom(
    ...'{}[],:"\\ 0123456789.eE+-'.split(''),
    ...[
      '"a":',
      '"__proto__":',
      '"constructor":{',
      '"prototype":',
      '\\u005f',
      '\\"',
      'true',
      'null',
      '9007199254740993',
    ],
    ...['1e400', '1e-7', '{"a":[', ']}', '"x"', '"é€𝄞"', '\n', '\t', '\u0001', '1234567890.1234567'],
  );
  const soup = fc.array(parts, { maxLength: 40 }).map((list) => list.join(''));
  const values = fc.json({ maxDepth: 4 });

  it('accepts only what JSON.parse accepts, with the same value, and refuses with a SluiceError', () => {
    const lenient = { numbers: 'round' } as const;
    fc.assert(
      fc.property(fc.oneof(soup, values), (text) => {
        let expected: { value: unknown } | undefined;
        try {
          expected = { value: JSON.parse(text) };
        } catch {
          expected = undefined;
        }
        const code = codeOf(() => decode(text, lenient));
        if (expected === undefined) expect(code).toMatch(/DECODE_FAILED|SCHEMA_INVALID/);
        else if (code === undefined) expect(decode(text, lenient)).toStrictEqual(expected.value);
        else expect(code).toBe('SCHEMA_INVALID');
      }),
      { numRuns: runs(2000) },
    );
  });

  // Small enough for the texts above to reach them.
  const limits = fc.record({
    numbers: fc.constantFrom('error', 'string', 'bigint', 'round'),
    maxDepth: fc.integer({ min: 0, max: 4 }),
    maxKeys: fc.integer({ min: 0, max: 3 }),
    maxItems: fc.integer({ min: 0, max: 3 }),
    maxNameLength: fc.integer({ min: 1, max: 9 }),
  });

  it('decides the same with and without the scan', () => {
    fc.assert(
      fc.property(fc.oneof(soup, values), fc.option(limits, { nil: {} }), (text, options) => {
        // Duplicate keys as errors force the scan; texts that have some are left out.
        const forced = { ...options, duplicateKeys: 'error' } as const;
        const code = codeOf(() => decode(text, forced));
        fc.pre(code === undefined || !refusal(() => decode(text, forced)).message.includes('duplicate'));
        expect(codeOf(() => decode(text, options))).toBe(code);
      }),
      { numRuns: runs(4000) },
    );
  });

  it('B07: finds every number that is not exact, wherever it stands', () => {
    const double = fc.double({ noNaN: true, noDefaultInfinity: true });
    const token = fc.oneof(
      double.map(String).map((written) => written.replace('e+', 'E')),
      fc.tuple(double, fc.integer({ min: 15, max: 25 })).map(([number, digits]) => number.toPrecision(digits)),
      fc.bigInt(-(2n ** 66n), 2n ** 66n).map(String),
      fc
        .tuple(fc.nat(999), fc.integer({ min: -420, max: 420 }))
        .map(([mantissa, power]) => `${mantissa}${power % 2 === 0 ? 'e' : 'E'}${power}`),
      fc.tuple(fc.nat(9), fc.nat(25), fc.nat()).map(([whole, zeros, rest]) => `${whole}.${'0'.repeat(zeros)}${rest}`),
      fc.stringMatching(/^[1-9][0-9]{0,12}\.[0-9]{1,12}$/),
    );
    const around = fc.stringMatching(/^([a-f0-9e .:,-]|[0-9]{8}){0,20}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(token, around), { minLength: 1, maxLength: 6 }), (list) => {
        const text = `[${list.map(([number, pad]) => `${JSON.stringify(pad)},${number}`).join()}]`;
        const isFine = list.every(([number]) => isExact(number));
        expect(codeOf(() => decode(text))).toBe(isFine ? undefined : 'LIMIT_NUMBER');
      }),
      { numRuns: runs(3000) },
    );
  });

  it('answers mutated payloads with a value or a SluiceError', () => {
    const seed = utf8(
      JSON.stringify({ id: 9007199254740991, items: [{ a: '\u0001é', b: [1.5, null] }], name: 'x'.repeat(40) }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (changes) => {
          const bytes = seed.slice();
          for (const [at, byte] of changes) bytes[at] = byte;
          expect(() => codeOf(() => mapper.decode(bytes))).not.toThrow();
        },
      ),
      { numRuns: runs(1000) },
    );
  });
});
