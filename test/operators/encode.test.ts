import { describe, expect, it } from 'vitest';
import { encode, headerText, json, type Mapper } from 'sluice';
import { collect } from '../helpers/collect.js';
import { recorder } from '../helpers/message.js';

const broken: Mapper<number> = {
  name: 'broken',
  contentType: 'x/y',
  encode: () => {
    throw new RangeError('cannot');
  },
  decode: () => {
    throw new RangeError('cannot');
  },
};

describe('encode', () => {
  it('gives the bytes and their media type, and keeps the other headers', () => {
    const { flow } = recorder();
    const seen = collect(flow([{ a: 1 }], () => ({ headers: { trace: 't' } })).pipe(encode(json())));
    expect(new TextDecoder().decode(seen.payloads[0])).toBe('{"a":1}');
    const [message] = seen.messages;
    expect(message?.headers).toEqual({ trace: 't', 'content-type': 'application/json' });
    expect(headerText(message?.headers ?? {}, 'content-type')).toBe('application/json');
  });

  it('nacks what cannot be written as dead and goes on', () => {
    const { flow, settled } = recorder();
    collect(flow([1]).pipe(encode(broken)));
    collect(flow([1n]).pipe(encode(json())));
    expect(settled).toMatchObject([
      { outcome: 'dead', code: 'ENCODE_FAILED' },
      { outcome: 'dead', code: 'ENCODE_FAILED' },
    ]);
  });
});
