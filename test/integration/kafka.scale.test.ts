import { readFile } from 'node:fs/promises';
import { beforeEach, expect, it } from 'vitest';
import { fromAsyncIterable, run, type Message } from 'sluice';
import { kafkaLink, kafkaSink, type KafkaDriverName } from 'sluice/kafka';
import { brokerSuite } from '../brokers/broker-suite.js';
import { kafka, type KafkaBroker } from '../brokers/kafka.js';
import { childProgram, type Child } from '../helpers/child-program.js';
import { temporaryFolder, type Folder } from '../helpers/folder.js';
import { lagOf, makeTopic } from '../helpers/kafka-admin.js';
import { LONG_RUN_DRIVERS } from '../helpers/kafka-drivers.js';
import { lasts } from '../helpers/lasts.js';
import { until } from '../helpers/until.js';

const CREDIT = 128;
const COMMIT_EVERY = 100;
const PARTITIONS = 6;
const KEYS = 64;
const MESSAGES = 30_000;
const SESSION_MS = 6_000;

/**
 * A member: works on messages of different keys side by side, and writes down at once what it gets, commits and is given.
 * The clock is one that all processes share.
 */
const MEMBER = `
import { writeSync, openSync } from 'node:fs';
import { tap } from 'rxjs';
import { each, run } from 'sluice';
import { kafkaSource } from 'sluice/kafka';
import { onSignal } from 'sluice/on-signal';
import { DRIVERS, linkTo } from './src/links/kafka.ts';
import { watchedKafka } from './test/chaos/watched-kafka.ts';
const [driver, broker, topic, file] = process.argv.slice(2);
const out = openSync(file, 'a');
const say = (...words) => writeSync(out, [process.hrtime.bigint(), ...words].join(' ') + '\\n');
let count = 0;
const watched = watchedKafka(DRIVERS[driver], {
  assigned(given, isContinuous) {
    if (!isContinuous) say('assigned');
    say('assigned', ...given.map(({ partition }) => partition));
  },
  committed: ({ partition, offset }) => say('committed', partition, offset),
});
const source = kafkaSource(linkTo(watched, { brokers: [broker] }), {
  topics: [topic], group: topic, credit: ${CREDIT}, commitEvery: ${COMMIT_EVERY}, sessionTimeoutMs: ${SESSION_MS}, groupHeartbeatMs: 200,
});
const work = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
const reading = run(
  source.pipe(
    tap(({ meta, key, payload }) => {
      say('got', meta.partition, meta.offset, key, Buffer.from(payload).toString());
      if ((count += 1) === 100) console.log('at work');
    }),
    each(work, { concurrency: 32, lane: ({ key }) => key }),
  ),
  { next: (message) => message.ack(), error() {}, complete() {} },
);
onSignal(reading, { onStopped: (report) => console.log('unfinished ' + report.unfinished.length) });
await reading.done;
`;

interface Got {
  readonly member: string;
  readonly atNs: bigint;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly count: number;
  /** The first of its partition since the member was given that. */
  readonly isFirst: boolean;
}

interface Committed {
  readonly atNs: bigint;
  readonly partition: number;
  readonly offset: number;
}

/** What a member wrote down; a line that a kill cut off is none. */
async function notesOf(folder: Folder, member: string): Promise<{ got: Got[]; commits: Committed[] }> {
  const lines = (await readFile(folder.of(member), 'utf8')).split('\n').slice(0, -1);
  const got: Got[] = [];
  const commits: Committed[] = [];
  let mine = new Set<number>();
  const begun = new Set<number>();
  for (const line of lines) {
    const [at = '', what, ...words] = line.split(' ');
    const atNs = BigInt(at);
    const [partition = -1, offset = -1] = words.map(Number);
    if (what === 'committed') commits.push({ atNs, partition, offset });
    else if (what === 'got') {
      const isFirst = !begun.has(partition);
      begun.add(partition);
      got.push({ member, atNs, partition, offset, key: words[2] ?? '', count: Number(words[3]), isFirst });
    } else {
      const now = new Set(words.map(Number));
      for (const one of begun) if (!now.has(one) || !mine.has(one)) begun.delete(one);
      mine = now;
    }
  }
  return { got, commits };
}

function suite(driver: KafkaDriverName, broker: () => KafkaBroker): void {
  beforeEach((context) => {
    if (!broker().isReal) context.skip(`${broker().how}: it makes no topics on demand`);
  });
  it('loses nothing and keeps the order of each key while members join, leave, stall and are killed (S3.22, S3.23, DEL-03, REC-10, F14)', async () => {
    const topic = 'scale';
    await using folder = await temporaryFolder();
    const program = await childProgram(MEMBER);
    await makeTopic(broker(), topic, PARTITIONS);
    const names: string[] = [];
    async function join(): Promise<Child> {
      const name = `member-${names.length}`;
      names.push(name);
      const child = program.start(driver, broker().url, topic, folder.of(name));
      await child.says('at work');
      return child;
    }
    async function leave(child: Child): Promise<void> {
      child.process.kill('SIGTERM');
      expect(await child.ended, child.said).toBe(0);
      expect(child.said).toContain('unfinished 0');
    }

    // Under load for as long as members come and go.
    let isOver = false;
    let made = 0;
    async function* messages(): AsyncGenerator<Uint8Array> {
      while (!isOver || made < MESSAGES) {
        for (let at = 0; at < 100; at += 1, made += 1)
          yield new TextEncoder().encode(String(Math.floor(made / KEYS)) + ` ${made % KEYS}`);
        await lasts(40);
      }
    }
    const key = ({ payload }: Message<Uint8Array | null>): string =>
      `k${new TextDecoder().decode(payload ?? undefined).split(' ')[1]}`;
    const sink = kafkaSink(kafkaLink({ driver, brokers: [broker().url] }), { topic, key });
    const writing = run(fromAsyncIterable(messages(), { credit: 500 }), sink);

    const members = await Promise.all([join(), join(), join()]);
    const [first, second, third] = members;
    const fourth = await join();
    await leave(first);
    const fifth = await join();
    await leave(fourth);
    // Longer than its session: it is out when it goes on, and has to notice.
    second.process.kill('SIGSTOP');
    await lasts(SESSION_MS + 3_000);
    second.process.kill('SIGCONT');
    const sixth = await join();
    third.process.kill('SIGKILL');
    expect(await third.ended).toBe('SIGKILL');
    isOver = true;
    await writing.done;
    await until(async () => expect(await lagOf(broker(), topic, topic)).toBe(0), 90_000);
    for (const child of [second, fifth, sixth]) await leave(child);

    const notes = await Promise.all(names.map((name) => notesOf(folder, name)));
    const commits = notes.flatMap((one) => one.commits).sort((a, b) => Number(a.atNs - b.atNs));
    const all = notes.flatMap(({ got }) => got).sort((a, b) => Number(a.atNs - b.atNs));
    const distinct = new Set(all.map(({ partition, offset }) => `${partition} ${offset}`));
    console.log(`${made} messages, ${names.length} members, ${all.length - distinct.size} twice`);
    expect(distinct.size).toBe(made);
    // One member was killed and one was out of the group without knowing; who leaves in order repeats nothing.
    expect(all.length - distinct.size).toBeLessThanOrEqual(2 * (CREDIT + COMMIT_EVERY));

    const committedBefore = (partition: number, atNs: bigint): number =>
      Math.max(
        0,
        ...commits.filter((one) => one.partition === partition && one.atNs < atNs).map(({ offset }) => offset),
      );
    // While a partition is a member's, it gets one offset after the other, from the committed one on.
    for (const { got } of notes) {
      const last = new Map<number, number>();
      for (const { member, partition, offset, isFirst, atNs } of got) {
        if (isFirst)
          expect(offset, `${member}, partition ${partition}`).toBeGreaterThanOrEqual(committedBefore(partition, atNs));
        else expect(offset, `${member}, partition ${partition}`).toBe((last.get(partition) ?? -1) + 1);
        last.set(partition, offset);
      }
    }
    // So nothing of a key comes for the first time after a later one of it.
    const newest = new Map<string, number>();
    const seen = new Set<string>();
    for (const { key: name, count } of all) {
      if (seen.has(`${name} ${count}`)) continue;
      seen.add(`${name} ${count}`);
      expect(count).toBe((newest.get(name) ?? -1) + 1);
      newest.set(name, count);
    }
  });
}

for (const driver of LONG_RUN_DRIVERS)
  brokerSuite(`A group of processes that read Kafka, over ${driver}`, kafka, (broker) => suite(driver, broker));
