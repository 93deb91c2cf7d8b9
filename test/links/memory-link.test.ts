import { describe, expect, it } from 'vitest';
import {
  backoff,
  isSluiceError,
  memoryBroker,
  memoryLink,
  memorySink,
  memorySource,
  run,
  SluiceError,
  type Status,
} from 'sluice';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';

describe('memoryLink', () => {
  it('is one connection for all its users, from the first to the last', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const link = memoryLink(broker, { clock });
    expect(broker.peek.connections()).toBe(0);
    const first = collect(memorySource(link, { topic: 'a', clock }));
    const second = collect(memorySource(link, { topic: 'b', clock }));
    clock.advance(0);
    expect(broker.peek.connections()).toBe(1);
    first.subscription.unsubscribe();
    expect(broker.peek.connections()).toBe(1);
    second.subscription.unsubscribe();
    expect(broker.peek.connections()).toBe(0);
  });

  it('opens at once and without a promise', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    broker.publish({ topic: 'a', payload: 1 });
    const seen = collect(memorySource<number>(memoryLink(broker, { clock }), { topic: 'a', clock }));
    clock.advance(0);
    expect(seen.payloads).toEqual([1]);
  });

  it('comes back after a loss, and its users with it (REC-04)', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const link = memoryLink(broker, { clock, reconnect: backoff({ initialMs: 100, jitter: 'none' }) });
    const walk: Status[] = [];
    link.status$.subscribe((status) => walk.push(status));
    const seen = collect(memorySource<number>(link, { topic: 'a', clock }));
    broker.publish({ topic: 'a', payload: 1 });
    clock.advance(0);
    broker.faults.dropLink();
    expect(seen.messages[0]?.ack()).toBe(false);
    broker.publish({ topic: 'a', payload: 2 });
    await clock.run(100);
    expect(seen.messages.map((message) => [message.payload, message.attempt])).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
    ]);
    expect(walk).toEqual(['idle', 'connecting', 'connected', 'reconnecting', 'connected']);
    expect([seen.errors, broker.peek.consumers('a'), broker.peek.connections()]).toEqual([[], 1, 1]);
  });

  it('stays well through long silence, and finds a broker that stands still (REC-05)', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const link = memoryLink(broker, { clock });
    const walk: string[] = [];
    link.status$.subscribe((status) => walk.push(`${status} ${clock.elapsed()}`));
    const seen = collect(memorySource<number>(link, { topic: 'a', clock }));
    clock.advance(3_600_000);
    expect(walk).toEqual(['idle 0', 'connecting 0', 'connected 0']);
    broker.faults.pause();
    await clock.run(15_000);
    expect(walk.at(-1)?.split(' ')[0]).toBe('reconnecting');
    broker.publish({ topic: 'a', payload: 1 });
    broker.faults.resume();
    await clock.run(60_000);
    expect(walk.at(-1)?.split(' ')[0]).toBe('connected');
    expect([seen.payloads, broker.peek.connections()]).toEqual([[1], 1]);
  });

  it('waits for a broker that is not there yet (REC-01)', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    broker.faults.refuse(true);
    broker.publish({ topic: 'a', payload: 1 });
    const reconnect = backoff({ maxMs: 1_000 });
    const seen = collect(memorySource<number>(memoryLink(broker, { clock, reconnect }), { topic: 'a', clock }));
    clock.advance(5_000);
    broker.faults.refuse(false);
    await clock.run(1_001);
    expect([seen.payloads, seen.errors]).toEqual([[1], []]);
  });

  it('ends its users when the broker can never be reached (REC-12)', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const link = memoryLink(broker, { clock });
    const seen = collect(memorySource(link, { topic: 'a', clock }));
    broker.publish({ topic: 'b', payload: 1 });
    const running = run(memorySource(broker, { topic: 'b', clock }), memorySink(link, { topic: 'c', clock }));
    const failed = running.done.catch((error: unknown) => error);
    broker.faults.refuse(false);
    await clock.run(0);
    expect(broker.peek.published('c')).toBe(1);
    broker.faults.refuse(new SluiceError('CONNECT_FAILED', 'Not allowed.'));
    broker.faults.dropLink();
    await clock.run(60_000);
    expect(seen.errors.map((error) => isSluiceError(error, 'CONNECT_FAILED'))).toEqual([true]);
    expect(isSluiceError(await failed, 'CONNECT_FAILED')).toBe(true);
  });

  it('refuses options it does not know', () => {
    expect(() => memoryLink(memoryBroker(), { nam: 'x' } as never)).toThrow(
      "unknown option 'nam', did you mean 'name'?",
    );
  });
});
