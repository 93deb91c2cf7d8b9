import { describe, expect, it } from 'vitest';
import type { Message } from 'sluice';
import { kafkaSink, type KafkaSinkOptions } from 'sluice/kafka';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { partitionForKey } from '../../src/links/kafka-partitioner.js';
import { fakeKafka, type FakeKafka } from '../helpers/kafka.js';
import { recorder, type MessageFields } from '../helpers/message.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Rig {
  readonly clock: VirtualClock;
  readonly kafka: FakeKafka;
  readonly log: readonly string[];
  readonly sink: ReturnType<typeof kafkaSink>;
  send(payload: string | null, fields?: MessageFields): Message<Uint8Array | null>;
}

function open(options: KafkaSinkOptions = {}): Rig {
  const clock = virtualClock();
  const kafka = fakeKafka(clock);
  kafka.isQuick = false;
  const { message, log } = recorder();
  const sink = kafkaSink(kafka.link, { clock, ...options });
  return {
    clock,
    kafka,
    log,
    sink,
    send(payload, fields) {
      const made = message(payload === null ? null : bytes(payload), { topic: 'a', ...fields });
      sink.next(made);
      return made;
    },
  };
}

const refused = (type: string): Error => Object.assign(new Error('refused'), { type });

describe('the writer of topics', () => {
  it('sends what came in one turn as one batch for each partition, and acks it when that is confirmed (S2.16)', async () => {
    const { send, clock, kafka, log } = open();
    const other = Array.from({ length: 9 }, (_, at) => `x${at}`).find(
      (key) => partitionForKey(bytes(key), 2) !== partitionForKey(bytes('k1'), 2),
    ) as string;
    for (const key of ['k1', other, 'k1']) send(key, { key });
    await clock.run(0);
    const [one, two] = [partitionForKey(bytes('k1'), 2), partitionForKey(bytes(other), 2)];
    expect(kafka.producers[0]?.sent).toEqual([`a/${one}: k1 k1`, `a/${two}: ${other}`]);
    expect(kafka.producers[0]?.batches).toHaveLength(1);
    expect(log).toEqual([]);
    kafka.producers[0]?.answer();
    await clock.run(0);
    expect(log).toHaveLength(3);
  });

  it('has one batch of a partition under way, and one of another beside it', async () => {
    const { send, clock, kafka } = open({ partition: ({ key }) => Number(key) });
    send('a', { key: '0' });
    await clock.run(0);
    send('b', { key: '0' });
    send('c', { key: '1' });
    await clock.run(0);
    expect(kafka.producers[0]?.sent).toEqual(['a/0: a', 'a/1: c']);
    kafka.producers[0]?.answer();
    await clock.run(0);
    expect(kafka.producers[0]?.sent).toEqual(['a/0: a', 'a/1: c', 'a/0: b']);
  });

  it('sends what waited together with what the confirmations bring in their turn', async () => {
    const { send, clock, kafka } = open({ partition: () => 0 });
    send('a');
    await clock.run(0);
    send('b');
    // As a source does that is given credit back.
    clock.defer(() => void send('c'));
    kafka.producers[0]?.answer();
    for (let jobs = 0; jobs < 20; jobs += 1) await Promise.resolve();
    expect(kafka.producers[0]?.sent).toEqual(['a/0: a']);
    await clock.run(0);
    expect(kafka.producers[0]?.sent).toEqual(['a/0: a', 'a/0: b c']);
  });

  it('keeps batches within maxBatch and maxBatchBytes', async () => {
    const { send, clock, kafka } = open({ partition: () => 0, maxBatch: 2, idHeader: false });
    kafka.isQuick = true;
    for (const payload of 'abc') send(payload);
    await clock.run(0);
    expect(kafka.producers[0]?.sent).toEqual(['a/0: a b', 'a/0: c']);
    const large = open({ partition: () => 0, maxBatchBytes: 1_024, idHeader: false });
    large.kafka.isQuick = true;
    for (const payload of ['x', 'y', 'z']) large.send(payload.repeat(400));
    await large.clock.run(0);
    expect(large.kafka.producers[0]?.batches.map(([batch]) => batch?.records.length)).toEqual([2, 1]);
  });

  it('sends no more in one request than brokers take, nor in one transaction (S2.16)', async () => {
    for (const transactionalId of [undefined, 'tx']) {
      const { send, clock, kafka, log } = open({
        partition: ({ key }) => Number(key),
        lingerMs: 1,
        ...(transactionalId === undefined ? {} : { transactionalId }),
      });
      kafka.isQuick = true;
      kafka.topics.set('a', 40);
      const payload = 'x'.repeat(999_000);
      for (let at = 0; at < 40; at += 1) send(payload, { key: String(at) });
      await clock.run(10);
      expect(kafka.producers[0]?.batches.map((batches) => batches.length)).toEqual([34, 6]);
      expect(log).toHaveLength(40);
    }
  });

  it('waits for others as long as lingerMs says, or until a batch is full', async () => {
    const { send, clock, kafka } = open({ partition: () => 0, lingerMs: 20, maxBatch: 3 });
    kafka.isQuick = true;
    send('a');
    await clock.run(10);
    send('b');
    await clock.run(9);
    expect(kafka.producers[0]?.sent).toEqual([]);
    await clock.run(1);
    expect(kafka.producers[0]?.sent).toEqual(['a/0: a b']);
    for (const payload of 'cde') send(payload);
    await clock.run(0);
    expect(kafka.producers[0]?.sent).toEqual(['a/0: a b', 'a/0: c d e']);
  });

  it('learns within minutes that a topic has more partitions', async () => {
    const { send, clock, kafka } = open({ partition: (_, count) => count - 1 });
    kafka.isQuick = true;
    send('a');
    await clock.run(0);
    kafka.topics.set('a', 5);
    send('b');
    await clock.run(300_000);
    send('c');
    await clock.run(0);
    send('d');
    await clock.run(0);
    expect(kafka.producers[0]?.sent).toEqual(['a/1: a', 'a/1: b', 'a/1: c', 'a/4: d']);
  });

  it('gives messages without a key another partition with each batch', async () => {
    const { send, clock, kafka } = open();
    kafka.isQuick = true;
    for (const round of ['a', 'b']) {
      send(`${round}1`);
      send(`${round}2`);
      await clock.run(0);
    }
    const partitions = kafka.producers[0]?.sent.map((line) => line.slice(0, 3));
    expect(kafka.producers[0]?.sent.map((line) => line.slice(5))).toEqual(['a1 a2', 'b1 b2']);
    expect(new Set(partitions).size).toBe(2);
  });

  it('sends to the topic of the message, one fixed topic, or one that is made of it; null is a tombstone', async () => {
    const own = open();
    own.kafka.topics.set('b', 1);
    own.kafka.isQuick = true;
    own.send(null, { topic: 'b', key: 'k' });
    const made = open({ topic: ({ key }) => key ?? '', key: () => undefined, partition: () => 0 });
    made.kafka.isQuick = true;
    made.send('x', { key: 'a' });
    await Promise.all([own.clock.run(0), made.clock.run(0)]);
    expect([own.kafka.producers[0]?.sent, made.kafka.producers[0]?.sent]).toEqual([['b/0: null'], ['a/0: x']]);
    expect(made.kafka.producers[0]?.batches[0]?.[0]?.records[0]?.key).toBeNull();
  });

  it('fails what cannot be sent, and sends the rest (SNK-06, SNK-08, S03)', async () => {
    const { send, clock, kafka, log, sink } = open({ maxBytes: 200, partition: ({ key }) => Number(key ?? 0) });
    kafka.isQuick = true;
    send('x', { topic: 'gone' });
    send('x', { topic: 'no name' });
    send('x'.repeat(201));
    send('x', { key: '7' });
    send('text');
    sink.next(recorder().message('text' as never, { topic: 'a' }));
    send('good');
    await clock.run(0);
    const told = log.map((line) => line.split(' ').slice(1).join(' '));
    expect(told.filter((line) => line.startsWith('dead')).sort()).toEqual([
      'dead PAYLOAD_TOO_LARGE',
      'dead UNROUTABLE',
      'dead UNROUTABLE',
      'dead UNROUTABLE',
    ]);
    expect(told.filter((line) => line === 'ack')).toHaveLength(2);
  });

  it('refuses what is no bytes', async () => {
    const { clock, sink } = open();
    const { message, log } = recorder();
    sink.next(message('text' as never, { topic: 'a' }));
    await clock.run(0);
    expect(log).toEqual(['text dead ENCODE_FAILED']);
  });

  it('sends again over another producer what was not confirmed, with the same id (SNK-02)', async () => {
    const { send, clock, kafka, log } = open({ partition: () => 0 });
    const { id } = send('a');
    await clock.run(0);
    kafka.producers[0]?.answer(Object.assign(new Error('reset'), { name: 'KafkaJSConnectionError' }));
    await clock.run(3_000);
    expect([kafka.producers.length, kafka.producers[0]?.isClosed, log]).toEqual([2, true, []]);
    const sent = kafka.producers.map(({ batches }) => batches[0]?.[0]?.records[0]?.headers['x-message-id']);
    expect(sent.map(String)).toEqual([id, id]);
    kafka.producers[1]?.answer();
    await clock.run(0);
    expect(log).toHaveLength(1);
  });

  it('finds the one that the broker refuses by sending each alone, and fails only that', async () => {
    const { send, clock, kafka, log } = open({ partition: () => 0, confirmTimeoutMs: 0 });
    for (const payload of 'abc') send(payload);
    await clock.run(0);
    kafka.producers[0]?.answer(refused('INVALID_RECORD'));
    await clock.run(3_000);
    expect(kafka.producers).toHaveLength(2);
    for (const error of [undefined, refused('INVALID_RECORD'), undefined]) {
      kafka.producers[1]?.answer(error);
      await clock.run(0);
    }
    expect(kafka.producers[1]?.sent).toEqual(['a/0: a', 'a/0: b', 'a/0: c']);
    expect(log.map((line) => line.split(' ').slice(1).join(' '))).toEqual(['ack', 'dead SINK_FAILED', 'ack']);
    send('d');
    send('e');
    await clock.run(0);
    expect(kafka.producers[1]?.sent.at(-1)).toBe('a/0: d e');
  });

  it('finds another partition for what goes to one that its topic no longer has, and fails it where the topic is gone (SNK-06)', async () => {
    const { send, clock, kafka, log } = open({ partition: (_, count) => count - 1 });
    send('a');
    await clock.run(0);
    kafka.topics.set('a', 1);
    kafka.producers[0]?.answer(refused('UNKNOWN_TOPIC_OR_PARTITION'));
    await clock.run(0);
    kafka.producers[0]?.answer();
    await clock.run(0);
    send('b');
    await clock.run(0);
    expect(kafka.producers[0]?.sent).toEqual(['a/1: a', 'a/0: a', 'a/0: b']);
    kafka.topics.delete('a');
    kafka.producers[0]?.answer(refused('UNKNOWN_TOPIC_OR_PARTITION'));
    await clock.run(0);
    expect(log.map((line) => line.split(' ').slice(1).join(' '))).toEqual(['ack', 'dead UNROUTABLE']);
  });

  it('opens anew when the client lost its connection, once', async () => {
    const { send, clock, kafka } = open({ partition: () => 0 });
    send('a');
    await clock.run(0);
    kafka.producers[0]?.events.lost(new Error('reset'));
    kafka.producers[0]?.events.lost(new Error('again'));
    await clock.run(3_000);
    expect(kafka.producers.length).toBe(2);
  });

  it('sends at once what lingers when it is completed, and closes after it was confirmed', async () => {
    const { send, clock, kafka, sink, log } = open({ partition: () => 0, lingerMs: 5_000 });
    send('a');
    await clock.run(0);
    sink.complete();
    await clock.run(0);
    expect([kafka.producers[0]?.sent, kafka.producers[0]?.isClosed]).toEqual([['a/0: a'], false]);
    kafka.producers[0]?.answer();
    await clock.run(0);
    await sink.closed;
    expect([log.length, kafka.producers[0]?.isClosed, clock.pendingTimers]).toEqual([1, true, 0]);
  });
});
