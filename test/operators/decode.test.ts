import { describe, expect, it } from 'vitest';
import { decode, json, type Mapper } from 'sluice';
import { collect } from '../helpers/collect.js';
import { recorder } from '../helpers/message.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
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

describe('decode', () => {
  it('gives the value and carries the settlement', () => {
    const { flow, settled } = recorder();
    const seen = collect(flow([bytes('{"a":1}'), bytes('[2]')]).pipe(decode(json())), (message) => message.ack());
    expect(seen).toMatchObject({ payloads: [{ a: 1 }, [2]], completed: true });
    expect(settled).toMatchObject([{ outcome: 'ack' }, { outcome: 'ack' }]);
  });

  it('nacks what cannot be read as dead and goes on (ERR-03)', () => {
    const { flow, settled } = recorder();
    const seen = collect(flow([bytes('{'), bytes('1')]).pipe(decode(json())), (message) => message.ack());
    expect(seen.payloads).toEqual([1]);
    expect(settled).toMatchObject([{ outcome: 'dead', code: 'DECODE_FAILED', by: 'decode(json)' }, { outcome: 'ack' }]);
  });

  it('gives any other throw of a mapper the code DECODE_FAILED', () => {
    const { flow, settled } = recorder();
    collect(flow([bytes('1')]).pipe(decode(broken)));
    expect(settled).toMatchObject([{ outcome: 'dead', code: 'DECODE_FAILED' }]);
  });
});
