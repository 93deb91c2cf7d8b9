import { expect, it } from 'vitest';
import { isSluiceError, observe } from 'sluice';
import { kafkaSource } from 'sluice/kafka';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { unanswered } from '../../src/links/kafka-errors.js';
import { collect } from '../helpers/collect.js';
import { fakeKafka, records, type FakeKafka, type FakeMember } from '../helpers/kafka.js';

interface Rig {
  readonly clock: VirtualClock;
  readonly kafka: FakeKafka;
  readonly member: FakeMember;
  /** Why it opened again. */
  readonly reasons: unknown[];
}

/** A member that has read its two partitions up to offset 90 of 100. */
async function open(): Promise<Rig> {
  const clock = virtualClock();
  const kafka = fakeKafka(clock);
  const reasons: unknown[] = [];
  const stop = observe((event) => {
    if (event.type === 'status.changed' && event.to === 'reconnecting' && isSluiceError(event.reason))
      reasons.push(event.reason.code);
  });
  const { subscription } = collect(kafkaSource(kafka.link, { topics: ['a'], group: 'g', clock }), (message) => {
    message.ack();
  });
  subscription.add(stop);
  await clock.runUntil(() => kafka.members.length > 0, 1_000);
  const member = kafka.members[0] as FakeMember;
  member.readTo = 90;
  await assign(clock, member);
  return { clock, kafka, member, reasons };
}

async function assign(clock: VirtualClock, { events }: FakeMember): Promise<void> {
  const both = [0, 1].map((partition) => ({ topic: 'a', partition }));
  const done = events.assigned(both, false);
  await clock.run(0);
  await done;
}

it('finds within 30 s that partitions have more than the client reads, and opens again (REC-06, G9)', async () => {
  const { clock, kafka, reasons } = await open();
  await clock.run(30_000);
  expect([reasons, kafka.members.length]).toEqual([['STALLED'], 2]);
});

it.each([
  ['all is read', ({ member }: Rig) => void (member.readTo = 100)],
  ['the topic is gone', ({ kafka }: Rig) => void kafka.topics.delete('a')],
  ['partitions are given back', ({ member }: Rig) => void member.events.revoking()],
])('leaves a reader alone that gets nothing because %s', async (_, begin) => {
  const rig = await open();
  begin(rig);
  await rig.clock.run(120_000);
  expect([rig.reasons, rig.kafka.members.length]).toEqual([[], 1]);
});

it('leaves a reader alone whose client passes over what only brokers read', async () => {
  const { clock, kafka, member, reasons } = await open();
  kafka.offsets.set('latest', 1_000);
  for (let at = 0; at < 100; at += 1) {
    member.readTo = 90 + at;
    await clock.run(1_000);
  }
  expect(reasons).toEqual([]);
});

it('leaves a reader alone that holds what is fetched until it may emit it', async () => {
  const { clock, kafka, member, reasons } = await open();
  kafka.failCommit = new Error('no');
  for (const partition of [0, 1])
    void member.events.fetched({ topic: 'a', partition, records: records(0, 'y'.repeat(600)), nextOffset: 600 });
  await clock.run(60_000);
  expect(reasons).toEqual([]);
});

it.each([
  ['STALLED, where the cluster gives a sign of life', false, 'STALLED'],
  ['PEER_LOST, where it does not', true, 'PEER_LOST'],
])('says of a request without an answer %s', async (_, isSilent, code) => {
  const { clock, kafka, member, reasons } = await open();
  kafka.isSilent = isSilent;
  member.events.lost(unanswered());
  await clock.run(1_000);
  expect(reasons).toEqual([code]);
});
