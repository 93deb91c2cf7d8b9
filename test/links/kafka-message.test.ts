import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  headerOf,
  headersOf,
  isTopicName,
  keyBytes,
  keyText,
  outgoing,
  sizeOf,
  textOrBytes,
} from '../../src/links/kafka-message.js';

describe('a name of a topic', () => {
  it('is what brokers accept', () => {
    const good = ['a', 'orders.eu-1_x', 'A'.repeat(249), '...'];
    const bad = ['', '.', '..', 'a b', 'ä', 'a/b', 'a'.repeat(250), 7, undefined];
    expect(good.map(isTopicName)).toEqual(good.map(() => true));
    expect(bad.map(isTopicName)).toEqual(bad.map(() => false));
  });
});

describe('headers', () => {
  it('are text where they are UTF-8, bytes where they are not, lists where a name comes twice (B22)', () => {
    const bytes = Buffer.of(0, 255, 128);
    const given = { a: Buffer.from('Zoë 漢字'), b: bytes, c: [Buffer.from('1'), bytes], d: undefined, x: 'text' };
    expect({ ...headersOf(given, ['x']) }).toEqual({ a: 'Zoë 漢字', b: bytes, c: ['1', bytes] });
    expect(Object.keys(headersOf(undefined, []))).toEqual([]);
  });

  it('never reach the prototype', () => {
    const given = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const headers = headersOf(given, []);
    expect([Object.getPrototypeOf(headers), Object.keys(headers)]).toEqual([null, ['__proto__']]);
  });

  it('come back as the same bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        const value = textOrBytes(Buffer.from(bytes));
        expect(Buffer.from(value as string).equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });

  it('are looked up as text, the first of several', () => {
    expect(headerOf({ a: [Buffer.from('1'), '2'] }, 'a')).toBe('1');
    expect(headerOf({ a: Buffer.of(255) }, 'a')).toBeUndefined();
    expect(headerOf(undefined, 'a')).toBeUndefined();
  });
});

describe('a key', () => {
  it('is text, or hex where it is none, and nothing where there is none (B22)', () => {
    expect([keyText(Buffer.from('k')), keyText(Buffer.of(255, 0)), keyText(null)]).toEqual(['k', 'ff00', undefined]);
    expect([keyBytes('k'), keyBytes(Uint8Array.of(255)), keyBytes(undefined)]).toEqual([
      Buffer.from('k'),
      Buffer.of(255),
      null,
    ]);
  });
});

describe('what goes out', () => {
  const message = { id: 'i', payload: Uint8Array.of(1), headers: { a: 'x', b: ['1', '2'] }, timeMs: 7.9 };

  it('carries payload, headers, time and id as bytes', () => {
    const { value, headers, timeMs } = outgoing(message, null, 'x-id');
    expect([value, timeMs]).toEqual([Buffer.of(1), 7]);
    expect({ ...headers }).toEqual({
      a: Buffer.from('x'),
      b: [Buffer.from('1'), Buffer.from('2')],
      'x-id': Buffer.from('i'),
    });
  });

  it('has no value for a tombstone, and no id where none is wanted or one is there (B22)', () => {
    const out = outgoing({ ...message, payload: null, headers: {} }, null, undefined);
    expect([out.value, Object.keys(out.headers)]).toEqual([null, []]);
    expect(String(outgoing({ ...message, headers: { id: 'own' } }, null, 'id').headers['id'])).toBe('own');
  });

  it('is nothing of a message with a time that is none: it would spoil a whole batch, again and again (B31)', () => {
    for (const timeMs of [NaN, Infinity, 1e300, 1.8e22])
      expect(() => outgoing({ ...message, timeMs }, null, 'x-id')).toThrow(
        expect.objectContaining({ code: 'ENCODE_FAILED', retriable: false }),
      );
    expect([-1, 0].map((timeMs) => outgoing({ ...message, timeMs }, null, 'x-id').timeMs)).toEqual([-1, 0]);
  });

  it('is nothing of a message with a header, id or key that is no text: it would come again and again (B31)', () => {
    const refused = (name: string) =>
      expect.objectContaining({
        code: 'ENCODE_FAILED',
        retriable: false,
        message: `Kafka cannot carry '${name}' of a message: it is neither text nor bytes.`,
      }) as Error;
    for (const wrong of [5, true, null, undefined, {}, [5], [undefined]] as never[])
      expect(() => outgoing({ ...message, headers: { a: wrong } }, null, 'x-id')).toThrow(refused('a'));
    for (const wrong of [null, new Map([['a', '1']])] as never[])
      expect(() => outgoing({ ...message, headers: wrong }, null, 'x-id')).toThrow('values by name');
    expect(() => outgoing({ ...message, id: 5 as never }, null, 'x-id')).toThrow(refused('id'));
    expect(() => keyBytes(null as never)).toThrow(refused('key'));
  });

  it('is nothing of a message with half a surrogate pair beside its value: another text would arrive (B04)', () => {
    const half = 'a\ud800';
    for (const headers of [{ [half]: 'x' }, { a: half }, { a: ['x', half] }])
      expect(() => outgoing({ ...message, headers }, null, 'x-id')).toThrow('half a surrogate pair');
    expect(() => outgoing({ ...message, id: half }, null, 'x-id')).toThrow('half a surrogate pair');
    expect(() => keyBytes(half)).toThrow('half a surrogate pair');
    expect(String(keyBytes('😀'))).toBe('😀');
  });

  it('is at least as large as all that is in it', () => {
    const out = outgoing(message, Buffer.from('key'), 'x-id');
    expect(sizeOf(out)).toBeGreaterThan(1 + 3 + 'a'.length + 'x'.length + 'b'.length + 2 + 'x-id'.length + 1);
    expect(sizeOf(outgoing({ ...message, payload: new Uint8Array(1_000) }, null, undefined))).toBeLessThan(1_100);
  });
});
