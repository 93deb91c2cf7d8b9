import { describe, expect, it } from 'vitest';
import type { Message } from 'sluice';
import { kafkaSink, kafkaSource } from 'sluice/kafka';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';
import { fakeKafka, records, type FakeKafka, type FakeMember, type FakeProducer } from '../helpers/kafka.js';
import { recorder } from '../helpers/message.js';

interface Rig {
  readonly clock: VirtualClock;
  readonly kafka: FakeKafka;
  readonly messages: readonly Message<Uint8Array>[];
  readonly sink: ReturnType<typeof kafkaSink>;
  readonly member: () => FakeMember;
  readonly producer: () => FakeProducer;
}

/** A member of group `g` with partition 0 of topic `a`, and a sink in transactions to topic `b`. */
async function open(): Promise<Rig> {
  const clock = virtualClock();
  const kafka = fakeKafka(clock);
  kafka.topics.set('b', 1);
  kafka.isQuick = false;
  const from = { topics: ['a'], group: 'g', transactional: true, revokeTimeoutMs: 1_000 };
  const { messages } = collect(kafkaSource(kafka.link, { ...from, clock }));
  await clock.runUntil(() => kafka.members.length > 0, 1_000);
  const member = (): FakeMember => kafka.members.at(-1) as FakeMember;
  const assigned = member().events.assigned([{ topic: 'a', partition: 0 }], false);
  await clock.run(0);
  await assigned;
  const sink = kafkaSink(kafka.link, { topic: 'b', transactionalId: 'copy', clock });
  return { clock, kafka, messages, sink, member, producer: () => kafka.producers.at(-1) as FakeProducer };
}

const fetched = (texts: string): Parameters<FakeMember['events']['fetched']>[0] => ({
  topic: 'a',
  partition: 0,
  records: records(0, texts),
  nextOffset: texts.length,
});

describe('a transaction', () => {
  it('holds what came together and the positions it was made from; the member itself commits none (DEL-08)', async () => {
    const { clock, kafka, messages, sink, member, producer } = await open();
    void member().events.fetched(fetched('abc'));
    await clock.run(0);
    for (const message of messages) sink.next(message);
    await clock.run(20);
    expect(producer().plan.transactionalId).toBe('copy');
    expect(producer().sent).toEqual(['b/0: a b c']);
    expect(messages.map((message) => message.signal.aborted)).toEqual([false, false, false]);
    producer().answer();
    await clock.run(0);
    expect(producer().sent).toEqual(['b/0: a b c', 'g a/0 3', 'commit']);
    expect(messages.map((message) => message.ack())).toEqual([false, false, false]);
    await clock.run(5_000);
    expect(member().told.filter((line) => line.startsWith('commit'))).toEqual([]);
    expect(kafka.committed).toEqual(new Map([['g a/0', 3]]));
  });

  it('never tells a position past what is unsettled', async () => {
    const { clock, messages, sink, member, producer } = await open();
    void member().events.fetched(fetched('abc'));
    await clock.run(0);
    sink.next(messages[0] as Message<Uint8Array>);
    sink.next(messages[2] as Message<Uint8Array>);
    await clock.run(20);
    producer().answer();
    await clock.run(0);
    expect(producer().sent).toEqual(['b/0: a c', 'g a/0 1', 'commit']);
  });

  it('that fails has its reader deliver again what it had acked, and another producer begins', async () => {
    const { clock, kafka, messages, sink, member, producer } = await open();
    void member().events.fetched(fetched('ab'));
    await clock.run(0);
    for (const message of messages) sink.next(message);
    await clock.run(20);
    kafka.failTransaction = new Error('no coordinator');
    producer().answer();
    await clock.run(3_000);
    kafka.failTransaction = undefined;
    expect([kafka.members.length, kafka.producers[0]?.isClosed]).toEqual([2, true]);
    const assigned = member().events.assigned([{ topic: 'a', partition: 0 }], false);
    await clock.run(0);
    await assigned;
    expect([...kafka.committed]).toEqual([]);
    void member().events.fetched(fetched('ab'));
    await clock.run(0);
    expect(messages.map(({ payload }) => String(payload)).join('')).toBe('abab');
    for (const message of messages.slice(2)) sink.next(message);
    await clock.run(5_000);
    producer().answer();
    await clock.run(0);
    expect(producer().sent.slice(-2)).toEqual(['g a/0 2', 'commit']);
  });

  it('acks messages from anywhere else only after the commit', async () => {
    const { clock, kafka, sink, producer } = await open();
    const { message, log } = recorder();
    sink.next(message(new Uint8Array()));
    await clock.run(20);
    kafka.failTransaction = new Error('no coordinator');
    producer().answer();
    await clock.run(0);
    expect(log).toEqual([]);
    kafka.failTransaction = undefined;
    await clock.run(3_000);
    producer().answer();
    await clock.run(0);
    expect(log).toEqual(['ack']);
  });

  it('is over before partitions are given back, also while only its commit is missing', async () => {
    const { clock, kafka, messages, sink, member, producer } = await open();
    kafka.isSlowToCommit = true;
    void member().events.fetched(fetched('a'));
    await clock.run(0);
    sink.next(messages[0] as Message<Uint8Array>);
    await clock.run(20);
    producer().answer();
    await clock.run(0);
    expect(messages[0]?.ack()).toBe(false);
    let isReady = false;
    void member()
      .events.revoking()
      .then(() => (isReady = true));
    await clock.run(900);
    expect(isReady).toBe(false);
    producer().answer();
    await clock.run(0);
    expect(isReady).toBe(true);
  });

  it('is over before partitions are given back, and is not committed for a message that was taken back', async () => {
    const { clock, kafka, messages, sink, member, producer } = await open();
    void member().events.fetched(fetched('ab'));
    await clock.run(0);
    sink.next(messages[0] as Message<Uint8Array>);
    sink.next(messages[1] as Message<Uint8Array>);
    await clock.run(20);
    let isReady = false;
    void member()
      .events.revoking()
      .then(() => (isReady = true));
    await clock.run(1_000);
    // It waited as long as it may: the partition goes to another member.
    expect(isReady).toBe(true);
    const assigned = member().events.assigned([], true);
    await clock.run(0);
    await assigned;
    producer().answer();
    await clock.run(3_000);
    expect(kafka.producers[0]?.sent).toEqual(['b/0: a b']);
    expect(kafka.producers.flatMap(({ sent }) => sent)).not.toContain('commit');
  });

  it('runs one at a time', async () => {
    const { clock, sink, producer } = await open();
    const { message } = recorder();
    sink.next(message(Buffer.from('a')));
    await clock.run(20);
    sink.next(message(Buffer.from('b')));
    await clock.run(1_000);
    expect(producer().sent).toEqual(['b/0: a']);
    producer().answer();
    await clock.run(20);
    expect(producer().sent).toEqual(['b/0: a', 'commit', 'b/0: b']);
  });
});
