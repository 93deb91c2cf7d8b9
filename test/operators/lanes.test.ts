import { describe, expect, it } from 'vitest';
import { join, memoryBroker, memorySource, type Message } from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import type { Envelope } from '../../src/message/envelope.js';
import type { SourceSettler } from '../../src/message/settler.js';
import { Lanes } from '../../src/operators/lanes.js';
import { recorder } from '../helpers/message.js';

function lanesOf(credit?: number) {
  const gone: string[] = [];
  const lanes = new Lanes<string>({
    keyOf: (message) => message.payload[0],
    credit,
    defer: (work) => work(),
    go: (message) => void gone.push(message.payload),
  });
  return { lanes, gone };
}

describe('Lanes', () => {
  it('let the first of each key through and hold the others in order', () => {
    const { lanes } = lanesOf();
    const { message } = recorder();
    const [a1, a2, b1, a3] = ['a1', 'a2', 'b1', 'a3'].map((text) => message<string>(text));
    expect([a1, a2, b1, a3].map((one) => lanes.enter(one as Message<string>))).toEqual([true, false, true, false]);
    expect(lanes.size).toBe(2);
    expect(lanes.leave(a1 as Message<string>)).toBe(a2);
    expect(lanes.leave(b1 as Message<string>)).toBeUndefined();
    expect(lanes.size).toBe(1);
    expect(lanes.leave(a2 as Message<string>)).toBe(a3);
    expect(lanes.leave(a3 as Message<string>)).toBeUndefined();
    expect(lanes.size).toBe(0);
  });

  it('forget what they held when they are cleared', () => {
    const { lanes } = lanesOf();
    const { message } = recorder();
    const all = ['a1', 'a2', 'b1'].map((text) => message(text));
    all.forEach((one) => lanes.enter(one));
    expect(lanes.clear()).toEqual([all[1]]);
    expect([lanes.size, lanes.leave(all[0] as Message<string>)]).toEqual([0, undefined]);
  });

  it('put aside what is over their share and ask for it, in order, once there is room', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 16 });
    const { lanes, gone } = lanesOf(2);
    const entered: Message<string>[] = [];
    source.flow.subscribe((message) => {
      if (lanes.enter(message)) entered.push(message);
    });
    for (const text of ['a1', 'a2', 'a3', 'a4', 'a5']) source.offer(text);
    clock.advance(0);
    expect(((entered[0] as Envelope<string>).settler as SourceSettler).pending()).toBe(2);
    let [at] = entered as [Message<string>];
    const order = [at.payload];
    for (;;) {
      at.ack();
      const next = lanes.leave(at);
      clock.advance(0);
      if (next === undefined) break;
      order.push(next.payload);
      at = next;
    }
    expect([order, gone]).toEqual([['a1', 'a2', 'a3', 'a4', 'a5'], []]);
    expect(source.unsettled).toEqual([]);
  });

  it('ask for the next when the one they asked for is settled where it waits', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 2 });
    const { lanes, gone } = lanesOf(1);
    const all: Message<string>[] = [];
    source.flow.subscribe((message) => {
      all.push(message);
      lanes.enter(message);
    });
    for (const text of ['a1', 'a2', 'a3', 'b1']) source.offer(text);
    clock.advance(0);
    const [a1, a2] = all as [Message<string>, Message<string>];
    expect([all.length, lanes.leave(a1)]).toEqual([4, undefined]);
    a2.nack('no', 'drop');
    expect(gone).toEqual([]);
    a1.ack();
    clock.advance(0);
    expect(gone).toEqual(['a3']);
  });

  it('give the bytes back of what is done', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (const key of ['first', 'second', 'third']) broker.publish({ topic: 't', payload: new Uint8Array(60), key });
    const lanes = new Lanes<Uint8Array>({
      keyOf: () => 'one',
      defer: (work) => work(),
      go: () => undefined,
      credit: 9,
    });
    const all: Message<Uint8Array>[] = [];
    memorySource<Uint8Array>(broker, { topic: 't', creditBytes: 500, clock }).subscribe((message) => all.push(message));
    clock.advance(0);
    const [first, second, third] = all as [Message<Uint8Array>, Message<Uint8Array>, Message<Uint8Array>];
    const out = (): number => ((first as Envelope<Uint8Array>).settler as SourceSettler).pending();
    expect([lanes.enter(first), lanes.enter(second), out()]).toEqual([true, false, 3]);
    expect(lanes.leave(first)).toBe(second);
    expect([lanes.enter(third), out()]).toEqual([false, 3]);
  });

  it('call when the one they asked for comes back to an idle lane', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 16 });
    const { lanes, gone } = lanesOf(1);
    const entered: Message<string>[] = [];
    source.flow.subscribe((message) => {
      if (lanes.enter(message)) entered.push(message);
    });
    for (const text of ['a1', 'a2']) source.offer(text);
    clock.advance(0);
    const [first] = entered as [Message<string>];
    first.ack();
    expect(lanes.leave(first)).toBeUndefined();
    clock.advance(0);
    expect(gone).toEqual(['a2']);
  });

  it('give out what they had put aside when they are cleared', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 16 });
    const { lanes } = lanesOf(1);
    source.flow.subscribe((message) => void (message.attempt === 1 && lanes.enter(message)));
    for (const text of ['a1', 'a2']) source.offer(text);
    clock.advance(0);
    expect(lanes.clear().map((message) => message.payload)).toEqual(['a2']);
    expect(lanes.size).toBe(0);
  });

  it('let a batch that is over their share give its credit back, and ask for all of it at once', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 4 });
    const gone: string[] = [];
    const lanes = new Lanes<string[]>({
      keyOf: () => 'k',
      credit: 2,
      defer: (work) => work(),
      go: (message) => void gone.push(message.payload.join('')),
    });
    const out: Message<string>[] = [];
    source.flow.subscribe((message) => out.push(message));
    for (const text of 'abcdefgh') source.offer(text);
    clock.advance(0);
    const batchOf = (from: number): Message<string[]> => join(out.slice(from, from + 2));
    const [first, second] = [batchOf(0), batchOf(2)];
    expect([lanes.enter(first), lanes.enter(second)]).toEqual([true, false]);
    clock.advance(0);
    // Two members at work, two that wait without credit: there is room for two more.
    expect(out.length).toBe(6);
    first.ack();
    expect(lanes.leave(first)).toBeUndefined();
    clock.advance(0);
    expect([gone, out.length]).toEqual([['cd'], 6]);
    second.ack();
    lanes.leave(second);
    expect(lanes.size).toBe(0);
  });

  it('hand back a batch that lost a member where it waits', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 4 });
    const lanes = new Lanes<string[]>({ keyOf: () => 'k', credit: 1, defer: (work) => work(), go: () => undefined });
    const out: Message<string>[] = [];
    const log: string[] = [];
    source.events$.subscribe(({ type, record }) => log.push(`${record.value} ${type}`));
    source.flow.subscribe((message) => out.push(message));
    for (const text of 'abcd') source.offer(text);
    clock.advance(0);
    lanes.enter(join(out.slice(0, 2)));
    lanes.enter(join(out.slice(2, 4)));
    clock.advance(0);
    log.length = 0;
    out[3]?.nack(new Error('no'), 'drop');
    clock.advance(0);
    expect(log.slice(0, 2).toSorted()).toEqual(['c release', 'd drop']);
  });
});
