import { describe, expect, it } from 'vitest';
import type { MessageHeaders } from 'sluice';
import type { MqttPublish } from '../../src/links/mqtt-client.js';
import { factsOf, lostHeader, metaOf, propertiesOf, wholeSeconds } from '../../src/links/mqtt-message.js';
import { recorder } from '../helpers/message.js';

const { message } = recorder();
const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.of(...values);

const sent = (headers: MessageHeaders, key?: string): ReturnType<typeof propertiesOf> =>
  propertiesOf(message(bytes(), { headers, key }), undefined);

/** What comes out on the other side. */
const received = (properties: MqttPublish['properties']): ReturnType<typeof factsOf> =>
  factsOf({ topic: 't', payload: bytes(), qos: 1, retain: false, dup: false, ...(properties && { properties }) });

describe('a message as MQTT 5 carries it', () => {
  it('comes out with the headers, id, key and time it went in with', () => {
    const headers = { 'X-Mixed': 'ä', empty: '', twice: ['a', 'b'] };
    const original = message(bytes(), { headers, key: 'k' });
    const facts = received(propertiesOf(original, undefined));
    expect({ ...facts.headers }).toEqual(headers);
    expect(facts).toMatchObject({ id: original.id, key: 'k', timeMs: original.timeMs });
    expect(received(sent({})).key).toBeUndefined();
  });

  it('has no id where that is empty', () => {
    expect(received({ userProperties: { 'x-message-id': '' } }).id).toBeUndefined();
  });

  it('has properties for content type, response topic and correlation data', () => {
    const headers = { 'content-type': 'text/csv', 'response-topic': 'answers/1', 'correlation-data': bytes(0, 255) };
    const properties = sent(headers);
    expect(properties).toMatchObject({
      contentType: 'text/csv',
      responseTopic: 'answers/1',
      correlationData: bytes(0, 255),
    });
    expect(Object.keys(properties.userProperties ?? {})).toEqual(['x-message-id', 'x-message-time']);
    expect({ ...received(properties).headers }).toEqual(headers);
    const asTexts = sent({ 'content-type': ['a', 'b'], 'correlation-data': 'id' });
    expect(asTexts).toMatchObject({ contentType: 'a', correlationData: bytes(105, 100) });
  });

  it('says how long it is kept only where that is asked for', () => {
    expect(propertiesOf(message(bytes()), 7).messageExpiryInterval).toBe(7);
    expect(sent({})).not.toHaveProperty('messageExpiryInterval');
  });

  it('takes bytes in a header that are text, and refuses others by name', () => {
    expect(sent({ a: bytes(104, 105) }).userProperties).toMatchObject({ a: 'hi' });
    expect(() => sent({ raw: bytes(0, 255) })).toThrow(/'raw' holds bytes that are not UTF-8/);
    expect(() => sent({ raw: ['a', bytes(255)] })).toThrow(/'raw'/);
  });

  it.each<[MessageHeaders, string]>([
    [{ nul: 'a\u0000' }, `cannot carry 'nul' of a message: it holds U\\+0000`],
    [{ 'nul\u0000': 'a' }, 'U\\+0000'],
    [{ half: '\ud800' }, 'surrogate'],
    [{ lines: 'one\ntwo' }, `cannot carry 'lines' of a message: it holds U\\+000A`],
    [{ tabs: ['a', 'a\tb'] }, 'U\\+0009'],
    [{ 'content-type': 'a\u009f' }, 'U\\+009F'],
    [{ long: 'x'.repeat(65_536) }, '65535 bytes'],
    [{ 'response-topic': 'a/#' }, `'response-topic' is no topic`],
  ])('refuses the header %j', (headers, text) => {
    expect(() => sent(headers)).toThrow(new RegExp(text));
  });

  it('refuses a header, id or key that is no text: it would come again and again (B31)', () => {
    const refused = (name: string) =>
      expect.objectContaining({
        code: 'ENCODE_FAILED',
        retriable: false,
        message: `MQTT cannot carry '${name}' of a message: it is neither text nor bytes.`,
      }) as Error;
    for (const name of ['a', 'content-type', 'correlation-data'])
      for (const wrong of [5, true, null, undefined, {}, [5]] as never[])
        expect(() => sent({ [name]: wrong }), name).toThrow(refused(name));
    expect(() => propertiesOf(message(bytes(), { key: 5 as never }), undefined)).toThrow(refused('key'));
    expect(() => propertiesOf(message(bytes(), { id: 5 as never }), undefined)).toThrow(refused('id'));
    for (const wrong of [null, new Map([['a', '1']])] as never[]) {
      const refused = message(bytes()).with(bytes(), { headers: wrong });
      expect(() => propertiesOf(refused, undefined)).toThrow(
        expect.objectContaining({ code: 'ENCODE_FAILED', retriable: false }) as Error,
      );
      expect(() => lostHeader(wrong)).toThrow(expect.objectContaining({ code: 'ENCODE_FAILED' }) as Error);
    }
    expect(sent({ 'correlation-data': 'a\n' }).correlationData).toEqual(bytes(97, 10));
  });

  it('is an object without a prototype, so that no name in it is special (B06)', () => {
    const userProperties = Object.assign(Object.create(null) as Record<string, string>, { ['__proto__']: 'x' });
    const { headers } = received({ userProperties });
    expect(Object.getPrototypeOf(headers)).toBe(null);
    expect(headers['__proto__']).toBe('x');
  });

  it('has no headers and no time where there are no properties, or a time that is none', () => {
    expect(received(undefined)).toEqual({ headers: {}, id: undefined, key: undefined, timeMs: undefined });
    for (const time of ['1e300', '-1e16', 'Infinity'])
      expect(received({ userProperties: { 'x-message-time': time } }).timeMs).toBeUndefined();
    expect(received({ userProperties: { 'x-message-time': 'noon', 'x-message-id': ['a', 'b'] } })).toMatchObject({
      timeMs: undefined,
      id: 'a',
    });
  });
});

it('refuses correlation data that is longer than MQTT can say, in the middle of a packet it would be too late', () => {
  const of = (length: number): unknown => sent({ 'correlation-data': new Uint8Array(length) }).correlationData;
  expect(of(65_535)).toHaveLength(65_535);
  expect(() => of(65_536)).toThrow(expect.objectContaining({ code: 'ENCODE_FAILED' }));
});

it('says a duration in whole seconds, as long as it can', () => {
  expect([1, 2_500, 1e15, Infinity].map(wholeSeconds)).toEqual([1, 3, 0xffff_ffff, 0xffff_ffff]);
});

it('names what MQTT says of a message', () => {
  const packet = { topic: 't', payload: bytes(), retain: true, dup: true } as const;
  const properties = { responseTopic: 'r', correlationData: bytes(1) };
  expect(metaOf({ ...packet, qos: 1, messageId: 7, properties })).toEqual({
    qos: 1,
    retained: true,
    duplicate: true,
    packetId: 7,
    ...properties,
  });
  expect(metaOf({ ...packet, qos: 0 })).toMatchObject({ qos: 0, packetId: undefined, responseTopic: undefined });
});

it('finds the header that MQTT 3.1.1 would lose, the content type aside', () => {
  expect(lostHeader({})).toBeUndefined();
  expect(lostHeader({ 'content-type': 'text/plain' })).toBeUndefined();
  expect(lostHeader({ 'content-type': 'text/plain', 'x-a': '' })).toBe('x-a');
});
