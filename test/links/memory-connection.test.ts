import { describe, expect, it } from 'vitest';
import { memoryBroker, type MemoryBroker } from 'sluice';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import type { MemoryConnection } from '../../src/links/memory-connection.js';

function rig(): {
  readonly clock: VirtualClock;
  readonly broker: MemoryBroker;
  readonly connection: MemoryConnection;
  readonly log: string[];
} {
  const clock = virtualClock();
  const broker = memoryBroker({ clock, topics: { small: { maxMessages: 1 } } });
  const log: string[] = [];
  const connection = broker.connect('', { clock, lost: (error) => void log.push(error.code) }) as MemoryConnection;
  return { clock, broker, connection, log };
}

describe('MemoryConnection', () => {
  const receipt = (log: string[], name: string) => ({
    confirm: () => void log.push(`${name} confirmed`),
    fail: (error: { readonly code: string }) => void log.push(`${name} ${error.code}`),
  });

  it('answers each publish, and a producer that has ended no more', () => {
    const { clock, broker, connection, log } = rig();
    const [staying, leaving] = [connection.produce(), connection.produce()];
    staying.publish({ topic: 'a', payload: 1 }, receipt(log, 'direct'));
    broker.faults.delay(10);
    staying.publish({ topic: 'a', payload: 2 }, receipt(log, 'delayed'));
    staying.publish({ topic: '', payload: 2 }, receipt(log, 'nowhere'));
    leaving.publish({ topic: 'a', payload: 3 }, receipt(log, 'left'));
    leaving.close();
    clock.advance(20);
    expect(log).toEqual(['direct confirmed', 'delayed confirmed', 'nowhere CONFIG_INVALID']);
    expect(broker.peek.published('a')).toBe(3);
  });

  it('forgets what waits for room when its producer ends', () => {
    const { clock, broker, connection, log } = rig();
    const producer = connection.produce();
    producer.publish({ topic: 'small', payload: 1 }, receipt(log, '1'));
    producer.publish({ topic: 'small', payload: 2 }, receipt(log, '2'));
    producer.close();
    const consumer = connection.consume({ topic: 'small' }, { free: 1, wake: () => undefined });
    expect(consumer.take()?.payload).toBe(1);
    clock.advance(0);
    expect([consumer.take(), broker.peek.published('small'), log]).toEqual([undefined, 1, ['1 confirmed']]);
  });

  it('tells of a loss once, and of none after its own end', () => {
    const { broker, connection, log } = rig();
    broker.faults.dropLink();
    broker.faults.dropLink();
    expect(log).toEqual(['CONNECTION_LOST']);
    connection.close();
    const other = rig();
    other.broker.faults.delay(10);
    other.connection.close();
    other.connection.close();
    expect(other.broker.peek.connections()).toBe(1);
    other.broker.faults.dropLink();
    expect([other.log, other.broker.peek.connections()]).toEqual([[], 0]);
  });

  it('takes back what a consumer holds when it ends, and forgets its settlements', () => {
    const { clock, broker, connection } = rig();
    const wakes: number[] = [];
    broker.publish({ topic: 'a', payload: 1 });
    const first = connection.consume({ topic: 'a' }, { free: 1, wake: () => void wakes.push(1) });
    const second = connection.consume({ topic: 'a' }, { free: 1, wake: () => void wakes.push(2) });
    const record = first.take()!;
    first.close();
    first.end();
    first.settle(record, 'ack', undefined, undefined);
    expect(second.take()).toBe(record);
    expect(record.attempt).toBe(2);
    second.settle(record, 'ack', undefined, undefined);
    clock.advance(0);
    expect([broker.peek.depth('a'), broker.peek.unsettled('a'), second.take()]).toEqual([0, 0, undefined]);
    expect(wakes.length).toBeGreaterThan(2);
  });

  it('answers a ping over both ways', () => {
    const { clock, broker, connection } = rig();
    const log: number[] = [];
    const ping = (): unknown => connection.ping().then(() => log.push(clock.elapsed()));
    ping();
    broker.faults.delay(10);
    ping();
    clock.advance(100);
    expect(log).toEqual([0, 20]);
    broker.faults.pause(undefined, 'down');
    ping();
    clock.advance(100);
    expect(log).toEqual([0, 20]);
  });
});
