import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoff, memoryBroker, memorySource, type MemoryBroker, type MemoryMeta } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { handBack } from '../../src/message/envelope.js';
import { collect } from '../helpers/collect.js';

function publish(broker: MemoryBroker, ...payloads: readonly number[]): void {
  for (const payload of payloads) broker.publish({ topic: 'in', payload });
}

describe('consumer groups', () => {
  it('give every group every message, and each message to one consumer of the group (S3.43)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const ack = { ack: (message: { ack(): boolean }) => void message.ack() }.ack;
    const audit = collect(memorySource<number>(broker, { topic: 'in', group: 'audit', clock }), ack);
    const first = collect(memorySource<number>(broker, { topic: 'in', group: 'bill', clock }), ack);
    const second = collect(memorySource<number>(broker, { topic: 'in', group: 'bill', clock }), ack);
    publish(broker, 1, 2, 3, 4, 5, 6);
    clock.advance(0);
    expect(audit.payloads).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...first.payloads, ...second.payloads].sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect([broker.peek.unsettled('in', 'audit'), broker.peek.unsettled('in', 'bill')]).toEqual([0, 0]);
    expect(broker.peek.groups('in')).toEqual(['audit', 'bill']);
  });

  it('serve competing consumers in turns', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const all = [1, 2, 3].map(() => collect(memorySource<number>(broker, { topic: 'in', clock, credit: 100 })));
    publish(broker, 0, 1, 2, 3, 4, 5, 6, 7, 8);
    clock.advance(0);
    expect(all.map((one) => one.payloads)).toEqual([
      [0, 3, 6],
      [1, 4, 7],
      [2, 5, 8],
    ]);
  });

  it('leave the messages of a consumer without credit to the others', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const full = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 1 }));
    const free = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 100 }));
    publish(broker, 1, 2, 3, 4, 5);
    clock.advance(0);
    expect(full.payloads).toEqual([1]);
    expect(free.payloads).toEqual([2, 3, 4, 5]);
  });

  it('hold a slow group apart from a fast one (S3.47)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const slow = collect(memorySource<number>(broker, { topic: 'in', group: 'slow', clock, credit: 1 }));
    const fast = collect(memorySource<number>(broker, { topic: 'in', group: 'fast', clock }), (m) => void m.ack());
    publish(broker, 1, 2, 3);
    clock.advance(0);
    expect(slow.payloads).toEqual([1]);
    expect(fast.payloads).toEqual([1, 2, 3]);
    for (let at = 0; at < 3; at += 1) {
      slow.messages[at]?.ack();
      clock.advance(0);
    }
    expect(slow.payloads).toEqual([1, 2, 3]);
  });
});

describe('settling', () => {
  it('brings a requeued message back to its place with its attempt raised (ACK-02)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 2 }));
    publish(broker, 1, 2, 3, 4);
    clock.advance(0);
    seen.messages[0]?.nack(new Error('no'));
    seen.messages[1]?.ack();
    clock.advance(0);
    expect(seen.messages.map((m) => [m.payload, m.attempt])).toEqual([
      [1, 1],
      [2, 1],
      [1, 2],
      [3, 1],
    ]);
    expect(broker.peek.committed('in')).toBe(0);
    seen.messages[2]?.ack();
    clock.advance(0);
    expect(broker.peek.committed('in')).toBe(2);
  });

  it('keeps a requeued message away for the delay, and lets others pass', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, requeueDelayMs: 100 });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }));
    publish(broker, 1, 2);
    clock.advance(0);
    seen.messages[1]?.nack('later');
    clock.advance(50);
    seen.messages[0]?.nack('later');
    publish(broker, 3);
    clock.advance(49);
    expect(seen.payloads).toEqual([1, 2, 3]);
    expect([broker.peek.depth('in'), broker.peek.committed('in')]).toEqual([2, 0]);
    clock.advance(1);
    expect(seen.payloads).toEqual([1, 2, 3, 2]);
    clock.advance(50);
    expect(seen.payloads).toEqual([1, 2, 3, 2, 1]);
  });

  it('keeps a message away that a stage gave back for later, without counting an attempt', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const first = collect(memorySource<number>(broker, { topic: 'in', clock }));
    publish(broker, 1);
    clock.advance(0);
    first.subscription.unsubscribe();
    handBack(first.messages[0]!, 100);
    const second = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(99);
    expect(second.payloads).toEqual([]);
    clock.advance(1);
    expect(second.messages.map((message) => [message.payload, message.attempt])).toEqual([[1, 1]]);
  });

  it('takes the delay from a schedule by the number of failures (ACK-07)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, requeueDelayMs: backoff({ initialMs: 100, jitter: 'none' }) });
    const at: number[] = [];
    collect(memorySource<number>(broker, { topic: 'in', clock, maxAttempts: 4 }), (message) => {
      at.push(clock.elapsed());
      message.nack('again');
    });
    publish(broker, 1);
    clock.advance(10_000);
    expect(at).toEqual([0, 100, 300, 700]);
    expect([broker.peek.depth('in'), broker.peek.unsettled('in'), broker.peek.dead('in')]).toEqual([0, 0, 1]);
  });

  it('brings back what is due first, whatever was delayed before it', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, requeueDelayMs: backoff({ initialMs: 100, factor: 10, jitter: 'none' }) });
    const seen: [number, number][] = [];
    collect(memorySource<number>(broker, { topic: 'in', clock, maxAttempts: 9 }), (message) => {
      seen.push([clock.elapsed(), message.payload]);
      if (message.attempt < 3) message.nack('again');
      else message.ack();
    });
    publish(broker, 1);
    clock.advance(150);
    publish(broker, 2);
    clock.advance(2_000);
    expect(seen).toEqual([
      [0, 1],
      [100, 1],
      [150, 2],
      [250, 2],
      [1_100, 1],
      [1_250, 2],
    ]);
  });

  it('commits only what has nothing unsettled below it, in whatever order it was settled (ACK-05)', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }), (order) => {
        const clock = virtualClock();
        const broker = memoryBroker({ clock });
        const seen = collect(memorySource<number>(broker, { topic: 'in', clock }));
        publish(broker, 0, 1, 2, 3, 4, 5, 6, 7);
        clock.advance(0);
        const open = new Set(order);
        for (const at of order) {
          expect(broker.peek.committed('in')).toBe(Math.min(...open));
          seen.messages[at]?.ack();
          open.delete(at);
        }
        expect(broker.peek.committed('in')).toBe(8);
      }),
    );
  });
});

describe('partitions', () => {
  const partitionsOf = (messages: readonly { meta: unknown }[]): number[] =>
    [...new Set(messages.map((message) => (message.meta as MemoryMeta).partition))].sort();

  it('keep the order of a key while several consumers share the work (S3.22, DEL-03)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, partitions: 4 });
    const ends: [string, number][] = [];
    const consume = (delayMs: number): void => {
      collect(memorySource<number>(broker, { topic: 'in', clock, credit: 3 }), (message) => {
        clock.timer(delayMs, () => {
          ends.push([message.key ?? '', message.payload]);
          message.ack();
        });
      });
    };
    // Who was first is the slowest: what it still has when others join would be overtaken.
    consume(7);
    // 11 keys over 4 partitions: taken in turns, whatever the key, partitions would share out each of them.
    for (let payload = 0; payload < 60; payload += 1) broker.publish({ topic: 'in', payload, key: `k${payload % 11}` });
    clock.advance(5);
    consume(1);
    consume(3);
    clock.advance(10_000);
    expect(ends.length).toBe(60);
    for (let key = 0; key < 11; key += 1) {
      const own = ends.filter(([name]) => name === `k${key}`).map(([, payload]) => payload);
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
  });

  it('are read by one consumer each and divided anew when one joins or leaves', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, partitions: 4 });
    const ack = (message: { ack(): boolean }): void => void message.ack();
    const first = collect(memorySource<number>(broker, { topic: 'in', clock }), ack);
    publish(broker, 1, 2, 3, 4);
    clock.advance(0);
    expect(partitionsOf(first.messages)).toEqual([0, 1, 2, 3]);
    const second = collect(memorySource<number>(broker, { topic: 'in', clock }), ack);
    publish(broker, 5, 6, 7, 8);
    clock.advance(0);
    expect(partitionsOf(first.messages.slice(4))).toEqual([0, 2]);
    expect(partitionsOf(second.messages)).toEqual([1, 3]);
    first.subscription.unsubscribe();
    publish(broker, 9, 10, 11, 12);
    clock.advance(0);
    expect(partitionsOf(second.messages.slice(2))).toEqual([0, 1, 2, 3]);
    expect(first.messages.length + second.messages.length).toBe(12);
  });

  it('are handed on only when nothing of them is unsettled, so that nothing comes twice (REC-10)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, partitions: 2 });
    const first = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 2 }));
    publish(broker, 1, 2, 3, 4);
    clock.advance(0);
    const second = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(1_000);
    expect([first.messages.length, second.messages.length]).toEqual([2, 0]);
    for (const message of first.messages) message.ack();
    clock.advance(0);
    expect(partitionsOf(first.messages.slice(2))).toEqual([0]);
    expect(partitionsOf(second.messages)).toEqual([1]);
    expect([...first.payloads, ...second.payloads].sort()).toEqual([1, 2, 3, 4]);
  });

  it('leave consumers idle that are more than there are partitions', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, partitions: 1 });
    const first = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 1 }));
    const second = collect(memorySource<number>(broker, { topic: 'in', clock }));
    publish(broker, 1, 2);
    clock.advance(0);
    expect([first.payloads, second.payloads]).toEqual([[1], []]);
    first.subscription.unsubscribe();
    clock.advance(0);
    expect(second.payloads).toEqual([]);
    first.messages[0]?.ack();
    clock.advance(0);
    expect(second.payloads).toEqual([2]);
  });

  it('take turns for messages without a key', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, partitions: 3 });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }));
    publish(broker, 1, 2, 3, 4, 5, 6);
    clock.advance(0);
    const places = seen.messages.map((message) => message.meta as MemoryMeta);
    expect(places.map(({ partition, offset }) => `${partition}/${offset}`).sort()).toEqual([
      '0/0',
      '0/1',
      '1/0',
      '1/1',
      '2/0',
      '2/1',
    ]);
  });
});

describe('leaving', () => {
  it('gives back what was not settled in time, with its attempt raised (SHU-01)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const first = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 2, closeTimeoutMs: 500 }));
    publish(broker, 1, 2, 3);
    clock.advance(0);
    first.subscription.unsubscribe();
    expect([broker.peek.depth('in'), broker.peek.unsettled('in'), broker.peek.consumers('in')]).toEqual([1, 2, 0]);
    expect(first.messages[0]?.ack()).toBe(true);
    clock.advance(500);
    expect([broker.peek.depth('in'), broker.peek.unsettled('in')]).toEqual([2, 0]);
    expect(first.messages[1]?.ack()).toBe(false);
    const second = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(0);
    expect(second.messages.map((m) => [m.payload, m.attempt])).toEqual([
      [2, 2],
      [3, 1],
    ]);
  });

  it('keeps a group that is not durable until its last consumer has gone', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const view = { topic: 'in', group: 'view', durable: false, clock } as const;
    const first = collect(memorySource<number>(broker, view));
    const second = collect(memorySource<number>(broker, view));
    first.subscription.unsubscribe();
    publish(broker, 1);
    clock.advance(0);
    expect(second.payloads).toEqual([1]);
  });

  it('ends a group that is not durable, with what waits for it', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    publish(broker, 0);
    const seen = collect(
      memorySource<number>(broker, { topic: 'in', group: 'view', durable: false, clock, credit: 1 }),
    );
    publish(broker, 1, 2);
    clock.advance(0);
    expect(seen.payloads).toEqual([1]);
    seen.subscription.unsubscribe();
    seen.messages[0]?.ack();
    clock.advance(0);
    expect(broker.peek.groups('in')).toEqual([]);
    expect(broker.peek.depth('in', 'view')).toBe(0);
    publish(broker, 3);
    const next = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(0);
    expect(next.payloads).toEqual([3]);
  });
});
