import { expect, it, onTestFinished } from 'vitest';
import { seededRandom } from 'sluice/testing';
import { brokerSuite } from '../brokers/broker-suite.js';
import { rabbitmq } from '../brokers/rabbitmq.js';
import { members, stopped } from '../chaos/members.js';
import { amqpAdmin, type AmqpAdmin } from '../helpers/amqp-admin.js';
import { childProgram, type Child } from '../helpers/child-program.js';
import { until } from '../helpers/until.js';

const CREDIT = 32;

/** Moves messages from one queue to another, works on each for a while, on some for long. */
const BRIDGE = `
import { each, run } from 'sluice';
import { amqpLink, amqpSink, amqpSource } from 'sluice/amqp';
import { onSignal } from 'sluice/on-signal';
const [url, from, to, workMs, slowMs] = process.argv.slice(2);
const link = amqpLink({ url });
let seen = 0;
const work = (payload) => new Promise((resolve) => {
  if ((seen += 1) === 50) console.log('at work');
  setTimeout(resolve, seen % 100 === 0 ? Number(slowMs) : Math.random() * Number(workMs), payload);
});
const moved = run(
  amqpSource(link, { queue: from, credit: ${CREDIT} }).pipe(each(work, { concurrency: ${CREDIT} })),
  amqpSink(link, { exchange: '', routingKey: to }),
);
onSignal(moved, { onStopped: (report) => console.log('unfinished ' + report.unfinished.length) });
await moved.done;
`;

const ids = (count: number): string[] => Array.from({ length: count }, (_, at) => `m${at}`);

async function queues(admin: AmqpAdmin, name: string, messages: readonly string[]): Promise<[string, string]> {
  const [from, to] = [`${name} in`, `${name} out`] as const;
  await admin.with(async (channel) => {
    for (const queue of [from, to])
      await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'classic' } });
  });
  await admin.put(from, ...messages);
  return [from, to];
}

/** What arrived, by text: how often. */
async function arrived(admin: AmqpAdmin, queue: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { content } of await admin.drain(queue))
    counts.set(content.toString(), (counts.get(content.toString()) ?? 0) + 1);
  return counts;
}

brokerSuite('AMQP in processes of their own', rabbitmq, (broker) => {
  async function bridge(from: string, to: string, workMs: number, slowMs: number): Promise<() => Child> {
    const program = await childProgram(BRIDGE);
    const started: Child[] = [];
    onTestFinished(() => {
      for (const child of started) child.process.kill('SIGKILL');
    });
    return () => {
      const child = program.start(broker().url, from, to, String(workMs), String(slowMs));
      started.push(child);
      return child;
    };
  }

  it('ends within 5 s of a SIGTERM under load with exit code 0: nothing lost, nothing twice (SHU-02, G7)', async () => {
    const admin = amqpAdmin(broker().url);
    const all = ids(2_000);
    const [from, to] = await queues(admin, 'term', all);
    const start = await bridge(from, to, 40, 2_000);
    for (let round = 0; round < 4; round += 1) {
      const child = start();
      await child.says('at work');
      const moved = await admin.depth(to);
      await until(async () => expect(await admin.depth(to)).toBeGreaterThan(moved + 40 * round));
      const { code, ms } = await stopped(child);
      expect([code, child.said.match(/unfinished \d+/)?.[0]]).toEqual([0, 'unfinished 0']);
      expect(ms).toBeLessThanOrEqual(5_000);
    }
    expect(await admin.depth(from), 'it was under load to the end').toBeGreaterThan(0);
    const rest = start();
    await until(async () => expect(await admin.depth(to)).toBeGreaterThanOrEqual(all.length));
    await stopped(rest);
    const counts = await arrived(admin, to);
    expect([counts.size, [...counts.values()].filter((count) => count > 1)]).toEqual([all.length, []]);
  });

  it('loses nothing while readers of one queue join and leave, in order or by a kill (S3.23, F14, F15, SHU-08)', async () => {
    const admin = amqpAdmin(broker().url);
    const all = ids(12_000);
    const [from, to] = await queues(admin, 'members', all);
    const start = await bridge(from, to, 200, 400);
    const { kills, stops, working } = await members({
      start,
      atWork: 'at work',
      count: 3,
      changes: 8,
      random: seededRandom(20_261_127),
    });
    expect(await admin.depth(from), 'there was work for all').toBeGreaterThan(0);
    expect([kills > 1, stops.length > 1, new Set(stops.map(({ code }) => code))]).toEqual([true, true, new Set([0])]);
    await until(async () => expect(await admin.depth(from)).toBe(0));
    const shares = working.map((child) => child.said.includes('at work'));
    for (const child of working) expect((await stopped(child)).code).toBe(0);
    const counts = await arrived(admin, to);
    const twice = [...counts.values()].reduce((sum, count) => sum + count - 1, 0);
    expect([counts.size, shares]).toEqual([all.length, [true, true, true]]);
    expect(twice).toBeLessThanOrEqual(kills * CREDIT);
  });
});
