import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { observe, SluiceError, type Flow, type SluiceEvent } from 'sluice';
import { kafkaSource, type KafkaMeta, type KafkaSourceOptions } from 'sluice/kafka';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { withScope, type SourceHandle } from '../../src/connection/scope.js';
import type { KafkaOutgoing } from '../../src/links/kafka-driver.js';
import { collect, type Collected } from '../helpers/collect.js';
import { fakeKafka, records, type FakeKafka, type FakeMember } from '../helpers/kafka.js';

interface Rig extends Collected<Uint8Array> {
  readonly clock: VirtualClock;
  readonly kafka: FakeKafka;
  readonly member: () => FakeMember;
  /** The group gives these partitions of topic `a`. */
  assign(partitions: readonly number[], isContinuous?: boolean): Promise<void>;
  /** The client brings what it fetched. */
  fetch(partition: number, offset: number, texts: string, topic?: string): Promise<void> | undefined;
  /** What came, as text. */
  readonly shown: () => string;
  readonly status: () => string | undefined;
}

async function open(options: Partial<KafkaSourceOptions> = {}, before?: (kafka: FakeKafka) => void): Promise<Rig> {
  const clock = virtualClock();
  const kafka = fakeKafka(clock);
  before?.(kafka);
  // Null only for who asks for `tombstones`, and knows.
  const flow = kafkaSource(kafka.link, { topics: ['a'], group: 'g', clock, ...options }) as Flow<Uint8Array>;
  let source: SourceHandle | undefined;
  const collected = withScope({ addSource: (one) => void (source = one) }, () => collect(flow));
  await clock.runUntil(() => kafka.members.length > 0, 1_000);
  const member = (): FakeMember => kafka.members.at(-1) as FakeMember;
  const rig: Rig = Object.assign(collected, {
    clock,
    kafka,
    member,
    async assign(partitions: readonly number[], isContinuous = false) {
      const done = member().events.assigned(
        partitions.map((partition) => ({ topic: 'a', partition })),
        isContinuous,
      );
      await clock.run(0);
      await done;
      await clock.run(0);
    },
    fetch: (partition: number, offset: number, texts: string, topic = 'a') =>
      member().events.fetched({
        topic,
        partition,
        records: records(offset, texts),
        nextOffset: offset + texts.length,
      }),
    shown: () => collected.payloads.map((payload) => String(payload)).join(''),
    status: () => source?.status,
  });
  await rig.assign([0, 1]);
  return rig;
}

const no = new Error('no');

describe('the reader of a group', () => {
  it('emits in the order of each partition, from each in turn', async () => {
    const { fetch, clock, shown, messages } = await open();
    void fetch(0, 0, 'abc');
    void fetch(1, 0, 'xyz');
    await clock.run(0);
    expect(shown()).toBe('axbycz');
    const meta = messages[1]?.meta as KafkaMeta;
    expect(meta).toEqual({ topic: 'a', partition: 1, offset: 0, key: Buffer.from('kx'), isTombstone: false });
    expect(messages[1]).toMatchObject({ topic: 'a', key: 'kx', id: 'a-1-0', timeMs: 1_000, attempt: 1 });
  });

  it('has the id that its producer gave, and its position where that is empty', async () => {
    const { clock, member, messages } = await open();
    const given = (offset: number, id: string): unknown =>
      member().events.fetched({
        topic: 'a',
        partition: 0,
        records: records(offset, 'a', { 'x-message-id': Buffer.from(id) }),
        nextOffset: offset + 1,
      });
    void given(0, 'own');
    void given(1, '');
    await clock.run(0);
    expect(messages.map(({ id }) => id)).toEqual(['own', 'a-0-1']);
  });

  it('believes what it writes for retries in its retry topics alone: anybody can write a header (S25)', async () => {
    const retryTopics = [{ topic: 'r', delayMs: 5 }];
    const { clock, member, messages } = await open({ retryTopics }, ({ topics }) => void topics.set('r', 1));
    const partitions = ['a', 'r'].map((topic) => ({ topic, partition: 0 }));
    void member().events.assigned(partitions, true);
    await clock.run(0);
    const named = {
      'x-retry-topic': Buffer.from('admin'),
      'x-retry-attempt': Buffer.from('7'),
      'x-retry-time': Buffer.from('5'),
    };
    for (const topic of ['a', 'r'])
      void member().events.fetched({ topic, partition: 0, records: records(0, topic, named), nextOffset: 1 });
    await clock.run(0);
    const told = messages.map(({ topic, attempt, timeMs, headers }) => ({ topic, attempt, timeMs, headers }));
    expect(told).toEqual([
      { topic: 'a', attempt: 1, timeMs: 1_000, headers: {} },
      { topic: 'admin', attempt: 7, timeMs: 5, headers: {} },
    ]);
  });

  it('takes a time that is none for none: a sender may write any number of 64 bits', async () => {
    const { clock, member, messages } = await open();
    const [record] = records(0, 'a');
    const of = (timeMs: number, at: number) => ({ ...record!, offset: at, timeMs });
    const times = [9.2e18, -9.2e18, 8.64e15].map(of);
    void member().events.fetched({ topic: 'a', partition: 0, records: times, nextOffset: 3 });
    await clock.run(0);
    expect(messages.map(({ timeMs }) => timeMs)).toEqual([-1, -1, 8.64e15]);
  });

  it('commits up to where all is settled, whatever the order, by time (ACK-12)', async () => {
    const { fetch, clock, member, messages } = await open();
    void fetch(0, 5, 'abcd');
    await clock.run(0);
    messages[3]?.ack();
    messages[1]?.ack();
    messages[0]?.nack(no, 'drop');
    await clock.run(999);
    expect(member().told.filter((line) => line.startsWith('commit'))).toEqual([]);
    await clock.run(1);
    expect(member().told.at(-1)).toBe('commit a/0 7');
    messages[2]?.ack();
    await clock.run(1_000);
    expect(member().told.at(-1)).toBe('commit a/0 9');
  });

  it('commits by count, and again what could not be committed', async () => {
    const { fetch, clock, member, messages, kafka } = await open({ commitEvery: 4 });
    void fetch(0, 0, 'abcdef');
    await clock.run(0);
    messages[0]?.ack();
    messages[1]?.ack();
    await clock.run(0);
    expect(member().told.at(-1)).toBe('commit a/0 2');
    kafka.failCommit = no;
    messages[2]?.ack();
    messages[3]?.ack();
    await clock.run(10);
    kafka.failCommit = undefined;
    await clock.run(1_000);
    expect(member().told.at(-1)).toBe('commit a/0 4');
  });

  it('is never further ahead of what is committed than its credit and commitEvery (SHU-08)', async () => {
    const { fetch, clock, shown, messages, kafka } = await open({ credit: 4, commitEvery: 2 });
    kafka.failCommit = no;
    void fetch(0, 0, 'abcdefghijkl');
    for (let acked = 0; acked < 12; acked += 1) {
      await clock.run(0);
      messages[acked]?.ack();
    }
    await clock.run(10);
    expect(shown()).toBe('abcdef');
    kafka.failCommit = undefined;
    await clock.run(1_000);
    expect(shown()).toBe('abcdefghij');
  });

  it('stays within its credit and commitEvery, and never stands still, however commits go and partitions are shared out', async () => {
    const count = 60;
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('fetch'), n: fc.integer({ min: 1, max: 15 }) }) },
      { weight: 10, arbitrary: fc.record({ do: fc.constant('settle'), n: fc.integer({ min: 1, max: 6 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('commitMs'), n: fc.constantFrom(0, 7, 14) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('fail'), n: fc.constantFrom(0, 1) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke'), n: fc.constant(0) }) },
    );
    const room = fc.integer({ min: 1, max: 12 });
    const property = async (credit: number, commitEvery: number, steps: { do: string; n: number }[]): Promise<void> => {
      const { fetch, assign, clock, messages, kafka, member } = await open({ credit, commitEvery });
      let [fetched, settled] = [0, 0];
      const more = (n: number): void => {
        void fetch(0, fetched, 'x'.repeat(n));
        fetched += n;
      };
      const settle = (n: number): void => {
        for (const message of messages.slice(settled, settled + n)) message.ack();
        settled = Math.min(messages.length, settled + n);
      };
      const committed = (): number => kafka.committed.get('g a/0') ?? 0;
      for (const { do: verb, n } of steps) {
        if (verb === 'fetch') more(Math.min(n, count - fetched));
        else if (verb === 'settle') settle(n);
        else if (verb === 'commitMs') kafka.commitMs = n;
        else if (verb === 'fail') kafka.failCommit = n === 0 ? undefined : no;
        else {
          let isRevoked = false;
          void Promise.resolve(member().events.revoking()).then(() => (isRevoked = true));
          settle(count);
          await clock.runUntil(() => isRevoked, 60_000);
          await assign([0, 1], true);
        }
        await clock.run(3);
        expect(messages.length - committed()).toBeLessThanOrEqual(credit + commitEvery);
      }
      kafka.failCommit = undefined;
      more(count - fetched);
      const read = (): boolean => {
        settle(count);
        return messages.length === count;
      };
      // A commit that failed is tried again after a second, and no other takes more than 14 ms.
      await clock.runUntil(() => read() && committed() === count, 1_000 + count * 14 + 1_000);
      expect(committed()).toBe(count);
    };
    await fc.assert(fc.asyncProperty(room, room, fc.array(step, { minLength: 50, maxLength: 150 }), property));
  });

  it('commits more at once where it has to wait for commits', async () => {
    const { fetch, clock, shown, messages, kafka, member } = await open({ credit: 8, commitEvery: 4 });
    kafka.commitMs = 10;
    void fetch(0, 0, 'abcdefghijklmnopqrstuvwxyz');
    let acked = 0;
    async function work(ms: number): Promise<void> {
      for (let at = 0; at < ms; at += 1) {
        while (acked < messages.length) messages[acked++]?.ack();
        await clock.run(1);
      }
    }
    await work(9);
    // The credit and what may be uncommitted.
    expect(shown()).toBe('abcdefghijkl');
    await work(50);
    expect(shown()).toBe('abcdefghijklmnopqrstuvwxyz');
    const commits = member().told.filter((line) => line.startsWith('commit'));
    expect(commits).toEqual(['commit a/0 2', 'commit a/0 12', 'commit a/0 21']);
  });

  it('fails when the group may not be told a position', async () => {
    const { fetch, clock, messages, kafka, errors } = await open({ commitEvery: 2 });
    kafka.failCommit = Object.assign(new Error('no'), { type: 'GROUP_AUTHORIZATION_FAILED' });
    void fetch(0, 0, 'ab');
    await clock.run(0);
    messages[0]?.ack();
    await clock.run(1_000);
    expect(errors).toMatchObject([{ code: 'AUTH_FAILED' }]);
  });

  it('commits past records that only brokers read, behind the last one of a batch', async () => {
    const { member, clock, messages } = await open();
    void member().events.fetched({ topic: 'a', partition: 0, records: records(0, 'ab'), nextOffset: 3 });
    await clock.run(0);
    for (const message of messages) message.ack();
    await clock.run(1_000);
    expect(member().told.at(-1)).toBe('commit a/0 3');
  });

  it('stops at its credit, and at the credit of a partition', async () => {
    const { fetch, clock, shown, messages } = await open({ credit: 4, creditPerPartition: 2 });
    void fetch(0, 0, 'abcd');
    await clock.run(0);
    expect(shown()).toBe('ab');
    void fetch(1, 0, 'xyz');
    await clock.run(0);
    expect(shown()).toBe('abxy');
    messages[2]?.ack();
    await clock.run(0);
    expect(shown()).toBe('abxyz');
    messages[0]?.ack();
    await clock.run(0);
    expect(shown()).toBe('abxyzc');
  });

  it('holds a partition back behind its maxGap, and the others not', async () => {
    const { fetch, clock, shown, messages } = await open({ maxGap: 2 });
    void fetch(0, 0, 'abcd');
    void fetch(1, 0, 'xyz');
    await clock.run(0);
    expect(shown()).toBe('axby');
    for (const message of messages.slice(1)) message.ack();
    await clock.run(0);
    expect(shown()).toBe('axbyz');
    messages[0]?.ack();
    await clock.run(0);
    expect(shown()).toBe('axbyzcd');
  });

  it('lets the client wait a moment for a slow partition, then pauses it, and resumes it when little is left', async () => {
    const { fetch, clock, member, messages } = await open({ credit: 1 });
    member().told.length = 0;
    let isDone = false;
    const held = fetch(0, 0, 'x'.repeat(600));
    void held?.then(() => (isDone = true));
    await clock.run(49);
    expect([isDone, member().told]).toEqual([false, []]);
    await clock.run(1);
    expect([isDone, member().told]).toEqual([true, ['pause a/0']]);
    for (let at = 0; at < 120; at += 1) {
      messages[at]?.ack();
      await clock.run(0);
    }
    expect(member().told.filter((line) => !line.startsWith('commit'))).toEqual(['pause a/0', 'resume a/0']);
    expect(fetch(0, 600, 'yz')).toBeUndefined();
  });

  it('pauses what has something waiting when too much waits in all', async () => {
    const { fetch, clock, member } = await open({ credit: 1, maxBufferedBytes: 1_024 });
    member().told.length = 0;
    void fetch(0, 0, 'x'.repeat(200));
    await clock.run(50);
    expect(member().told).toEqual([]);
    void fetch(1, 0, 'y'.repeat(200));
    await clock.run(0);
    expect(member().told).toEqual(['pause a/1']);
  });

  it('fetches no more, and emits no more, than headers leave room for (RES-01, CRD-11)', async () => {
    const { clock, member, messages } = await open({ creditBytes: 450_000 });
    member().told.length = 0;
    const large = records(0, 'abcde', { large: Buffer.alloc(200_000) });
    void member().events.fetched({ topic: 'a', partition: 0, records: large, nextOffset: 5 });
    await clock.run(50);
    expect([messages.length, member().told]).toEqual([2, ['pause a/0']]);
    messages[0]?.ack();
    await clock.run(0);
    expect(messages).toHaveLength(3);
  });

  it('delivers a requeued message again in place, after a wait that grows, and holds its partition meanwhile', async () => {
    const { fetch, clock, shown, messages } = await open({ requeueDelayMs: 100, maxRequeueDelayMs: 150 });
    void fetch(0, 0, 'ab');
    await clock.run(0);
    messages[0]?.nack(no);
    void fetch(0, 2, 'c');
    void fetch(1, 0, 'x');
    await clock.run(99);
    expect(shown()).toBe('abx');
    await clock.run(1);
    expect(shown()).toBe('abxac');
    messages[3]?.nack(no);
    await clock.run(149);
    expect(shown()).toBe('abxac');
    await clock.run(1);
    expect(messages.filter(({ id }) => id === 'a-0-0').map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  it('passes a dead message over where there is no topic for it', async () => {
    const { fetch, clock, messages, member } = await open();
    void fetch(0, 0, 'ab');
    await clock.run(0);
    messages[0]?.nack(no, 'dead');
    await clock.run(1_000);
    expect(member().told.at(-1)).toBe('commit a/0 1');
  });

  it('lets messages settle before it gives partitions back, and commits them (F14)', async () => {
    const { fetch, clock, messages, member, shown } = await open();
    void fetch(0, 0, 'ab');
    void fetch(1, 0, 'x');
    await clock.run(0);
    let isReady = false;
    void member()
      .events.revoking()
      .then(() => (isReady = true));
    void fetch(0, 2, 'c');
    await clock.run(100);
    expect([isReady, shown()]).toEqual([false, 'axb']);
    for (const message of messages) message.ack();
    await clock.run(0);
    expect(isReady).toBe(true);
    expect(member().told.slice(-2)).toEqual(['commit a/0 2', 'commit a/1 1']);
  });

  it('commits nothing between giving partitions back and having others (ACK-12)', async () => {
    const { fetch, clock, messages, member, assign, kafka } = await open({ revokeTimeoutMs: 10 });
    void fetch(0, 0, 'ab');
    await clock.run(0);
    messages[0]?.ack();
    kafka.failCommit = no;
    void member().events.revoking();
    await clock.run(10);
    kafka.failCommit = undefined;
    member().told.length = 0;
    messages[1]?.ack();
    await clock.run(3_000);
    expect(member().told).toEqual([]);
    await assign([0], true);
    await clock.run(1_000);
    expect(member().told.at(-1)).toBe('commit a/0 2');
  });

  it('waits no longer for that than revokeTimeoutMs', async () => {
    const { fetch, clock, member } = await open({ revokeTimeoutMs: 700 });
    void fetch(0, 0, 'a');
    await clock.run(0);
    let isReady = false;
    void member()
      .events.revoking()
      .then(() => (isReady = true));
    await clock.run(699);
    expect(isReady).toBe(false);
    await clock.run(1);
    expect(isReady).toBe(true);
  });

  it('keeps what stays with it over a rebalance, and takes back what went to another member (REC-10, ACK-04)', async () => {
    const { fetch, clock, messages, member, assign, kafka, shown } = await open({ revokeTimeoutMs: 10 });
    void fetch(0, 0, 'ab');
    void fetch(1, 0, 'xy');
    await clock.run(0);
    void member().events.revoking();
    await clock.run(10);
    member().told.length = 0;
    await assign([0], true);
    expect(member().told).toEqual(['seek a/0 2', 'resume a/0']);
    expect(messages.map((message) => message.ack())).toEqual([true, false, true, false]);
    await clock.run(1_000);
    expect(kafka.committed).toEqual(new Map([['g a/0', 2]]));
    void fetch(0, 2, 'c');
    void fetch(1, 2, 'z');
    await clock.run(0);
    expect(shown()).toBe('axbyc');
  });

  it('begins anew everywhere where another member may have been in between', async () => {
    const { fetch, clock, messages, member, assign, kafka } = await open({ revokeTimeoutMs: 10 });
    void fetch(0, 0, 'ab');
    await clock.run(0);
    kafka.committed.set('g a/0', 1);
    member().told.length = 0;
    await assign([0, 1], false);
    expect(member().told).toEqual(['seek a/0 1', 'resume a/0', 'seek a/1 0', 'resume a/1']);
    expect(messages.map((message) => message.ack())).toEqual([false, false]);
  });

  it('commits what is settled when it is unsubscribed, and leaves its group', async () => {
    const { fetch, clock, messages, member, subscription } = await open();
    void fetch(0, 0, 'ab');
    await clock.run(0);
    subscription.unsubscribe();
    for (const message of messages) message.ack();
    await clock.run(10);
    expect(member().told.slice(-3)).toEqual(['pause a/0', 'pause a/1', 'commit a/0 2']);
    expect(member().isClosed).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it('joins again after a loss, in place of the member that was lost, and delivers from the commit on (REC-04)', async () => {
    const { fetch, clock, messages, member, assign, kafka, shown } = await open();
    void fetch(0, 0, 'ab');
    await clock.run(0);
    messages[0]?.ack();
    kafka.failCommit = no;
    member().events.lost(Object.assign(new Error('reset'), { name: 'KafkaJSConnectionError' }));
    await clock.run(60_000);
    kafka.failCommit = undefined;
    expect(kafka.members).toHaveLength(2);
    await assign([0]);
    expect(messages[1]?.ack()).toBe(false);
    void fetch(0, 0, 'ab');
    await clock.run(0);
    expect(shown()).toBe('abab');
  });

  it('ends the flow with what no second try repairs', async () => {
    const { member, clock, errors } = await open();
    member().events.lost(Object.assign(new Error('no'), { type: 'GROUP_AUTHORIZATION_FAILED' }));
    await clock.run(0);
    expect(errors).toMatchObject([{ code: 'AUTH_FAILED' }]);
  });

  it('sends a dead message to its topic with the reason, and moves on once that is confirmed (ERR-02)', async () => {
    const { fetch, clock, messages, member, kafka } = await open({ deadTopic: 'dead' }, ({ topics }) =>
      topics.set('dead', 1),
    );
    kafka.isQuick = false;
    void fetch(0, 7, 'ab');
    await clock.run(0);
    messages[0]?.nack(new Error('bad row'), 'dead');
    messages[1]?.ack();
    await clock.run(5_000);
    const [producer] = kafka.producers;
    expect(producer?.sent).toEqual(['dead/0: a']);
    const [record] = producer?.batches[0]?.[0]?.records ?? [];
    expect(String(record?.key)).toBe('ka');
    expect(
      Object.fromEntries(Object.entries(record?.headers ?? {}).map(([name, value]) => [name, String(value)])),
    ).toMatchObject({
      'x-dead-reason': 'bad row',
      'x-dead-topic': 'a',
      'x-dead-attempt': '1',
      'x-dead-position': 'topic a, partition 0, offset 7',
      'x-message-id': 'a-0-7',
    });
    expect(member().told.filter((line) => line.startsWith('commit'))).toEqual([]);
    producer?.answer();
    await clock.run(1_000);
    expect(member().told.at(-1)).toBe('commit a/0 9');
  });

  it('tries a dead letter again and again over new producers, says so, and loses nothing (ERR-05)', async () => {
    const { fetch, clock, messages, member, kafka } = await open({ deadTopic: 'dead' }, ({ topics }) =>
      topics.set('dead', 1),
    );
    const events: SluiceEvent[] = [];
    const stop = observe((event) => void events.push(event));
    kafka.isQuick = false;
    void fetch(0, 0, 'a');
    await clock.run(0);
    messages[0]?.nack(no, 'dead');
    for (let at = 0; at < 3; at += 1) {
      await clock.run(6_000);
      kafka.producers.at(-1)?.answer(new Error('down'));
      await clock.run(0);
    }
    await clock.run(6_000);
    stop();
    expect(kafka.producers.map(({ isClosed }) => isClosed)).toEqual([true, true, true, false]);
    expect(events.filter(({ type }) => type === 'stage.failed')).toHaveLength(3);
    expect(member().told.filter((line) => line.startsWith('commit'))).toEqual([]);
    kafka.producers.at(-1)?.answer();
    await clock.run(1_000);
    expect(member().told.at(-1)).toBe('commit a/0 1');
  });

  it('holds up no other dead letter for one that is refused, nor for a topic that is not there (ERR-05)', async () => {
    const retryTopics = [{ topic: 'r', delayMs: 1 }];
    const { fetch, clock, messages, kafka } = await open({ deadTopic: 'dead', retryTopics }, ({ topics }) => {
      topics.set('dead', 1).set('r', 1);
    });
    kafka.topics.delete('r');
    kafka.isQuick = false;
    void fetch(0, 0, 'abcd');
    await clock.run(0);
    messages[0]?.nack(no);
    for (const message of messages.slice(1)) message.nack(no, 'dead');
    await clock.run(100);
    const tooLarge = Object.assign(new Error('large'), { type: 'MESSAGE_TOO_LARGE' });
    for (const answer of [tooLarge, undefined, tooLarge, undefined]) {
      kafka.producers.at(-1)?.answer(answer);
      await clock.run(0);
    }
    const sent = kafka.producers.flatMap((producer) => producer.sent);
    expect(sent.slice(0, 4)).toEqual(['dead/0: b c d', 'dead/0: b', 'dead/0: c', 'dead/0: d']);
    // Both are tried again, and nothing is lost.
    kafka.topics.set('r', 1);
    kafka.isQuick = true;
    await clock.run(6_000);
    expect(
      kafka.producers
        .flatMap((producer) => producer.sent)
        .slice(4)
        .toSorted(),
    ).toEqual(['dead/0: c', 'r/0: a']);
  });

  it('sends the first bytes of what is longer than maxBytes to the dead topic, once, and moves on (S03, B10, F11)', async () => {
    const rig = await open({ maxBytes: 2, deadTopic: 'dead', credit: 2 }, ({ topics }) => topics.set('dead', 1));
    const { member, clock, messages, kafka, shown } = rig;
    const values = ['a', 'long', 'bb', ''].map((text) => Buffer.from(text));
    const given = records(0, 'abcd').map((record, at) => ({ ...record, value: values[at] as Buffer }));
    void member().events.fetched({ topic: 'a', partition: 0, records: given, nextOffset: 4 });
    await clock.run(0);
    for (let at = 0; at < 3; at += 1) {
      messages[at]?.ack();
      await clock.run(0);
    }
    await clock.run(1_000);
    expect([shown(), kafka.producers[0]?.sent, member().told.at(-1)]).toEqual(['abb', ['dead/0: lo'], 'commit a/0 4']);
    const [letter] = kafka.producers[0]?.batches[0]?.[0]?.records ?? [];
    expect(String(letter?.headers['x-dead-code'])).toBe('PAYLOAD_TOO_LARGE');
    expect(String(letter?.headers['x-dead-position'])).toBe('topic a, partition 0, offset 1');
  });

  it('takes a batch that cannot be unpacked for one dead letter at its end (S04, B11)', async () => {
    const rig = await open({ maxBytes: 2, deadTopic: 'dead' }, ({ topics }) => topics.set('dead', 1));
    const { member, clock, messages, kafka } = rig;
    const refusal = new SluiceError('PAYLOAD_TOO_LARGE', 'unpacks to too much');
    const [batch, ...rest] = records(41, 'xy').map((record, at) => (at === 0 ? { ...record, refusal } : record));
    const packed = { ...batch!, key: null, value: Buffer.from('packed') };
    void member().events.fetched({ topic: 'a', partition: 0, records: [packed, ...rest], nextOffset: 43 });
    await clock.run(0);
    messages[0]?.ack();
    await clock.run(1_000);
    expect([kafka.producers[0]?.sent, member().told.at(-1)]).toEqual([['dead/0: packed'], 'commit a/0 43']);
    expect(String(kafka.producers[0]?.batches[0]?.[0]?.records[0]?.headers['x-dead-reason'])).toBe(refusal.message);
  });

  it('passes over what is longer than maxBytes where there is no dead topic, and says so (B10)', async () => {
    const events: SluiceEvent[] = [];
    const stop = observe((event) => void events.push(event));
    const { fetch, clock, member, shown } = await open({ maxBytes: 1, creditPerPartition: 1 });
    const [record] = records(0, 'a');
    const long = { ...record!, value: Buffer.from('long') };
    void member().events.fetched({ topic: 'a', partition: 0, records: [long], nextOffset: 1 });
    void fetch(0, 1, 'b');
    await clock.run(1_000);
    stop();
    expect([shown(), member().told.at(-1)]).toEqual(['b', 'commit a/0 1']);
    expect(events.filter(({ type }) => type === 'message.nacked')).toMatchObject([
      { then: 'dead', reason: { code: 'PAYLOAD_TOO_LARGE' }, message: { id: 'a-0-0', attempt: 1 } },
    ]);
  });

  it('puts no more dead letters into one batch than brokers take', async () => {
    const { member, clock, messages, kafka } = await open({ deadTopic: 'dead' }, ({ topics }) => topics.set('dead', 1));
    const value = Buffer.alloc(400_000);
    const large = records(0, 'abcde').map((record) => ({ ...record, value }));
    void member().events.fetched({ topic: 'a', partition: 0, records: large, nextOffset: 5 });
    await clock.run(0);
    for (const message of messages) message.nack(no, 'dead');
    await clock.run(100);
    expect(kafka.producers[0]?.batches.map(([batch]) => batch?.records.length)).toEqual([1, 2, 2]);
  });

  it('sends a requeued message through the retry topics, reads it there when it is due, and then it is dead (ERR-04)', async () => {
    const retryTopics = [
      { topic: 'r1', delayMs: 1_000 },
      { topic: 'r2', delayMs: 5_000 },
    ];
    const rig = await open({ retryTopics, deadTopic: 'dead', maxAttempts: 3 }, ({ topics }) => {
      for (const name of ['r1', 'r2', 'dead']) topics.set(name, 1);
    });
    const { clock, messages, member, kafka, fetch } = rig;
    expect(member().plan.topics).toEqual(['a', 'r1', 'r2']);
    const all = ['a', 'r1', 'r2'].map((topic) => ({ topic, partition: 0 }));
    await Promise.all([member().events.assigned(all, false), clock.run(0)]);
    void fetch(0, 3, 'a');
    await clock.run(0);
    for (const [at, topic] of ['r1', 'r2'].entries()) {
      messages[at]?.nack(no);
      await clock.run(10);
      const sent = kafka.producers[0]?.batches.at(-1)?.[0];
      expect(sent?.topic).toBe(topic);
      const { headers, key, value } = sent?.records[0] ?? { headers: {}, key: null, value: null };
      const fetched = [{ offset: 0, timeMs: 0, key, value, headers, bytes: 0 }];
      void member().events.fetched({ topic, partition: 0, records: fetched, nextOffset: 1 });
      const delayMs = retryTopics[at]?.delayMs ?? 0;
      await clock.run(delayMs - 50);
      expect(messages).toHaveLength(at + 1);
      await clock.run(60);
      expect(messages[at + 1]).toMatchObject({ topic: 'a', attempt: at + 2, id: 'a-0-3', headers: {} });
      expect(messages[at + 1]?.meta).toMatchObject({ topic, offset: 0 });
    }
    messages[2]?.nack(no);
    await clock.run(2_000);
    const letter = kafka.producers[0]?.batches.at(-1)?.[0];
    expect(letter?.topic).toBe('dead');
    expect(Object.keys(letter?.records[0]?.headers ?? {})).not.toContain('x-retry-due');
    expect(String(letter?.records[0]?.headers['x-dead-topic'])).toBe('a');
    expect([...kafka.committed]).toEqual([
      ['g a/0', 4],
      ['g r1/0', 1],
      ['g r2/0', 1],
    ]);
  });

  it('has the age of a message in another topic counted from when it came there, and keeps the time of the message (ERR-02)', async () => {
    const retryTopics = [{ topic: 'r', delayMs: 1_000 }];
    const { clock, messages, member, kafka, fetch } = await open({ retryTopics, deadTopic: 'dead' }, ({ topics }) => {
      for (const name of ['r', 'dead']) topics.set(name, 1);
    });
    const both = ['a', 'r'].map((topic) => ({ topic, partition: 0 }));
    await Promise.all([member().events.assigned(both, false), clock.run(0)]);
    void fetch(0, 3, 'a');
    await clock.run(0);
    const sent = (): KafkaOutgoing => kafka.producers[0]?.batches.at(-1)?.[0]?.records[0] as KafkaOutgoing;
    const toRetryMs = clock.now();
    messages[0]?.nack(no);
    await clock.run(10);
    expect(sent().timeMs).toBe(toRetryMs);
    const { key, value, headers } = sent();
    const fetched = [{ offset: 0, timeMs: toRetryMs, key, value, headers, bytes: 0 }];
    void member().events.fetched({ topic: 'r', partition: 0, records: fetched, nextOffset: 1 });
    await clock.run(2_000);
    expect(messages[1]).toMatchObject({ topic: 'a', timeMs: 1_003, headers: {} });
    const toDeadMs = clock.now();
    messages[1]?.nack(no, 'dead');
    await clock.run(10);
    expect([sent().timeMs, String(sent().headers['x-dead-time'])]).toEqual([toDeadMs, '1003']);
  });
});

describe('a tombstone (B22)', () => {
  it('is a message with no bytes, or null where that is asked for', async () => {
    const plain = await open();
    void plain.fetch(0, 0, '-');
    await plain.clock.run(0);
    expect([plain.payloads[0]?.length, (plain.messages[0]?.meta as KafkaMeta).isTombstone]).toEqual([0, true]);
    const asked = await open({ tombstones: true });
    void asked.fetch(0, 0, '-');
    await asked.clock.run(0);
    expect([asked.payloads[0], asked.messages[0]?.key]).toEqual([null, 'k-']);
  });
});

describe('where a group begins', () => {
  const seeks = ({ member }: Rig): string[] => member().told.filter((line) => line.startsWith('seek'));

  it('is its commit, and else the first message that is kept, or the next one', async () => {
    const before = ({ committed }: FakeKafka): void => void committed.set('g a/1', 42);
    expect(seeks(await open({}, before))).toEqual(['seek a/0 0', 'seek a/1 42']);
    expect(seeks(await open({ from: 'latest' }, before))).toEqual(['seek a/0 100', 'seek a/1 42']);
  });

  it('is the first message of a time, or an offset', async () => {
    const before = ({ offsets }: FakeKafka): void => void offsets.set(5_000, 7);
    expect(seeks(await open({ from: { timeMs: 5_000 } }, before))).toEqual(['seek a/0 7', 'seek a/1 7']);
    expect(seeks(await open({ from: { offsets: { a: { 1: 9 } } } }))).toEqual(['seek a/0 0', 'seek a/1 9']);
  });

  it('is the first message of partitions that are added to a topic while it is read from the latest on', async () => {
    const rig = await open({ from: 'latest' }, ({ committed }) => void committed.set('g a/0', 7));
    rig.kafka.topics.set('a', 3);
    rig.kafka.committed.delete('g a/1');
    await rig.assign([1, 2]);
    expect(seeks(rig)).toEqual(['seek a/0 7', 'seek a/1 100', 'seek a/1 100', 'seek a/2 0']);
    // Also over another connection.
    rig.member().events.lost(no);
    await rig.clock.runUntil(() => rig.kafka.members.length === 2, 10_000);
    rig.kafka.committed.delete('g a/2');
    await rig.assign([2]);
    expect(seeks(rig)).toEqual(['seek a/2 0']);
  });

  it('is committed before anything is emitted, as who comes after a crash looks for it anew, and behind that', async () => {
    const { clock, kafka, fetch, shown } = await open({ from: 'latest' }, (one) => void (one.commitMs = 50));
    void fetch(0, 100, 'ab');
    await clock.run(49);
    expect([shown(), [...kafka.committed]]).toEqual(['', []]);
    await clock.run(1);
    expect(shown()).toBe('ab');
    expect([...kafka.committed]).toEqual([
      ['g a/0', 100],
      ['g a/1', 100],
    ]);
    const earliest = await open();
    await earliest.clock.run(1_000);
    expect([...earliest.kafka.committed]).toEqual([]);
  });

  it.each([{ timeMs: 5_000 }, { offsets: { a: { 0: 0 } } }, 'latest'] as const)(
    'holds what follows %j back until it could be committed, and the member is there only then',
    async (from) => {
      const { clock, kafka, fetch, shown, status } = await open({ from }, (one) => void (one.failCommit = no));
      void fetch(0, 0, 'ab');
      await clock.run(3_500);
      expect([shown(), status()]).toEqual(['', 'connecting']);
      kafka.failCommit = undefined;
      await clock.run(500);
      expect([shown(), status()]).toEqual(['ab', 'connected']);
    },
  );

  it('is committed by the member itself where the rest is committed in transactions', async () => {
    const { clock, kafka, fetch, shown, messages } = await open({ from: 'latest', transactional: true });
    void fetch(0, 100, 'ab');
    await clock.run(0);
    expect(shown()).toBe('ab');
    for (const message of messages) message.ack();
    await clock.run(5_000);
    expect([...kafka.committed.values()]).toEqual([100, 100]);
  });

  it('is committed again where the client has taken it back, because it is not kept', async () => {
    const { clock, kafka, member, shown } = await open({ from: 'latest' });
    kafka.committed.clear();
    kafka.commitMs = 50;
    void member().events.fetched({
      topic: 'a',
      partition: 0,
      records: records(200, 'ab'),
      nextOffset: 202,
      isReset: true,
    });
    await clock.run(49);
    expect(shown()).toBe('');
    await clock.run(1);
    expect([shown(), [...kafka.committed]]).toEqual(['ab', [['g a/0', 100]]]);
  });

  it('is not committed again by the member where what was settled is committed in transactions', async () => {
    const { clock, kafka, member, fetch, messages, shown } = await open({ transactional: true });
    void fetch(0, 0, 'ab');
    await clock.run(0);
    for (const message of messages) message.ack();
    void member().events.fetched({
      topic: 'a',
      partition: 0,
      records: records(9, 'c'),
      nextOffset: 10,
      isReset: true,
    });
    await clock.run(5_000);
    expect([shown(), [...kafka.committed]]).toEqual(['abc', []]);
  });

  it('is that of the partitions that were given last, however long it takes to find for earlier ones', async () => {
    const { clock, kafka, member, fetch, shown } = await open();
    member().told.length = 0;
    kafka.committedMs = [100, 10];
    const given = (...ids: number[]): Promise<void> =>
      member().events.assigned(
        ids.map((partition) => ({ topic: 'a', partition })),
        false,
      );
    const both = [given(0), given(1)];
    await clock.run(200);
    await Promise.all(both);
    expect(member().told).toEqual(['seek a/1 0', 'resume a/1']);
    void fetch(0, 0, 'ab');
    void fetch(1, 0, 'xy');
    await clock.run(0);
    expect(shown()).toBe('xy');
  });

  it('is not found for partitions that are wanted back meanwhile', async () => {
    const { clock, kafka, member, fetch, shown } = await open();
    member().told.length = 0;
    kafka.committedMs = [100];
    const given = member().events.assigned([{ topic: 'a', partition: 0 }], false);
    await member().events.revoking();
    await clock.run(200);
    await given;
    void fetch(0, 0, 'ab');
    await clock.run(0);
    expect([member().told, shown()]).toEqual([[], '']);
  });

  it('is there once more with replay: once for each partition, and again only until that is committed', async () => {
    const rig = await open({ replay: true }, ({ committed }) => void committed.set('g a/0', 50).set('g a/1', 60));
    expect(seeks(rig)).toEqual(['seek a/0 0', 'seek a/1 0']);
    rig.member().told.length = 0;
    await rig.assign([0, 1]);
    expect(seeks(rig)).toEqual(['seek a/0 0', 'seek a/1 0']);
    await rig.clock.run(1_000);
    expect([...rig.kafka.committed.values()]).toEqual([0, 0]);
    void rig.fetch(0, 0, 'ab');
    await rig.clock.run(0);
    for (const message of rig.messages) message.ack();
    await rig.clock.run(1_000);
    rig.member().told.length = 0;
    await rig.assign([0, 1]);
    expect(seeks(rig)).toEqual(['seek a/0 2', 'seek a/1 0']);
  });
});
