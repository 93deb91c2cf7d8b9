import type { Admin, Kafka, KafkaConfig, Mechanism, SASLOptions } from 'kafkajs';
import { peerMissing } from '../connection/load-peer.js';
import type { KafkaClient, KafkaCluster, KafkaDriver } from './kafka-driver.js';
import { kafkaErrorType, unanswered } from './kafka-errors.js';
import type { KafkaSasl, KafkaTls } from './kafka-security.js';
import { within } from './kafka-within.js';
import { bearerLogin } from './kafkajs-bearer.js';
import { KafkaJsConsumer } from './kafkajs-consumer.js';
import { passwordLogin } from './kafkajs-password.js';
import { KafkaJsProducer } from './kafkajs-producer.js';
import { KafkaJsSockets } from './kafkajs-sockets.js';

const UNKNOWN = 'UNKNOWN_TOPIC_OR_PARTITION';
const CLOSE_MS = 2_000;
/**
 * It logs in anew so long before a login ends. A broker takes no second one within a second: the client's own 10 s would make it refuse
 * every login that lasts less than 11, a request behind the other.
 */
const LOGIN_AHEAD_MS = 1_000;

/** kafkajs 2.2. Each client of it has a cluster and sockets of its own. @internal */
export const kafkaJsDriver: KafkaDriver = {
  async connect(cluster, events) {
    const kafkajs = await import('kafkajs').catch(peerMissing('kafkajs', '^2.2.4'));
    const { Kafka: Client, logLevel, PartitionAssigners } = kafkajs;
    const make = async (sockets: KafkaJsSockets): Promise<Kafka> => {
      const config = configOf(cluster, await cluster.tls());
      return new Client({ ...config, logLevel: logLevel.NOTHING, socketFactory: sockets.factory });
    };
    const sockets = new KafkaJsSockets(cluster.clock, events);
    const admin = (await make(sockets)).admin();
    const { REQUEST_TIMEOUT } = admin.events;
    admin.on(REQUEST_TIMEOUT, () => events.lost(unanswered()));
    try {
      await admin.connect();
      sockets.ready();
    } catch (error) {
      sockets.destroy();
      throw error;
    }
    return {
      ...questions(admin, cluster),
      async consumer(plan, consumerEvents) {
        const own = new KafkaJsSockets(cluster.clock, consumerEvents);
        const consumer = new KafkaJsConsumer(await make(own), PartitionAssigners.roundRobin, plan, consumerEvents, own);
        await consumer.start().catch(async (error: unknown) => {
          await consumer.close();
          throw error;
        });
        return consumer;
      },
      async producer(plan, producerEvents) {
        const own = new KafkaJsSockets(cluster.clock, producerEvents);
        const producer = new KafkaJsProducer(await make(own), kafkajs.CompressionTypes, plan, producerEvents, own);
        await producer.start().catch(async (error: unknown) => {
          await producer.close();
          throw error;
        });
        return producer;
      },
      async close() {
        sockets.leave();
        await within(cluster.clock, CLOSE_MS, admin.disconnect());
        sockets.destroy();
      },
    };
  },
};

function questions(
  admin: Admin,
  { autoCreateTopics }: KafkaCluster,
): Pick<KafkaClient, 'ping' | 'partitions' | 'offsets' | 'committed'> {
  return {
    ping: async () => void (await admin.describeCluster()),
    async partitions(topic) {
      const count = async (): Promise<number> => {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        return topics[0]?.partitions.length ?? 0;
      };
      return count().catch(async (error: unknown) => {
        if (!autoCreateTopics || kafkaErrorType(error) !== UNKNOWN) throw error;
        // False when somebody else was quicker.
        await admin.createTopics({ topics: [{ topic }] });
        return count();
      });
    },
    async offsets(topic, at) {
      const told =
        typeof at === 'number'
          ? await admin.fetchTopicOffsetsByTimestamp(topic, at)
          : (await admin.fetchTopicOffsets(topic)).map(({ partition, high, low }) => ({
              partition,
              offset: at === 'latest' ? high : low,
            }));
      return new Map(told.map(({ partition, offset }) => [partition, Number(offset)]));
    },
    async committed(group, topic) {
      const [told] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      const known = (told?.partitions ?? []).map(({ partition, offset }) => [partition, Number(offset)] as const);
      // -1 stands for none.
      return new Map(known.filter(([, offset]) => offset >= 0));
    },
  };
}

function configOf(cluster: KafkaCluster, tls: KafkaTls | undefined): KafkaConfig {
  const { brokers, clientId, sasl, connectTimeoutMs, requestTimeoutMs } = cluster;
  return {
    brokers: [...brokers],
    clientId,
    connectionTimeout: connectTimeoutMs,
    authenticationTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    reauthenticationThreshold: LOGIN_AHEAD_MS,
    // Few and short: the kit opens anew, with growing waits, and says so.
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 },
    ...(tls === undefined ? {} : { ssl: { ...tls } as NonNullable<KafkaConfig['ssl']> }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
  };
}

function saslOf(sasl: KafkaSasl): SASLOptions | Mechanism {
  if (sasl.mechanism === 'oauthbearer')
    return { mechanism: 'oauthbearer', authenticationProvider: bearerLogin(sasl.token) };
  const { mechanism, username, password } = sasl;
  if (typeof password === 'function') return { mechanism, authenticationProvider: passwordLogin(sasl) };
  return { mechanism, username, password } as SASLOptions;
}
