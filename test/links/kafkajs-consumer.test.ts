import type { Assigner, Cluster, EachBatchPayload, Kafka } from 'kafkajs';
import { expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';
import type { KafkaFetched } from '../../src/links/kafka-driver.js';
import { KafkaJsConsumer } from '../../src/links/kafkajs-consumer.js';
import { KafkaJsSockets } from '../../src/links/kafkajs-sockets.js';

const nothing = (): void => undefined;
const texts = (fetched: readonly KafkaFetched[]): string[] =>
  fetched.map(({ records, nextOffset, isReset }) => {
    const offsets = records.map(({ offset }) => offset).join();
    return `${offsets} then ${nextOffset}${isReset === true ? ', reset' : ''}`;
  });

interface Rig {
  readonly consumer: KafkaJsConsumer;
  /** What was handed over, in short. */
  readonly shown: () => string[];
  /** What the client was told, in short. */
  readonly told: string[];
  /** The group gives it partition 0; it is placed when that is called. */
  joins(): () => void;
  /** What comes before each fetch: resolves when it may begin. */
  mayFetch(): Promise<void>;
  /** The client hands over what it asked for from there. */
  batch(from: number, offsets: readonly number[], isStale?: boolean): Promise<void>;
}

/** A member over a client that is played by the test. */
async function rig(): Promise<Rig> {
  const told: string[] = [];
  const fetched: KafkaFetched[] = [];
  const placed: (() => void)[] = [];
  const listeners = new Map<string, (event: object) => void>();
  let take: (payload: EachBatchPayload) => Promise<void> = async () => undefined;
  const cluster = {
    findBroker: async () => ({}),
    findGroupCoordinator: async () => ({}),
    refreshMetadataIfNecessary: async () => undefined,
  };
  const client = {
    consumer({ partitionAssigners }: { partitionAssigners: ((config: object) => Assigner)[] }) {
      partitionAssigners[0]?.({ cluster });
      return {
        events: { COMMIT_OFFSETS: 'commit', CRASH: 'crash', GROUP_JOIN: 'join', REQUEST_TIMEOUT: 'timeout' },
        on: (event: string, listener: (event: object) => void) => void listeners.set(event, listener),
        connect: async () => undefined,
        subscribe: async () => undefined,
        run: async ({ eachBatch }: { eachBatch: typeof take }) => void (take = eachBatch),
        seek: ({ offset }: { offset: string }) => void told.push(`seek ${offset}`),
        disconnect: async () => undefined,
      };
    },
  };
  const clock = virtualClock();
  const events = {
    lost: nothing,
    alive: nothing,
    revoking: async () => undefined,
    assigned: () => new Promise<void>((resolve) => void placed.push(resolve)),
    fetched: (one: KafkaFetched) => void fetched.push(one),
  };
  const times = { sessionTimeoutMs: 1, heartbeatMs: 1, rebalanceTimeoutMs: 1, maxWaitMs: 1 };
  const plan = {
    group: 'g',
    topics: ['a'],
    former: [],
    ...times,
    maxBytesPerPartition: 1,
    maxBytes: 1,
    maxUnpackedBytes: 1_000,
  };
  const roundRobin = (): Assigner => ({ name: '', version: 1 }) as unknown as Assigner;
  const sockets = new KafkaJsSockets(clock, events);
  const consumer = new KafkaJsConsumer(client as unknown as Kafka, roundRobin, plan, events, sockets);
  await consumer.start();
  return {
    consumer,
    told,
    shown: () => texts(fetched),
    joins() {
      listeners.get('join')?.({ payload: { memberId: 'm', memberAssignment: { a: [0] } } });
      return placed.at(-1) ?? nothing;
    },
    mayFetch: () => (cluster as unknown as Cluster).refreshMetadataIfNecessary(),
    batch: (from, offsets, isStale = false) =>
      take({
        batch: {
          topic: 'a',
          partition: 0,
          fetchedOffset: String(from),
          messages: offsets.map((offset) => ({ offset: String(offset) })),
          lastOffset: () => String(offsets.at(-1)),
        },
        isStale: () => isStale,
        resolveOffset: (offset: string) => void told.push(`read up to ${offset}`),
      } as unknown as EachBatchPayload),
  };
}

it('fetches nothing before the partitions are placed that it was given last', async () => {
  const { joins, mayFetch } = await rig();
  const first = joins();
  let isFetching = false;
  const fetching = mayFetch().then(() => (isFetching = true));
  const second = joins();
  first();
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  expect(isFetching).toBe(false);
  second();
  await fetching;
  expect(isFetching).toBe(true);
});

it('takes nothing that was asked for from elsewhere than it goes on from: what lies in between would be left out', async () => {
  const { consumer, batch, shown, told } = await rig();
  consumer.seek({ topic: 'a', partition: 0 }, 50);
  await batch(50, [50, 51]);
  // What a broker that stopped for a while, and led the partition before, had been asked.
  await batch(100, [100, 101]);
  await batch(52, [52]);
  await batch(53, [53]);
  expect(shown()).toEqual(['50,51 then 52', '52 then 53', '53 then 54']);
  expect(told).toEqual(['seek 50', 'read up to 51', 'seek 52', 'read up to 52', 'read up to 53']);
});

it('takes nothing of a partition that was sought elsewhere meanwhile', async () => {
  const { consumer, batch, shown, told } = await rig();
  consumer.seek({ topic: 'a', partition: 0 }, 50);
  await batch(50, [50, 51], true);
  expect([shown(), told]).toEqual([[], ['seek 50']]);
});

it('goes on where the client does when it gets no other answer: what lies in between is not kept', async () => {
  const { consumer, batch, shown, told } = await rig();
  consumer.seek({ topic: 'a', partition: 0 }, 50);
  await batch(80, [80, 81]);
  await batch(80, [80, 81]);
  await batch(82, [82]);
  expect(shown()).toEqual(['80,81 then 82, reset', '82 then 83']);
  expect(told).toEqual(['seek 50', 'seek 50', 'read up to 81', 'read up to 82']);
});
