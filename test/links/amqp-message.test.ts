import { describe, expect, it } from 'vitest';
import { headersOf, keyOf, propertiesOf } from '../../src/links/amqp-message.js';
import { delivered } from '../helpers/amqp.js';
import { recorder } from '../helpers/message.js';

const bytes = new Uint8Array([0, 255]);

describe('a message in AMQP', () => {
  it('carries id, key, time, content type and headers there and back', () => {
    const headers = { 'content-type': 'text/csv', trace: 'a', raw: bytes, list: ['b', 'c'] };
    const { message } = recorder();
    const sent = message(new Uint8Array(), { headers, key: 'k' });
    const properties = propertiesOf(sent, true, false);
    expect(properties).toMatchObject({
      persistent: true,
      mandatory: false,
      messageId: sent.id,
      contentType: 'text/csv',
    });
    expect(properties.timestamp).toBe(Math.floor(sent.timeMs / 1_000));
    expect(properties.headers).toEqual({ trace: 'a', raw: Buffer.from(bytes), list: ['b', 'c'], 'x-message-key': 'k' });
    const came = delivered(1, properties);
    expect({ ...headersOf(came) }).toEqual({ ...headers, raw: Buffer.from(bytes) });
    expect(keyOf(came)).toBe('k');
  });

  it('reads numbers and flags as text, and leaves the tables of the broker to its tools', () => {
    const came = delivered(1, {
      headers: { n: 1, yes: true, big: 2n, death: [{ count: 1 }], table: { a: 1 }, mixed: [1, { a: 1 }], none: [] },
    });
    expect({ ...headersOf(came) }).toEqual({ n: '1', yes: 'true', big: '2', mixed: ['1'], none: [] });
  });

  it('leaves lists in lists out, however deep they are (B24)', () => {
    let deep: unknown = 'x';
    for (let at = 0; at < 100_000; at += 1) deep = [deep];
    expect({ ...headersOf(delivered(1, { headers: { deep, list: ['a', [['b']], 2] } })) }).toEqual({
      list: ['a', '2'],
    });
  });

  it('has no headers and no key when none came, and none of the prototype', () => {
    expect(Object.keys(headersOf(delivered(1)))).toEqual([]);
    expect(keyOf(delivered(1, { headers: { 'x-message-key': 7 } }))).toBeUndefined();
    const hostile = JSON.parse('{"__proto__": "x", "constructor": "y"}') as object;
    const read = headersOf(delivered(1, { headers: hostile }));
    expect(Object.getPrototypeOf(read)).toBeNull();
    expect(Object.keys(read)).toEqual(['__proto__', 'constructor']);
  });

  it('writes a header of any name as a header, and nothing of its value as others (B06, DEL-02)', () => {
    const { message } = recorder();
    for (const value of ['x', ['x', 'y'], bytes]) {
      const hostile = Object.fromEntries([['__proto__', value]]);
      const { headers } = propertiesOf(message(bytes, { headers: hostile }), true, true);
      const sent: string[] = [];
      // As the client takes them.
      for (const name in headers) sent.push(name);
      expect(sent).toEqual(['__proto__']);
    }
  });

  it('routes nobody by a header: neither reads nor writes those that RabbitMQ routes by (S25)', () => {
    const { message } = recorder();
    for (const name of ['CC', 'BCC']) {
      const write = (): unknown => propertiesOf(message(bytes, { headers: { [name]: 'elsewhere' } }), true, true);
      expect(write).toThrow(`route by its header '${name}'`);
      expect({ ...headersOf(delivered(1, { headers: { [name]: ['elsewhere'], other: 'x' } })) }).toEqual({
        other: 'x',
      });
    }
  });

  it('is nothing of a message with a header, id or key that is no text (B31)', () => {
    const { message } = recorder();
    for (const wrong of [5, true, null, undefined, {}, [5], [undefined]] as never[])
      expect(() => propertiesOf(message(bytes, { headers: { a: wrong } }), true, true)).toThrow(
        "'a' is neither text nor bytes",
      );
    for (const wrong of [null, new Map([['a', '1']])])
      expect(() => propertiesOf(message(bytes).with(bytes, { headers: wrong as never }), true, true)).toThrow(
        'values by name',
      );
    for (const wrong of [{ id: 5 }, { id: bytes }, { key: 5 }, { key: null }, { key: bytes }])
      expect(() => propertiesOf(message(bytes, wrong as never), true, true)).toThrow(
        `'${Object.keys(wrong)[0]}' is no text`,
      );
  });

  it('is nothing of a message with half a surrogate pair beside its payload: another text would arrive (B04)', () => {
    const { message } = recorder();
    const half = 'a\ud800';
    for (const wrong of [{ [half]: 'x' }, { a: half }, { a: ['x', half] }, { 'content-type': half }])
      expect(() => propertiesOf(message(bytes, { headers: wrong }), true, true)).toThrow('half a surrogate pair');
    for (const wrong of [{ id: half }, { key: half }])
      expect(() => propertiesOf(message(bytes, wrong), true, true)).toThrow('half a surrogate pair');
    expect(propertiesOf(message(bytes, { headers: { a: '😀' }, key: '😀' }), true, true).headers).toMatchObject({
      a: '😀',
    });
  });

  it('has no time of day before there is one for AMQP, as of a record of Kafka without a time', () => {
    const { message } = recorder();
    const timeOf = (timeMs: number): unknown => propertiesOf(message(bytes, { timeMs }), true, true).timestamp;
    expect([-1, 0, 1_999].map(timeOf)).toEqual([undefined, 0, 1]);
  });

  it('writes a content type that came as bytes or as a list as text', () => {
    const { message } = recorder();
    const type = (value: Uint8Array | string[]): unknown =>
      propertiesOf(message(bytes, { headers: { 'content-type': value } }), true, true).contentType;
    expect([type(new TextEncoder().encode('a/b')), type(['c/d', 'e/f']), type([])]).toEqual(['a/b', 'c/d', '']);
  });
});
