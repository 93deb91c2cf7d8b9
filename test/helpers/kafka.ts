import { Buffer } from 'node:buffer';
import type { Clock } from 'sluice';
import type { KafkaLink, KafkaLinkOptions } from 'sluice/kafka';
import type {
  KafkaBatch,
  KafkaConsumerEvents,
  KafkaConsumerPlan,
  KafkaDriver,
  KafkaEvents,
  KafkaHeaders,
  KafkaOffset,
  KafkaProducerPlan,
  KafkaRecord,
} from '../../src/links/kafka-driver.js';
import { linkTo } from '../../src/links/kafka.js';
import { headerBytes } from '../../src/message/headers.js';

/** A member of a group that is played by the test. */
export interface FakeMember {
  readonly plan: KafkaConsumerPlan;
  readonly events: KafkaConsumerEvents;
  /** What it was told, in short: `seek a/0 5`, `pause a/0`, `commit a/0 7`. */
  readonly told: string[];
  /** What the group calls it, as far as it knows. */
  name: string | undefined;
  /** Up to where its client has read each partition; left out, all that is there. */
  readTo: number | undefined;
  isClosed: boolean;
}

/** A producer that is played by the test. */
export interface FakeProducer {
  readonly plan: KafkaProducerPlan;
  readonly events: KafkaEvents;
  /** What it was given and not answered, in short by batch: `a/0: x y`. */
  readonly sent: string[];
  readonly batches: (readonly KafkaBatch[])[];
  /** Answers the oldest. */
  answer(error?: unknown): void;
  isClosed: boolean;
}

/** A cluster that is played by the test. */
export interface FakeKafka {
  readonly link: KafkaLink;
  readonly members: FakeMember[];
  readonly producers: FakeProducer[];
  /** Partitions by topic; a topic that is not in it does not exist. */
  readonly topics: Map<string, number>;
  /** Committed offsets by `group topic/partition`. */
  readonly committed: Map<string, number>;
  /** What the cluster answers for offsets, by `earliest`, `latest` or a time. */
  readonly offsets: Map<string | number, number>;
  /** Called instead of the usual answers where it is set. */
  failCommit: Error | undefined;
  /** How long a commit takes. */
  commitMs: number;
  /** How long the next questions for what is committed take, one after the other. */
  committedMs: number[];
  failTransaction: Error | undefined;
  /** The commit of a transaction waits for an answer of its own. */
  isSlowToCommit: boolean;
  /** Producers answer by themselves. */
  isQuick: boolean;
  /** It gives no sign of life. */
  isSilent: boolean;
}

const unknownTopic = (topic: string): Error =>
  Object.assign(new Error(`unknown topic ${topic}`), { type: 'UNKNOWN_TOPIC_OR_PARTITION' });
const named = ({ topic, partition }: { topic: string; partition: number }): string => `${topic}/${partition}`;

/** A cluster without a network: groups, offsets and producers do what the test says. */
export function fakeKafka(clock: Clock, options: Partial<KafkaLinkOptions> = {}): FakeKafka {
  const members: FakeMember[] = [];
  const producers: FakeProducer[] = [];
  const topics = new Map([['a', 2]]);
  const committed = new Map<string, number>();
  const offsets = new Map<string | number, number>([
    ['earliest', 0],
    ['latest', 100],
  ]);
  const fake = {
    members,
    producers,
    topics,
    committed,
    offsets,
    failCommit: undefined as Error | undefined,
    commitMs: 0,
    committedMs: [] as number[],
    failTransaction: undefined as Error | undefined,
    isSlowToCommit: false,
    isQuick: true,
    isSilent: false,
  };
  const partitions = async (topic: string): Promise<number> => {
    const count = topics.get(topic);
    if (count === undefined) throw unknownTopic(topic);
    return count;
  };
  const driver: KafkaDriver = {
    connect: async () => ({
      async ping() {
        if (fake.isSilent) await new Promise<never>(() => undefined);
      },
      partitions,
      async offsets(topic, at) {
        return new Map(Array.from({ length: await partitions(topic) }, (_, id) => [id, offsets.get(at) ?? 0]));
      },
      async committed(group, topic) {
        const ms = fake.committedMs.shift() ?? 0;
        if (ms > 0) await new Promise<void>((resolve) => void clock.timer(ms, resolve));
        const all = [...committed].filter(([name]) => name.startsWith(`${group} ${topic}/`));
        return new Map(all.map(([name, offset]) => [Number(name.split('/').at(-1)), offset]));
      },
      async consumer(plan, events) {
        const told: string[] = [];
        const name = `member-${members.length + 1}`;
        const member: FakeMember = { plan, events, told, name, readTo: undefined, isClosed: false };
        members.push(member);
        return {
          get member() {
            return member.name;
          },
          async commit(given: readonly KafkaOffset[]) {
            if (fake.failCommit !== undefined) throw fake.failCommit;
            if (fake.commitMs > 0) await new Promise<void>((resolve) => void clock.timer(fake.commitMs, resolve));
            for (const at of given) {
              told.push(`commit ${named(at)} ${at.offset}`);
              committed.set(`${plan.group} ${named(at)}`, at.offset);
            }
          },
          pause: (at) => void told.push(`pause ${named(at)}`),
          resume: (at) => void told.push(`resume ${named(at)}`),
          seek: (at, offset) => void told.push(`seek ${named(at)} ${offset}`),
          position: () => member.readTo ?? offsets.get('latest'),
          async close() {
            member.isClosed = true;
            member.name = undefined;
          },
        };
      },
      async producer(plan, events) {
        const sent: string[] = [];
        const batches: (readonly KafkaBatch[])[] = [];
        const answers: ((error?: unknown) => void)[] = [];
        const producer: FakeProducer = {
          plan,
          events,
          sent,
          batches,
          answer: (error) => answers.shift()?.(error),
          isClosed: false,
        };
        producers.push(producer);
        const answered = (): Promise<void> =>
          new Promise<void>((resolve, reject) => {
            answers.push((error) => (error instanceof Error ? reject(error) : resolve()));
          });
        const send = async (given: readonly KafkaBatch[]): Promise<void> => {
          batches.push(given);
          for (const one of given)
            sent.push(`${named(one)}: ${one.records.map(({ value }) => String(value)).join(' ')}`);
          if (fake.isQuick) return;
          await new Promise<void>((resolve, reject) => {
            answers.push((error) => (error instanceof Error ? reject(error) : resolve()));
          });
        };
        return {
          send,
          async transact(given, settle) {
            await send(given);
            const groups = settle();
            if (fake.failTransaction !== undefined) throw fake.failTransaction;
            for (const { group, offsets: given } of groups)
              for (const at of given) {
                sent.push(`${group} ${named(at)} ${at.offset}`);
                committed.set(`${group} ${named(at)}`, at.offset);
              }
            if (fake.isSlowToCommit) await answered();
            sent.push('commit');
          },
          async close() {
            producer.isClosed = true;
          },
        };
      },
      close: async () => undefined,
    }),
  };
  const link = linkTo(driver, { brokers: ['fake:9092'], clock, ...options });
  return Object.assign(fake, { link });
}

/** Records of a partition from an offset on, one for each text; `-` is a tombstone. */
export function records(offset: number, texts: string, headers?: KafkaHeaders): KafkaRecord[] {
  return Array.from(texts, (text, at) => ({
    offset: offset + at,
    timeMs: 1_000 + offset + at,
    key: Buffer.from(`k${text}`),
    value: text === '-' ? null : Buffer.from(text),
    headers,
    bytes: 1 + 2 * text.length + headerBytes(headers),
  }));
}
