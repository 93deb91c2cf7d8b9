import { describe, expect, it } from 'vitest';
import { kafkaSource } from 'sluice/kafka';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';
import { fakeKafka } from '../helpers/kafka.js';

const good = { topics: ['a'], group: 'g' };

describe('kafkaSource', () => {
  it.each([
    [{}, `'topics' is missing`],
    [{ topics: ['a'] }, `'group' is missing`],
    [{ ...good, topics: [] }, 'expected an array of names of topics'],
    [{ ...good, topics: ['a b'] }, 'expected an array of names of topics'],
    [{ ...good, topic: 'a' }, `did you mean 'topics'?`],
    [{ ...good, from: 'start' }, 'expected one of earliest, latest'],
    [{ ...good, from: { timeMs: Number.NaN } }, `'from.timeMs': expected a whole number from 0`],
    [{ ...good, from: { offsets: 3 } }, `'from.offsets': expected an object`],
    [{ ...good, from: { offsets: { b: { 0: 3 } } } }, `'from.offsets': 'b' is none of the topics`],
    [{ ...good, from: { offsets: { a: 3 } } }, `'from.offsets' of 'a': expected whole numbers from 0`],
    [{ ...good, from: { offsets: { a: { x: 3 } } } }, `'from.offsets' of 'a': expected whole numbers from 0`],
    [{ ...good, from: { offsets: { a: { 0: 1.5 } } } }, `'from.offsets' of 'a': expected whole numbers from 0`],
    [{ ...good, from: { offsets: { a: { 0: -1 } } } }, `'from.offsets' of 'a': expected whole numbers from 0`],
    [{ ...good, from: { offsets: { a: { 0: 3, 1: 0 } } } }, undefined],
    [{ ...good, retryTopics: [{ topic: 'r' }] }, 'expected an array of { topic, delayMs }'],
    [{ ...good, deadTopic: 'a/b' }, 'expected the name of a topic'],
    [{ ...good, idHeader: true }, `'idHeader'`],
    [{ ...good, maxGap: 0 }, `'maxGap': expected a whole number from 1`],
    [{ ...good, commitEvery: 0 }, `'commitEvery': expected a whole number from 1`],
    [{ ...good, sessionTimeoutMs: 6_000 }, undefined],
    [{ ...good, sessionTimeoutMs: 6_000, revokeTimeoutMs: 4_000 }, 'at most half of sessionTimeoutMs'],
    [{ ...good, sessionTimeoutMs: 6_000, groupHeartbeatMs: 3_000 }, 'at most a third of sessionTimeoutMs'],
    [{ ...good, credit: -1 }, `'credit'`],
  ])('checks %j', (options, text) => {
    const make = (): unknown => kafkaSource(fakeKafka(virtualClock()).link, options as never);
    if (text === undefined) expect(make).not.toThrow();
    else expect(make).toThrow(text);
  });

  it('ends with an error when a topic is still not there after a while, and not before', async () => {
    const clock = virtualClock();
    const kafka = fakeKafka(clock);
    const { errors } = collect(kafkaSource(kafka.link, { topics: ['b'], group: 'g', clock }));
    await clock.run(2_900);
    expect(errors).toEqual([]);
    await clock.run(1_000);
    expect(errors).toMatchObject([{ code: 'CONFIG_INVALID', details: { type: 'UNKNOWN_TOPIC_OR_PARTITION' } }]);
  });

  it('ends with an error when it is to begin in a partition that is not there (S3.19)', async () => {
    const clock = virtualClock();
    const kafka = fakeKafka(clock);
    kafka.topics.set('a', 2);
    const { errors } = collect(kafkaSource(kafka.link, { ...good, from: { offsets: { a: { 1: 5, 2: 5 } } }, clock }));
    await clock.run(100);
    expect(errors).toMatchObject([{ code: 'CONFIG_INVALID', retriable: false }]);
    expect(String(errors)).toContain("'a' has no partition 2, only 0 to 1");
  });

  it('waits for a topic that was just made', async () => {
    const clock = virtualClock();
    const kafka = fakeKafka(clock);
    const { errors, subscription } = collect(kafkaSource(kafka.link, { topics: ['b'], group: 'g', clock }));
    await clock.run(1_000);
    kafka.topics.set('b', 1);
    await clock.runUntil(() => kafka.members.length > 0, 1_000);
    expect([kafka.members.length, errors]).toEqual([1, []]);
    subscription.unsubscribe();
  });

  it('is a member with the timing it was given', async () => {
    const clock = virtualClock();
    const kafka = fakeKafka(clock);
    const timing = { sessionTimeoutMs: 9_000, revokeTimeoutMs: 4_500, maxWaitMs: 10, maxBytesPerPartition: 2_048 };
    const { subscription } = collect(kafkaSource(kafka.link, { ...good, ...timing, clock }));
    await clock.runUntil(() => kafka.members.length > 0, 1_000);
    expect(kafka.members[0]?.plan).toMatchObject({
      group: 'g',
      topics: ['a'],
      former: [],
      sessionTimeoutMs: 9_000,
      heartbeatMs: 900,
      rebalanceTimeoutMs: 9_000,
      maxWaitMs: 10,
      maxBytesPerPartition: 2_048,
    });
    subscription.unsubscribe();
  });

  it('is up before a slow group lets it in, and takes out the member that it replaces', async () => {
    const clock = virtualClock();
    const kafka = fakeKafka(clock);
    const statuses: string[] = [];
    const { subscription } = collect(kafkaSource(kafka.link, { ...good, clock, connectTimeoutMs: 1_000 }));
    kafka.link.status$.subscribe((status) => statuses.push(status));
    await clock.run(2_000);
    expect([kafka.members.length, statuses.at(-1)]).toEqual([1, 'connected']);
    kafka.members[0]!.events.lost(new Error('reset'));
    // Its end takes long.
    Object.defineProperty(kafka.members[0], 'name', { get: () => 'member-1', set: () => undefined });
    await clock.run(60_000);
    expect(kafka.members[1]?.plan.former).toEqual(['member-1']);
    subscription.unsubscribe();
  });

  it('ends a member that is lost before it has partitions, and does not wait for them', async () => {
    const clock = virtualClock();
    const kafka = fakeKafka(clock);
    const { subscription } = collect(kafkaSource(kafka.link, { ...good, clock }));
    await clock.runUntil(() => kafka.members.length > 0, 1_000);
    kafka.members[0]!.events.lost(new Error('loading'));
    await clock.run(0);
    expect(kafka.members[0]!.isClosed).toBe(true);
    await clock.runUntil(() => kafka.members.length > 1, 5_000);
    expect(kafka.members[1]!.isClosed).toBe(false);
    subscription.unsubscribe();
  });

  it('takes a member out also when that learnt its name only while it was closed', async () => {
    const clock = virtualClock();
    const kafka = fakeKafka(clock);
    const { subscription } = collect(kafkaSource(kafka.link, { ...good, clock }));
    await clock.runUntil(() => kafka.members.length > 0, 1_000);
    const [first] = kafka.members;
    Object.defineProperty(first, 'name', { get: () => (first!.isClosed ? 'late' : undefined), set: () => undefined });
    first!.events.lost(new Error('reset'));
    await clock.runUntil(() => kafka.members.length > 1, 5_000);
    expect(kafka.members[1]!.plan.former).toEqual(['late']);
    subscription.unsubscribe();
  });
});
