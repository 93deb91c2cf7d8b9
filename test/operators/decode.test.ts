import { describe, expect, it } from 'vitest';
import { decode, json, type Flow, type Mapper, type SluiceError } from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
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

  it('reads text as its UTF-8 bytes, with the guards of the mapper', () => {
    const { flow, settled } = recorder();
    const frames: Flow<string | Uint8Array> = flow(['{"a":"\u00fc"}', bytes('[2]'), '{"__proto__":1}', '"\ud800"']);
    const seen = collect(frames.pipe(decode(json())), (message) => message.ack());
    expect(seen.payloads).toEqual([{ a: '\u00fc' }, [2]]);
    expect(settled.map(({ code }) => code)).toEqual([undefined, undefined, 'SCHEMA_INVALID', 'DECODE_FAILED']);
  });

  it('nacks what cannot be read as dead and goes on (ERR-03)', () => {
    const { flow, settled } = recorder();
    const seen = collect(flow([bytes('{'), bytes('1')]).pipe(decode(json())), (message) => message.ack());
    expect(seen.payloads).toEqual([1]);
    expect(settled).toMatchObject([{ outcome: 'dead', code: 'DECODE_FAILED', by: 'decode(json)' }, { outcome: 'ack' }]);
  });

  it('says of a payload that is no bytes what it is', () => {
    const clock = virtualClock();
    const source = testSource<unknown>({ clock });
    const said: string[] = [];
    source.events$.subscribe(({ reason }) => reason !== undefined && said.push((reason as SluiceError).message));
    for (const payload of [{ a: 1 }, null]) source.offer(payload);
    collect((source.flow as Flow<Uint8Array>).pipe(decode(json())));
    clock.advance(0);
    expect(said).toEqual([expect.stringContaining('got object'), expect.stringContaining('got null')]);
  });

  it('gives any other throw of a mapper the code DECODE_FAILED', () => {
    const { flow, settled } = recorder();
    collect(flow([bytes('1')]).pipe(decode(broken)));
    expect(settled).toMatchObject([{ outcome: 'dead', code: 'DECODE_FAILED' }]);
  });
});
