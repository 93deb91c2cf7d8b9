import { describe, expect, it, onTestFinished } from 'vitest';
import {
  backoff,
  isSluiceError,
  memoryBroker,
  memoryLink,
  memorySink,
  memorySource,
  observe,
  run,
  type MemoryBroker,
} from 'sluice';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';

const reconnect = backoff({ initialMs: 100, jitter: 'none', stableMs: 0 });

interface Bench {
  readonly clock: VirtualClock;
  readonly broker: MemoryBroker;
  publish(...payloads: readonly number[]): void;
}

function bench(seed: number = 1): Bench {
  const clock = virtualClock({ seed });
  const broker = memoryBroker({ clock });
  const publish = (...payloads: readonly number[]): void => {
    for (const payload of payloads) broker.publish({ topic: 'in', payload });
  };
  return { clock, broker, publish };
}

const payloadsOf = (broker: MemoryBroker, clock: VirtualClock, topic: string): number[] => {
  const seen = collect(memorySource<number>(broker, { topic, clock, credit: 10_000 }));
  clock.advance(0);
  return seen.payloads;
};

describe('faults of the in-memory broker', () => {
  it('delay publishes, confirmations and settlements', () => {
    const { clock, broker, publish } = bench();
    publish(1);
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(0);
    broker.faults.delay(100);
    const sink = memorySink<number>(broker, { topic: 'out', clock });
    sink.next(seen.messages[0]!);
    clock.advance(99);
    expect(broker.peek.published('out')).toBe(0);
    clock.advance(1);
    expect([broker.peek.published('out'), broker.peek.unsettled('in')]).toEqual([1, 1]);
    clock.advance(199);
    expect(broker.peek.unsettled('in')).toBe(1);
    clock.advance(1);
    expect(broker.peek.unsettled('in')).toBe(0);
    broker.faults.delay(0);
    publish(2);
    clock.advance(0);
    seen.messages[1]?.ack();
    expect(broker.peek.unsettled('in')).toBe(0);
  });

  it('lose a settlement that was under way when the link dropped, so the message comes again', () => {
    const { clock, broker, publish } = bench();
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, reconnect }));
    publish(1);
    clock.advance(0);
    broker.faults.delay(50);
    expect(seen.messages[0]?.ack()).toBe(true);
    clock.advance(49);
    broker.faults.dropLink();
    clock.advance(1_000);
    expect(seen.messages.map((message) => [message.payload, message.attempt])).toEqual([
      [1, 1],
      [1, 2],
    ]);
  });

  it('lose a publish that was under way when the link dropped: it is stored once, over the next link', () => {
    const { clock, broker, publish } = bench();
    broker.faults.delay(50);
    run(
      memorySource<number>(broker, { topic: 'in', clock, reconnect: backoff({ initialMs: 100_000 }) }),
      memorySink<number>(broker, { topic: 'out', clock, reconnect }),
    );
    publish(1);
    clock.advance(25);
    broker.faults.dropLink();
    clock.advance(100);
    expect(broker.peek.published('out')).toBe(0);
    expect(payloadsOf(broker, clock, 'out')).toEqual([]);
  });

  it('bring a settlement home before the end of the client that made it', () => {
    const { clock, broker, publish } = bench();
    publish(1);
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(0);
    broker.faults.delay(50);
    seen.messages[0]?.ack();
    seen.subscription.unsubscribe();
    clock.advance(200);
    const { depth, unsettled, connections } = broker.peek;
    expect([depth('in'), unsettled('in'), connections()]).toEqual([0, 0, 0]);
  });

  it('lose a confirmation that was under way, so the message is sent again: nothing is lost (ACK-13, SNK-02)', () => {
    const { clock, broker, publish } = bench();
    broker.faults.delay(50);
    run(
      memorySource<number>(broker, { topic: 'in', clock, reconnect }),
      memorySink<number>(broker, { topic: 'out', clock, reconnect }),
    );
    publish(1, 2);
    clock.advance(75);
    expect([broker.peek.published('out'), broker.peek.unsettled('in')]).toEqual([2, 2]);
    broker.faults.dropLink();
    clock.advance(10_000);
    expect([broker.peek.unsettled('in'), broker.peek.depth('in')]).toEqual([0, 0]);
    expect([...new Set(payloadsOf(broker, clock, 'out'))].sort()).toEqual([1, 2]);
    expect(broker.peek.published('out')).toBeGreaterThan(2);
  });

  it('cut one link by name until it is healed, and leave the others alone', async () => {
    const { clock, broker, publish } = bench();
    const one = memoryLink(broker, { name: 'one', clock, reconnect });
    const two = memoryLink(broker, { name: 'two', clock, reconnect });
    const first = collect(memorySource<number>(one, { topic: 'in', group: 'one', clock }), (m) => void m.ack());
    const second = collect(memorySource<number>(two, { topic: 'in', group: 'two', clock }), (m) => void m.ack());
    clock.advance(0);
    broker.faults.cut('one');
    publish(1);
    clock.advance(10_000);
    expect([first.payloads, second.payloads]).toEqual([[], [1]]);
    broker.faults.heal('one');
    await clock.run(60_000);
    expect([first.payloads, second.payloads]).toEqual([[1], [1]]);
  });

  it('store some messages twice, the same ones for the same seed', () => {
    const doubled = (seed: number): number[] => {
      const { clock, broker, publish } = bench(seed);
      broker.faults.duplicate(0.5);
      publish(...Array.from({ length: 20 }, (_, at) => at));
      return payloadsOf(broker, clock, 'in');
    };
    expect(doubled(1)).toEqual(doubled(1));
    expect(doubled(1)).not.toEqual(doubled(2));
    expect(doubled(1).length).toBeGreaterThan(22);
    expect(new Set(doubled(1)).size).toBe(20);
  });

  it('delay settlements: the broker never has more out than the window, those under way included (CRD-08)', () => {
    const { clock, broker, publish } = bench();
    publish(...Array.from({ length: 100 }, (_, at) => at));
    broker.faults.delay(50, 50);
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 4 }), (message) => message.ack());
    let most = 0;
    for (let ms = 0; ms < 5_000; ms += 5) {
      clock.advance(5);
      most = Math.max(most, broker.peek.unsettled('in'));
    }
    expect([most, seen.payloads.length, broker.peek.unsettled('in')]).toEqual([4, 100, 0]);
    broker.faults.dropLink();
    clock.advance(5_000);
    expect(seen.payloads).toHaveLength(100);
  });

  it('stall: connected, but nothing is delivered and nothing confirmed (REC-06)', () => {
    const { clock, broker, publish } = bench();
    const sink = memorySink<number>(broker, { topic: 'out', clock, reconnect, confirmTimeoutMs: 1_000 });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }), (message) => sink.next(message));
    clock.advance(0);
    broker.faults.stall();
    publish(1);
    clock.advance(500);
    expect(seen.payloads).toEqual([]);
    broker.faults.stall(false);
    clock.advance(0);
    expect(seen.payloads).toEqual([1]);
    broker.faults.stall();
    publish(2);
    broker.faults.stall(false);
    clock.advance(0);
    broker.faults.stall();
    expect(broker.peek.unsettled('in')).toBe(0);
    expect(payloadsOf(broker, clock, 'out')).toEqual([]);
  });

  it('stall a source: it notices within 30 s, asks again until it is served, and an empty topic is no stall (G9)', () => {
    const { clock, broker, publish } = bench();
    const reported: string[] = [];
    onTestFinished(
      observe((event) => {
        if (event.type === 'status.changed' && isSluiceError(event.reason, 'STALLED')) reported.push(event.to);
      }),
    );
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, reconnect }), (message) => message.ack());
    clock.advance(3_600_000);
    expect(reported).toEqual([]);
    broker.faults.stall();
    publish(1);
    clock.advance(30_000);
    expect(reported.slice(0, 2)).toEqual(['degraded', 'reconnecting']);
    clock.advance(300_000);
    broker.faults.stall(false);
    clock.advance(30_000);
    expect([seen.payloads, broker.peek.unsettled('in')]).toEqual([[1], 0]);
  });

  it('stall the confirmations: the sink gives up waiting and sends again', () => {
    const { clock, broker, publish } = bench();
    publish(1);
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(0);
    broker.faults.stall();
    const sink = memorySink<number>(broker, { topic: 'out', clock, reconnect, confirmTimeoutMs: 1_000 });
    sink.next(seen.messages[0]!);
    clock.advance(999);
    expect(broker.peek.published('out')).toBe(1);
    clock.advance(101);
    expect(broker.peek.published('out')).toBe(2);
    broker.faults.stall(false);
    clock.advance(0);
    expect(broker.peek.unsettled('in')).toBe(0);
  });

  it('fill the store: refused or waited for, and resumed after relief (SNK-07, F8)', () => {
    const { clock, broker, publish } = bench();
    publish(1, 2);
    const sink = memorySink<number>(broker, { topic: 'out', clock });
    broker.faults.fill();
    collect(memorySource<number>(broker, { topic: 'in', clock }), (message) => sink.next(message));
    clock.advance(1_000);
    expect([broker.peek.published('out'), broker.peek.unsettled('in')]).toEqual([0, 2]);
    expect(() => publish(3)).toThrow('maxMessages');
    broker.faults.fill(false);
    clock.advance(0);
    expect([broker.peek.published('out'), broker.peek.unsettled('in')]).toEqual([2, 0]);
  });

  it('pause the broker: what was sent meanwhile arrives when it goes on', () => {
    const { clock, broker, publish } = bench();
    publish(1, 2);
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 1 }));
    clock.advance(0);
    broker.faults.pause();
    seen.messages[0]?.ack();
    clock.advance(9_000);
    expect([broker.peek.unsettled('in'), seen.payloads]).toEqual([1, [1]]);
    broker.faults.resume();
    clock.advance(0);
    expect([broker.peek.unsettled('in'), seen.payloads]).toEqual([1, [1, 2]]);
  });

  it('pause one link: after 15 s its messages go to others, and its settlements touch nothing (ACK-04)', async () => {
    const { clock, broker, publish } = bench();
    const link = memoryLink(broker, { name: 'slow', clock, reconnect, heartbeatMs: 1_000_000 });
    const stuck = collect(memorySource<number>(link, { topic: 'in', clock }));
    publish(1);
    clock.advance(0);
    const other = collect(memorySource<number>(broker, { topic: 'in', clock }));
    broker.faults.pause('slow');
    clock.advance(14_999);
    expect(other.payloads).toEqual([]);
    clock.advance(1);
    expect(other.messages.map((message) => [message.payload, message.attempt])).toEqual([[1, 2]]);
    expect(stuck.messages[0]?.ack()).toBe(true);
    expect(broker.peek.unsettled('in')).toBe(1);
    broker.faults.heal('slow');
    await clock.run(200);
    expect([broker.peek.unsettled('in'), broker.peek.consumers('in')]).toEqual([1, 2]);
    expect(other.messages[0]?.ack()).toBe(true);
    expect(broker.peek.unsettled('in')).toBe(0);
  });

  it('pause one direction only', () => {
    const { clock, broker, publish } = bench();
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(0);
    broker.faults.pause(undefined, 'up');
    publish(1);
    clock.advance(0);
    seen.messages[0]?.ack();
    expect([seen.payloads, broker.peek.unsettled('in')]).toEqual([[1], 1]);
    broker.faults.pause(undefined, 'down');
    publish(2);
    clock.advance(0);
    expect([seen.payloads, broker.peek.unsettled('in')]).toEqual([[1], 0]);
    broker.faults.resume();
    clock.advance(0);
    expect(seen.payloads).toEqual([1, 2]);
  });

  it('pause both a link and the broker: either holds until both are over', () => {
    const { clock, broker, publish } = bench();
    const link = memoryLink(broker, { name: 'one', clock });
    const seen = collect(memorySource<number>(link, { topic: 'in', clock }));
    clock.advance(0);
    broker.faults.pause();
    broker.faults.pause('one');
    publish(1);
    broker.faults.resume('one');
    clock.advance(0);
    expect(seen.payloads).toEqual([]);
    broker.faults.resume();
    clock.advance(0);
    expect(seen.payloads).toEqual([1]);
  });

  it('pause: a new connection hangs until it goes on', async () => {
    const { clock, broker, publish } = bench();
    publish(1);
    broker.faults.pause();
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }));
    await clock.run(5_000);
    expect([seen.payloads, broker.peek.connections()]).toEqual([[], 0]);
    broker.faults.resume();
    await clock.run(0);
    expect([seen.payloads, broker.peek.connections()]).toEqual([[1], 1]);
  });

  it('kill and restart: what was stored survives (F1, REC-03)', () => {
    const { clock, broker, publish } = bench();
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, reconnect, credit: 1 }));
    publish(1, 2);
    clock.advance(0);
    broker.faults.kill();
    expect(() => publish(3)).toThrow('killed');
    clock.advance(10_000);
    expect(seen.payloads).toEqual([1]);
    broker.faults.restart();
    clock.advance(30_000);
    expect(seen.messages.map((message) => [message.payload, message.attempt])).toEqual([
      [1, 1],
      [1, 2],
    ]);
    expect(seen.errors).toEqual([]);
    expect(broker.peek.depth('in')).toBe(1);
  });

  it('kill with loss: all that was published since the last sync is gone, held or not', () => {
    const { clock, broker, publish } = bench();
    publish(1, 2);
    broker.faults.sync();
    publish(3);
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, reconnect }));
    clock.advance(0);
    publish(4);
    broker.faults.kill({ loseUnsynced: true });
    broker.faults.restart();
    clock.advance(1_000);
    expect(seen.messages.map((message) => [message.payload, message.attempt])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
      [1, 2],
      [2, 2],
    ]);
    publish(5);
    clock.advance(0);
    expect(seen.messages.at(-1)?.meta).toEqual({ partition: 0, offset: 4 });
  });
});
