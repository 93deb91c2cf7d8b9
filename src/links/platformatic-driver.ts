import { peerMissing } from '../connection/load-peer.js';
import { wait } from '../connection/wait.js';
import { SluiceError } from '../errors.js';
import type { KafkaClient, KafkaDriver } from './kafka-driver.js';
import { kafkaErrorType } from './kafka-errors.js';
import { PlatformaticCluster } from './platformatic-cluster.js';
import type { Platformatic } from './platformatic-connection.js';
import { PlatformaticConsumer } from './platformatic-consumer.js';
import { committedIn, EARLIEST, LATEST, offsetsAt } from './platformatic-offsets.js';
import { PlatformaticProducer } from './platformatic-producer.js';

const UNKNOWN = 'UNKNOWN_TOPIC_OR_PARTITION';
/** What a topic is not yet that was just made. */
const NEW: ReadonlySet<string | undefined> = new Set([UNKNOWN, 'LEADER_NOT_AVAILABLE']);
const AGAIN_MS = 100;
const TRIES = 50;
/** As the cluster has it by default. */
const DEFAULT = -1;

/**
 * The requests of @platformatic/kafka 1.35 and 2, in the versions that Kafka 3.0 and later know. Its own consumer gives no
 * moment to settle what is about to be given back, and reads ahead by itself; so groups, reading and writing are done here,
 * and the package is asked for connections, logins and the form of requests.
 *
 * @internal
 */
export const platformaticDriver: KafkaDriver = {
  async connect(cluster, events) {
    const client = await import('@platformatic/kafka').catch(peerMissing('@platformatic/kafka', '^1.35.0 || ^2.0.0'));
    const asking = new PlatformaticCluster(client, cluster, events);
    try {
      await checkVersions(client, asking);
      await asking.connect();
    } catch (error) {
      asking.destroy();
      throw error;
    }
    return {
      ...questions(asking, cluster.autoCreateTopics),
      async consumer(plan, consumerEvents) {
        const consumer = new PlatformaticConsumer(
          new PlatformaticCluster(client, cluster, consumerEvents),
          plan,
          consumerEvents,
        );
        return started(consumer);
      },
      async producer(plan, producerEvents) {
        const producer = new PlatformaticProducer(new PlatformaticCluster(client, cluster, producerEvents), plan);
        return started(producer);
      },
      async close() {
        asking.leave();
        asking.destroy();
      },
    };
  },
};

async function started<T extends { start(): Promise<void>; close(): Promise<void> }>(one: T): Promise<T> {
  try {
    await one.start();
    return one;
  } catch (error) {
    await one.close();
    throw error;
  }
}

/** A broker that does not know a request would only close the connection. */
async function checkVersions(client: Platformatic, asking: PlatformaticCluster): Promise<void> {
  const broker = await asking.any();
  const told = await broker.ask((to) => client.apiVersionsV3.api.async(to, 'sluice', '0'));
  const known = new Map(told.apiKeys.map((one) => [one.apiKey, one]));
  const { produceV9, fetchV12, listOffsetsV7, metadataV12, offsetCommitV8, offsetFetchV8, findCoordinatorV4 } = client;
  const { joinGroupV7, heartbeatV4, leaveGroupV4, syncGroupV5, initProducerIdV4 } = client;
  const needed = [
    ...[produceV9, fetchV12, listOffsetsV7, metadataV12, offsetCommitV8, offsetFetchV8, findCoordinatorV4],
    ...[joinGroupV7, heartbeatV4, leaveGroupV4, syncGroupV5, initProducerIdV4],
  ];
  for (const { api } of needed) {
    const { minVersion = 0, maxVersion = -1 } = known.get(api.key) ?? {};
    if (api.version >= minVersion && api.version <= maxVersion) continue;
    const text = `kafka: the broker does not know version ${api.version} of request ${api.key}; this driver needs Kafka 3.0 or later.`;
    throw new SluiceError('PROTOCOL_ERROR', text);
  }
}

function questions(
  asking: PlatformaticCluster,
  autoCreateTopics: boolean,
): Pick<KafkaClient, 'ping' | 'partitions' | 'offsets' | 'committed'> {
  const { client, cluster } = asking;
  const ids = async (topic: string): Promise<number[]> => {
    const { topics } = await asking.metadata([topic]);
    return topics.flatMap(({ partitions }) => partitions.map(({ partitionIndex }) => partitionIndex));
  };
  async function make(topic: string): Promise<void> {
    const asked = { name: topic, numPartitions: DEFAULT, replicationFactor: DEFAULT, assignments: [], configs: [] };
    const { controllerId } = await asking.metadata([]);
    const broker = await asking.at(controllerId);
    const { requestTimeoutMs } = cluster;
    await broker
      .ask((to) => client.createTopicsV7.api.async(to, [asked], requestTimeoutMs, false))
      .catch((error: unknown) => {
        // Somebody else was quicker.
        if (kafkaErrorType(error) !== 'TOPIC_ALREADY_EXISTS') throw error;
      });
  }
  async function made(topic: string): Promise<number[]> {
    await make(topic);
    for (let tries = 1; ; tries += 1) {
      try {
        return await ids(topic);
      } catch (error) {
        if (tries >= TRIES || !NEW.has(kafkaErrorType(error))) throw error;
      }
      await wait(cluster.clock, AGAIN_MS);
    }
  }
  return {
    ping: async () => void (await asking.metadata([])),
    async partitions(topic) {
      const found = await ids(topic).catch((error: unknown) => {
        if (!autoCreateTopics || kafkaErrorType(error) !== UNKNOWN) throw error;
        return made(topic);
      });
      return found.length;
    },
    offsets: async (topic, at) =>
      offsetsAt(asking, topic, await ids(topic), at === 'earliest' ? EARLIEST : at === 'latest' ? LATEST : at),
    committed: async (group, topic) => committedIn(asking, group, topic, await ids(topic)),
  };
}
