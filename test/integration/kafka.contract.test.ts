import { Kafka, logLevel, type Admin } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { backoff } from 'sluice';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaLink } from 'sluice/kafka';
import { conformance, type Bench, type Features, type Harness, type Verb } from 'sluice/testing';
import { faultProxy } from 'sluice/testing-node';
import { brokerSuite } from '../brokers/broker-suite.js';
import { kafkaBehaviour } from './kafka-behaviour.js';
import { findKafka, kafka, type KafkaBroker } from '../brokers/kafka.js';

const features: Features = {
  ack: 'manual',
  confirms: 'durable',
  flowControl: 'pause',
  headers: 'binary',
  backlog: true,
  binary: true,
  byteCredit: true,
  consumerGroups: true,
  cumulativeAck: true,
  deadLetter: true,
  durableSubscription: true,
  fanOut: true,
  keyed: true,
  nackRequeue: true,
  nackDelay: 20,
  orderedPerKey: true,
  persistent: true,
  peerDetectMs: 15_000,
  reconnects: true,
  routingReport: true,
  transactional: true,
  tls: true,
};

const PARTITIONS = 2;
let channels = 0;

async function asked<T>({ url }: KafkaBroker, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [url], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Topics that nobody used yet: making many at once takes no longer than making one. */
const unused: string[] = [];

async function open(broker: KafkaBroker): Promise<Bench> {
  const { port, advertisedPort } = broker.behindProxy ?? { port: broker.port, advertisedPort: 0 };
  const proxy = await faultProxy({ port, listenPort: advertisedPort });
  if (unused.length < 30) {
    const made = Array.from({ length: 40 }, () => `c${process.pid}-${(channels += 1)}`);
    // The mock cluster makes a topic when it is first asked about.
    if (broker.isReal)
      await asked(broker, (admin) =>
        admin.createTopics({
          topics: made.map((topic) => ({ topic, numPartitions: PARTITIONS })),
          waitForLeaders: true,
        }),
      );
    unused.push(...made);
  }
  // A link of its own for each end, as two applications would have.
  const link = (): KafkaLink =>
    kafkaLink({
      brokers: [`127.0.0.1:${proxy.port}`],
      requestTimeoutMs: 2_000,
      heartbeatMs: 1_000,
      connectTimeoutMs: 5_000,
      reconnect: backoff({ initialMs: 20, maxMs: 100, minMs: 5 }),
    });
  const timing = { sessionTimeoutMs: 3_000, groupHeartbeatMs: 200, revokeTimeoutMs: 300, maxWaitMs: 50 };
  return {
    channel: () => unused.shift() as string,
    source: (topic, { group = `${topic}-group`, ...options }) =>
      kafkaSource(link(), {
        requeueDelayMs: 20,
        maxRequeueDelayMs: 20,
        commitEvery: 10,
        ...timing,
        ...options,
        topics: [topic],
        group,
      }),
    // The mock cluster knows no idempotent producers.
    sink: (topic, options) => kafkaSink(link(), { idempotent: broker.isReal, ...options, topic }),
    net: {
      cut: (how) => (how === 'rst' ? proxy.rst() : proxy.fin()),
      refuse: () => proxy.refuse(),
      blackhole: (direction) => proxy.blackhole(direction),
      heal: () => proxy.heal(),
    },
    broker: {
      stop: () => broker.stop(),
      start: () => broker.start(),
      kill: () => broker.kill(),
      async restart() {
        await broker.stop();
        await broker.start();
      },
    },
    peek: {
      opened: () => proxy.accepted,
      committed: (topic) =>
        asked(broker, async (admin) => {
          const [told] = await admin.fetchOffsets({ groupId: `${topic}-group`, topics: [topic] });
          return (told?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
        }),
    },
    async close() {
      await proxy.close();
      // The next case has it again, whatever this one ended with.
      if (broker.isOwn && broker.isReal) await broker.start();
    },
  };
}

const how = await findKafka().then(
  (found) => found.how,
  () => 'none',
);
const isMock = how === 'the mock cluster of kcat';
// Someone else's broker is neither ended nor started, and sends its clients past a proxy; so does the mock cluster.
const isOwn = !isMock && process.env['TEST_KAFKA_BROKERS'] === undefined;
const can: readonly Verb[] = isOwn
  ? [
      ...(['net.cut', 'net.refuse', 'net.blackhole', 'net.heal', 'peek.opened'] as const),
      ...(['broker.stop', 'broker.start', 'broker.kill', 'broker.restart'] as const),
    ]
  : [];

const manyMembers = 'the mock cluster does not get ten members of a group settled within a minute';

brokerSuite('Kafka', kafka, (broker) => {
  const harness: Harness = {
    name: `Kafka over kafkajs${isMock ? ', the mock cluster' : ''}`,
    clock: 'real',
    features,
    can: ['sink', 'peek.committed', ...can],
    maxMessages: 200,
    withinMs: 60_000,
    quietMs: 150,
    ...(isMock ? { skips: { 'DEL-03': manyMembers, 'DEL-05': manyMembers } } : {}),
    open: () => open(broker()),
  };
  conformance(harness, { describe, it, expect: (actual: unknown, what?: string) => expect(actual, what) });
  kafkaBehaviour(broker);
});
