import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  backoff,
  isSluiceError,
  memoryBroker,
  memorySource,
  observe,
  run,
  type MemoryMeta,
  type Message,
  type SluiceEvent,
} from 'sluice';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';
import { marbles } from '../helpers/marbles.js';

describe('memorySource', () => {
  it('connects only when it is subscribed, and leaves nothing behind (SRC-01)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const flow = memorySource(broker, { topic: 'in', clock });
    clock.advance(60_000);
    expect([broker.peek.connections(), broker.peek.topics(), clock.pendingTimers]).toEqual([0, [], 0]);
    const { subscription } = collect(flow);
    expect(broker.peek.connections()).toBe(1);
    subscription.unsubscribe();
    subscription.unsubscribe();
    expect([broker.peek.connections(), broker.peek.consumers('in'), clock.pendingTimers]).toEqual([0, 0, 0]);
  });

  it('gives each message its topic, key, headers, id, time, attempt and place (S0.28)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, partitions: 1 });
    const seen = collect(memorySource<string>(broker, { topic: 'in', clock }));
    broker.publish({ topic: 'in', payload: 'a', key: 'k', headers: { h: 'v' }, id: 'one', timeMs: 7 });
    broker.publish({ topic: 'in', payload: 'b' });
    clock.advance(0);
    const [first, second] = seen.messages;
    expect(first).toMatchObject({ topic: 'in', key: 'k', headers: { h: 'v' }, id: 'one', timeMs: 7, attempt: 1 });
    expect(first?.meta).toEqual({ partition: 0, offset: 0 } satisfies MemoryMeta);
    expect(second).toMatchObject({ payload: 'b', key: undefined, timeMs: clock.now(), meta: { offset: 1 } });
  });

  it('gives a message without an id one that stays: on redelivery, in every group, among the dead letters', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, deadLetterTopic: 'dead' });
    const first = collect(memorySource<number>(broker, { topic: 'in', group: 'a', clock, maxAttempts: 2 }), (m) => {
      m.nack('no');
    });
    const second = collect(memorySource<number>(broker, { topic: 'in', group: 'b', clock }));
    const dead = collect(memorySource<number>(broker, { topic: 'dead', clock }));
    for (const payload of [1, 2]) broker.publish({ topic: 'in', payload });
    clock.advance(0);
    const ids = (messages: readonly Message<number>[], payload: number): string[] => [
      ...new Set(messages.filter((message) => message.payload === payload).map(({ id }) => id)),
    ];
    const all = [...first.messages, ...second.messages, ...dead.messages];
    expect([first.messages.length, dead.messages.length]).toEqual([4, 2]);
    expect([ids(all, 1).length, ids(all, 2).length]).toEqual([1, 1]);
    expect(ids(all, 1)).not.toEqual(ids(all, 2));
    const other = memoryBroker({ clock });
    other.publish({ topic: 'in', payload: 1 });
    const foreign = collect(memorySource<number>(other, { topic: 'in', clock }));
    clock.advance(0);
    expect(foreign.messages[0]?.id).not.toBe(ids(all, 1)[0]);
  });

  it('never emits more than the credit allows, and starts paused with 0 (CRD-01, CRD-02)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (let payload = 0; payload < 100; payload += 1) broker.publish({ topic: 'in', payload });
    const credit = new Subject<number>();
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, credit }));
    clock.advance(60_000);
    expect(seen.payloads.length).toBe(0);
    credit.next(5);
    clock.advance(60_000);
    expect([seen.payloads, broker.peek.unsettled('in'), broker.peek.depth('in')]).toEqual([[0, 1, 2, 3, 4], 5, 95]);
  });

  it('counts text and binary against the credit in bytes (CRD-11)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (let at = 0; at < 5; at += 1) broker.publish({ topic: 'in', payload: new Uint8Array(40) });
    const seen = collect(memorySource(broker, { topic: 'in', clock, creditBytes: 100 }));
    clock.advance(0);
    expect(seen.messages.length).toBe(2);
    seen.messages[0]?.ack();
    clock.advance(0);
    expect(seen.messages.length).toBe(3);
    seen.subscription.unsubscribe();
    expect(broker.peek.depth('in')).toBe(2);
  });

  it('hands back untouched what came and was not emitted', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (let at = 0; at < 3; at += 1) broker.publish({ topic: 'in', payload: 'x'.repeat(60) });
    const first = collect(memorySource(broker, { topic: 'in', clock, creditBytes: 100 }));
    clock.advance(0);
    first.subscription.unsubscribe();
    first.messages[0]?.ack();
    const second = collect(memorySource(broker, { topic: 'in', clock }));
    clock.advance(0);
    expect(second.messages.map((message) => [message.meta, message.attempt])).toEqual([
      [{ partition: 0, offset: 1 }, 1],
      [{ partition: 0, offset: 2 }, 1],
    ]);
  });

  it('leaves what take(n) did not take to the next subscriber (SHU-03)', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (let payload = 0; payload < 10; payload += 1) broker.publish({ topic: 'in', payload });
    const seen: number[] = [];
    const subscription = memorySource<number>(broker, { topic: 'in', clock }).subscribe((message) => {
      seen.push(message.payload);
      if (seen.length === 4) subscription.unsubscribe();
      message.ack();
    });
    clock.advance(0);
    expect([seen, broker.peek.depth('in'), broker.peek.unsettled('in')]).toEqual([[0, 1, 2, 3], 6, 0]);
    expect(broker.peek.connections()).toBe(0);
  });

  it('has in flight no more than its credit after a loss; old settlements touch nothing (CRD-09, ACK-04)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (let payload = 0; payload < 10; payload += 1) broker.publish({ topic: 'in', payload });
    const reconnect = backoff({ initialMs: 100, jitter: 'none' });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 3, reconnect }));
    clock.advance(0);
    broker.faults.dropLink();
    clock.advance(100);
    for (const old of seen.messages.slice(0, 3)) expect(old.ack()).toBe(false);
    clock.advance(60_000);
    expect([seen.payloads, broker.peek.unsettled('in')]).toEqual([[0, 1, 2, 0, 1, 2], 3]);
    expect(seen.messages.slice(0, 3).every((message) => message.signal.aborted)).toBe(true);
  });

  it('completes a drain once what it emitted was settled, and errors never (SHU-02)', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (let payload = 0; payload < 3; payload += 1) broker.publish({ topic: 'in', payload });
    const held: { ack(): boolean }[] = [];
    const running = run(memorySource<number>(broker, { topic: 'in', clock, credit: 2 }), {
      next: (message) => void held.push(message),
      error: () => undefined,
      complete: () => undefined,
    });
    clock.advance(0);
    let done = false;
    void running.stop().then(() => (done = true));
    await clock.run(10);
    expect([held.length, done]).toEqual([2, false]);
    for (const message of held) message.ack();
    await clock.run(10);
    expect([done, broker.peek.depth('in'), broker.peek.unsettled('in')]).toEqual([true, 1, 0]);
  });

  it('reports what it nacked and what came too late', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    broker.publish({ topic: 'in', payload: 1, id: 'one' });
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    const seen = collect(memorySource(broker, { topic: 'in', clock, credit: 1 }));
    clock.advance(0);
    seen.messages[0]?.nack('bad', 'drop');
    expect(seen.messages[0]?.ack()).toBe(false);
    stop();
    expect(events.map((event) => event.type).filter((type) => type.startsWith('message'))).toEqual([
      'message.nacked',
      'message.late',
    ]);
  });

  it(
    'emits in the frame of the publish and gives the credit back with the settlement',
    marbles((m) => {
      const broker = memoryBroker();
      m.cold('--a-b-c------|').subscribe((payload) => broker.publish({ topic: 'in', payload }));
      const values = new Subject<string>();
      memorySource<string>(broker, { topic: 'in', credit: 2 }).subscribe((message) => {
        values.next(message.payload);
        m.cold('-----(x|)').subscribe(() => message.ack());
      });
      m.expect(values).toBeObservable('--a-b--c------');
    }),
  );

  it('refuses options that it does not know or that make no sense (CRD-05, SRC-05)', () => {
    const faults = (options: object): string => {
      try {
        void memorySource(memoryBroker(), options as never);
      } catch (error) {
        if (isSluiceError(error, 'CONFIG_INVALID')) return error.message;
      }
      return 'none';
    };
    expect(faults({})).toContain("'topic' is missing");
    expect(faults({ topic: '' })).toContain("'topic'");
    expect(faults({ topic: 'a', groop: 'b' })).toContain("did you mean 'group'?");
    expect(faults({ topic: 'a', credit: 65_536 })).toContain("'credit'");
    expect(faults({ topic: 'a', from: 'first' })).toContain(
      "'from': expected one of earliest, latest, or a whole number",
    );
    expect(faults({ topic: 'a', from: -1, durable: 1 })).toContain("'durable'");
  });
});
