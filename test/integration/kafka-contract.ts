import { beforeEach, expect } from 'vitest';
import { backoff, run, type Sink } from 'sluice';
import {
  kafkaLink,
  kafkaSink,
  kafkaSource,
  type KafkaDriverName,
  type KafkaLink,
  type KafkaLinkOptions,
} from 'sluice/kafka';
import type { Bench, Features, Harness } from 'sluice/testing';
import { faultProxy } from 'sluice/testing-node';
import { brokerSuite } from '../brokers/broker-suite.js';
import { proven } from '../helpers/connector-record.js';
import { until } from '../helpers/until.js';
import { kafkaBehaviour } from './kafka-behaviour.js';
import { kafkaRecords } from './kafka-records.js';
import { kafkaVerbs } from './kafka-verbs.js';
import { findCommand } from '../brokers/find-command.js';
import { findKafka, kafka, type KafkaBroker } from '../brokers/kafka.js';
import { kafkaAdmin, makeTopics } from '../helpers/kafka-admin.js';
import { clientProcesses } from '../helpers/client-processes.js';
import { netOf } from '../helpers/net-of.js';
import { secureDefaults } from '../helpers/secure-defaults.js';
import { KAFKA_FRAMES, stallProxy } from '../helpers/stall-proxy.js';

const MAX_BYTES = 1_000_000;

const features: Features = {
  ack: 'manual',
  confirms: 'durable',
  flowControl: 'pause',
  headers: 'binary',
  authModes: ['plain', 'scram', 'oauthbearer'],
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
  maxMessageBytes: MAX_BYTES,
  orderedPerKey: true,
  persistent: true,
  peerDetectMs: 15_000,
  reconnects: true,
  routingReport: true,
  stallDetectMs: 30_000,
  exactlyOnce: true,
  replay: true,
  transactional: true,
  tokenRefresh: true,
  tls: true,
  mtls: true,
};

const PARTITIONS = 2;
let channels = 0;

/** Topics that nobody used yet: making many at once takes no longer than making one. */
const unused: string[] = [];

const WRONG = 'word-that-is-wrong';

/** How somebody comes in whom the cluster does not know. */
function stranger({ secured }: KafkaBroker): KafkaLinkOptions {
  if (secured === undefined) throw new Error('This cluster lets everybody in.');
  const { url, ca, username } = secured;
  return { brokers: [url], tls: { ca }, sasl: { mechanism: 'plain', username, password: WRONG } };
}

/** The same source in a process of its own. Its group misses it soon. */
const clientSetup = (url: string, driver: KafkaDriverName): string => `
import { kafkaLink, kafkaSource } from 'sluice/kafka';
const link = kafkaLink({ brokers: ['${url}'], driver: '${driver}' });
const member = { sessionTimeoutMs: 1_000, groupHeartbeatMs: 200, commitEvery: 10 };
const source = (topic, options) => kafkaSource(link, { ...member, ...options, topics: [topic], group: topic + '-group' });
`;

/** The mock cluster cannot be started again, and someone else's broker is not ended. */
function endsOf(broker: KafkaBroker): NonNullable<Bench['broker']> {
  return {
    stop: () => broker.stop(),
    start: () => broker.start(),
    kill: () => broker.kill(),
    async restart() {
      await broker.stop();
      await broker.start();
    },
  };
}

async function open(broker: KafkaBroker, driver: KafkaDriverName): Promise<Bench> {
  const { port, advertisedPort } = broker.behindProxy ?? { port: broker.port, advertisedPort: 0 };
  const stalling = await stallProxy(port, KAFKA_FRAMES);
  const proxy = await faultProxy({ port: stalling.port, listenPort: advertisedPort });
  const net = netOf(proxy, stalling);
  if (unused.length < 30) {
    const made = Array.from({ length: 40 }, () => `c${process.pid}-${(channels += 1)}`);
    // The mock cluster makes a topic when it is first asked about.
    if (broker.isReal) await kafkaAdmin(broker, (admin) => makeTopics(admin, made, PARTITIONS));
    unused.push(...made);
  }
  let isDenied = false;
  const sinks: Sink<Uint8Array | null>[] = [];
  const open = new Set<KafkaLink>();
  // A link of its own for each end, as two applications would have.
  const link = (topic = ''): KafkaLink => {
    const made = kafkaLink({
      driver,
      autoCreateTopics: topic.startsWith('late'),
      ...(isDenied ? stranger(broker) : { brokers: [`127.0.0.1:${proxy.port}`] }),
      requestTimeoutMs: 2_000,
      heartbeatMs: 1_000,
      connectTimeoutMs: 5_000,
      reconnect: backoff({ initialMs: 20, maxMs: 100, minMs: 5 }),
    });
    made.status$.subscribe(
      (status) => void (status === 'closed' || status === 'idle' ? open.delete(made) : open.add(made)),
    );
    return made;
  };
  const timing = { sessionTimeoutMs: 3_000, groupHeartbeatMs: 200, revokeTimeoutMs: 300, maxWaitMs: 50 };
  return {
    channel: () => unused.shift() ?? `late${process.pid}-${(channels += 1)}`,
    source: (topic, { group = `${topic}-group`, ...options }) =>
      kafkaSource(link(topic), {
        requeueDelayMs: 20,
        maxRequeueDelayMs: 20,
        commitEvery: 10,
        ...timing,
        ...options,
        topics: [topic],
        group,
      }),
    sink(topic, options) {
      // The mock cluster knows no idempotent producers.
      const sink = kafkaSink(link(topic), { idempotent: broker.isReal, ...options, topic: () => topic });
      sinks.push(sink);
      return sink;
    },
    unbound: () => `nowhere-${process.pid}-${(channels += 1)}`,
    copy(from, to) {
      const running = run(
        kafkaSource(link(), { ...timing, topics: [from], group: `${from}-copy`, transactional: true }),
        kafkaSink(link(), { topic: to, transactionalId: `${from}-copy` }),
      );
      return { stop: async () => void (await running.stop()) };
    },
    // Who is told the broker's own address goes past the proxy.
    ...(broker.behindProxy === undefined ? {} : { net }),
    ...(broker.secured === undefined
      ? {}
      : { auth: { deny: () => void (isDenied = true), grant: () => void (isDenied = false) } }),
    // The mock cluster does not miss a member that was killed.
    ...(broker.isReal ? { proc: clientProcesses(clientSetup(broker.url, driver)) } : {}),
    defaults: secureDefaults({
      maxBytes: MAX_BYTES,
      sink: () => kafkaSink(link(), { topic: unused.shift() ?? '' }),
      farLink: (password) =>
        kafkaLink({ brokers: ['broker.example:9092'], sasl: { mechanism: 'plain', username: 'me', password } }),
    }),
    ...(broker.isReal && broker.isOwn ? { broker: endsOf(broker) } : {}),
    peek: {
      opened: () => proxy.accepted,
      open: () => proxy.open,
      committed: (topic) =>
        kafkaAdmin(broker, async (admin) => {
          const [told] = await admin.fetchOffsets({ groupId: `${topic}-group`, topics: [topic] });
          return (told?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
        }),
    },
    explain: async () => (await broker.log?.()) ?? '',
    async close() {
      net.heal();
      isDenied = false;
      // The next case has it again, whatever this one ended with.
      if (broker.isOwn && broker.isReal) await broker.start();
      // What this one left open is not to trouble the next one, which is served at the same address.
      for (const sink of sinks) sink.complete();
      await until(() => expect(open.size).toBe(0), 10_000).catch(() => undefined);
      await proxy.close();
      await stalling.close();
    },
  };
}

const how = await findKafka().then(
  (found) => found.how,
  () => 'none',
);
const isMock = how === 'the mock cluster of kcat';
const isOwn = !isMock && process.env['TEST_KAFKA_BROKERS'] === undefined;
const { can, lacks } = kafkaVerbs(how, isOwn, findCommand('openssl') !== undefined);

const manyMembers = 'the mock cluster does not get ten members of a group settled within a minute';

/**
 * Everything that a driver has to hold, on a broker of its own: an implementation of Kafka (S0.15) that reads with the source
 * (S2.43) and writes with the sink (S2.44).
 */
export function kafkaContract(driver: KafkaDriverName): void {
  if (lacks !== undefined) console.warn(`Kafka over ${driver} is not tried in full: ${lacks}`);
  brokerSuite(`Kafka over ${driver}`, kafka, (broker) => {
    beforeEach((context) => {
      if (isMock && driver !== 'kafkajs') context.skip(`${how}: it does not speak to ${driver}`);
    });
    const skips: NonNullable<Harness['skips']> = {
      'REC-11': 'a login is renewed without a loss: see Kafka with tokens',
      'RES-02': 'takes minutes: npm run chaos',
      'SNK-07': 'one node never lacks copies, and one that is out of disk ends: see the cluster of three nodes',
      ...(isMock ? { 'DEL-03': manyMembers, 'DEL-05': manyMembers } : {}),
    };
    const harness: Harness = {
      name: `Kafka over ${driver}${isMock ? ', the mock cluster' : ''}`,
      clock: 'real',
      features,
      can: ['sink', 'peek.committed', ...can],
      secrets: [WRONG],
      maxMessages: 200,
      withinMs: 60_000,
      quietMs: 150,
      heartbeatMs: 1_000,
      // The client waits between its own tries, and a group takes its time to admit a member.
      reconnectMaxMs: 5_000,
      skips,
      open: () => open(broker(), driver),
    };
    proven(harness, { isRecorded: lacks === undefined });
    kafkaBehaviour(broker, driver);
    kafkaRecords(broker, driver);
  });
}
