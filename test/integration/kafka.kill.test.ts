import { Kafka, logLevel } from 'kafkajs';
import { beforeEach, expect, it } from 'vitest';
import { fromAsyncIterable, run, type Message } from 'sluice';
import { kafkaLink, kafkaSink, type KafkaDriverName } from 'sluice/kafka';
import { seededRandom } from 'sluice/testing';
import { brokerSuite } from '../brokers/broker-suite.js';
import { kafka, type KafkaBroker } from '../brokers/kafka.js';
import { childProgram } from '../helpers/child-program.js';
import { kafkaAdmin, lagOf, makeTopic } from '../helpers/kafka-admin.js';
import { LONG_RUN_DRIVERS } from '../helpers/kafka-drivers.js';
import { lasts } from '../helpers/lasts.js';
import { until } from '../helpers/until.js';

/** The defaults. */
const CREDIT = 500;
const COMMIT_EVERY = 100;
const PARTITIONS = 4;
const MAX_GAP = 10_000;
/** How the work is done, and what comes again at most. What is settled out of order does as well: there the gap has to be small. */
const ORDERS = {
  kept: { maxGap: MAX_GAP, allowed: CREDIT + COMMIT_EVERY },
  any: { maxGap: 50, allowed: CREDIT + COMMIT_EVERY + PARTITIONS * 49 },
};

/**
 * Copies a topic, says of each message where it was, and works on several at once. Most take no time, one in fifty `slowMs`;
 * where the order is to be kept all take the same.
 */
const COPY = `
import { each, run } from 'sluice';
import { kafkaLink, kafkaSink, kafkaSource } from 'sluice/kafka';
import { onSignal } from 'sluice/on-signal';
const [driver, broker, from, to, slowMs, session, maxGap, order] = process.argv.slice(2);
const link = kafkaLink({ driver, brokers: [broker] });
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let seen = 0;
const work = async (_, { meta }) => {
  await rest(order === 'kept' ? 5 : Math.random() < 0.02 ? Number(slowMs) : Math.random() * 3);
  if ((seen += 1) === 300) console.log('at work');
  return Buffer.from(meta.partition + ' ' + meta.offset);
};
const group = { group: to, sessionTimeoutMs: Number(session), groupHeartbeatMs: 200, maxGap: Number(maxGap) };
const source = kafkaSource(link, { topics: [from], ...group });
const copied = run(source.pipe(each(work, { concurrency: 64 })), kafkaSink(link, { topic: to }));
onSignal(copied, { onStopped: (report) => console.log('unfinished ' + report.unfinished.length) });
await copied.done;
`;

/** Everything that is in topics of one partition, as it comes, by a client that is not ours. */
async function witness(
  broker: KafkaBroker,
  topics: readonly string[],
): Promise<{
  all(topic: string): Promise<readonly string[]>;
  /** How many have been read so far. */
  count(topic: string): number;
  close(): Promise<void>;
}> {
  const seen = new Map(topics.map((topic) => [topic, [] as string[]]));
  const consumer = new Kafka({ brokers: [broker.url], logLevel: logLevel.NOTHING }).consumer({
    groupId: `witness-${topics.join('-')}`,
    maxWaitTimeInMs: 50,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ topic, message }) => void seen.get(topic)?.push(String(message.value)) });
  return {
    async all(topic) {
      const ends = await kafkaAdmin(broker, (admin) => admin.fetchTopicOffsets(topic));
      const end = Number(ends[0]?.high);
      await until(() => {
        if ((seen.get(topic)?.length ?? 0) < end) throw new Error(`Not all of ${topic} was read.`);
      });
      return seen.get(topic) ?? [];
    },
    count: (topic) => seen.get(topic)?.length ?? 0,
    close: () => consumer.disconnect(),
  };
}

async function fill({ url }: KafkaBroker, topic: string, count: number): Promise<void> {
  const texts = Array.from({ length: count }, (_, at) => new TextEncoder().encode(`message ${at}`));
  // One after the other, so that each partition has about as many.
  const partition = ({ payload }: Message<Uint8Array | null>): number =>
    Number(new TextDecoder().decode(payload ?? undefined).split(' ')[1]) % PARTITIONS;
  const sink = kafkaSink(kafkaLink({ brokers: [url] }), { topic, partition });
  await run(fromAsyncIterable(texts), sink).done;
}

/** Where the group goes on, by partition. */
function committed(broker: KafkaBroker, group: string, topic: string): Promise<readonly number[]> {
  return kafkaAdmin(broker, async (admin) => {
    const [told] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    const known = new Map(told?.partitions.map(({ partition, offset }) => [partition, Math.max(0, Number(offset))]));
    return Array.from({ length: PARTITIONS }, (_, partition) => known.get(partition) ?? 0);
  });
}

function suite(driver: KafkaDriverName, broker: () => KafkaBroker): void {
  beforeEach((context) => {
    if (!broker().isReal) context.skip(`${broker().how}: it makes no topics on demand`);
  });
  const isDeserted = (group: string): Promise<boolean> =>
    kafkaAdmin(broker(), async (admin) => (await admin.describeGroups([group])).groups[0]?.state === 'Empty');

  it('loses nothing when it is killed 20 times, and repeats no more than its options say (S3.23, SHU-08, F15)', async () => {
    const count = 12_000;
    const kills = 4;
    const program = await childProgram(COPY);
    await makeTopic(broker(), 'kill-from', PARTITIONS);
    await fill(broker(), 'kill-from', count);
    const names = Array.from({ length: 5 }, (_, at) => `kill-to-${at}`);
    for (const name of names) await makeTopic(broker(), name, 1);
    const seen = await witness(broker(), names);
    const random = seededRandom(20_261_127);
    const repeats = { kept: [] as number[], any: [] as number[] };
    // A group waits for a killed member as long as its session: five groups wait at once.
    const perGroup = names.map(async (to, group) => {
      const order = group < 2 ? 'kept' : 'any';
      const { maxGap, allowed } = ORDERS[order];
      const start = () => program.start(driver, broker().url, 'kill-from', to, '40', '6000', `${maxGap}`, order);
      let repeated = 0;
      for (let kill = 0; kill < kills; kill += 1) {
        const before = seen.count(to);
        const child = start();
        await until(() => expect(seen.count(to)).toBeGreaterThan(before + 100), 90_000);
        await lasts(random() * 100);
        child.process.kill('SIGKILL');
        expect(await child.ended).toBe('SIGKILL');
        // What was on its way arrives, and the group has given the member up.
        await until(async () => expect(await isDeserted(to)).toBe(true));
        const offsets = await committed(broker(), to, 'kill-from');
        const there = new Set(await seen.all(to));
        for (const [partition, offset] of offsets.entries())
          for (let at = 0; at < offset; at += 1)
            if (!there.has(`${partition} ${at}`))
              expect.fail(`${to}: committed past ${partition} ${at}, which is lost`);
        const again = [...there].filter((place) => {
          const [partition, offset] = place.split(' ').map(Number) as [number, number];
          return offset >= (offsets[partition] ?? 0);
        }).length;
        expect(again, `order ${order}`).toBeLessThanOrEqual(allowed);
        repeats[order].push(again);
        repeated += again;
      }
      const last = start();
      await until(async () => expect(await lagOf(broker(), 'kill-from', to)).toBe(0), 90_000);
      last.process.kill('SIGTERM');
      expect(await last.ended, last.said).toBe(0);
      const there = await seen.all(to);
      expect(new Set(there).size).toBe(count);
      expect(there.length - count).toBeLessThanOrEqual(repeated);
    });
    try {
      await Promise.all(perGroup);
    } finally {
      await seen.close();
    }
    for (const order of ['kept', 'any'] as const) {
      const counts = repeats[order];
      console.log(`order ${order}: repeated after each kill ${counts.join(', ')} (at most ${ORDERS[order].allowed})`);
      expect(Math.max(...counts)).toBeGreaterThan(0);
    }
    expect([repeats.kept.length, repeats.any.length]).toEqual([8, 12]);
  });

  it('copies everything once when it is asked to stop under load, and ends within 5 s (SHU-02, F16)', async () => {
    const count = 12_000;
    const program = await childProgram(COPY);
    await makeTopic(broker(), 'stop-from', PARTITIONS);
    await fill(broker(), 'stop-from', count);
    await makeTopic(broker(), 'stop-to', 1);
    const seen = await witness(broker(), ['stop-to']);
    const start = () => program.start(driver, broker().url, 'stop-from', 'stop-to', '2000', '30000', `${MAX_GAP}`);
    const tookMs: number[] = [];
    try {
      for (let stops = 0; stops < 5; stops += 1) {
        const child = start();
        await child.says('at work');
        const fromMs = performance.now();
        child.process.kill('SIGTERM');
        expect(await child.ended, child.said).toBe(0);
        tookMs.push(performance.now() - fromMs);
        expect(child.said).toContain('unfinished 0');
        expect(await lagOf(broker(), 'stop-from', 'stop-to'), 'it ended before it had read all').toBeGreaterThan(0);
      }
      const last = start();
      await until(async () => expect(await lagOf(broker(), 'stop-from', 'stop-to')).toBe(0), 90_000);
      last.process.kill('SIGTERM');
      expect(await last.ended).toBe(0);
      const there = await seen.all('stop-to');
      expect([there.length, new Set(there).size]).toEqual([count, count]);
    } finally {
      await seen.close();
    }
    console.log(`ended after ${tookMs.map((ms) => Math.round(ms)).join(', ')} ms`);
    expect(Math.max(...tookMs)).toBeLessThanOrEqual(5_000);
  });
}

for (const driver of LONG_RUN_DRIVERS)
  brokerSuite(`A process that reads and writes Kafka, over ${driver}`, kafka, (broker) => suite(driver, broker));
