import { Kafka, logLevel, type Admin } from 'kafkajs';
import { until } from './until.js';

/** Asks a cluster, or makes something there, over a connection of its own. `url` may be several, with commas in between. */
export async function kafkaAdmin<T>({ url }: { readonly url: string }, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: url.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Settings of a topic, as the broker calls them. */
type TopicConfig = Readonly<Record<string, string>>;

/** Makes a topic; resolves when it can be written to. What is set later is in force some time after it was answered. */
export function makeTopic(
  broker: { readonly url: string },
  topic: string,
  partitions: number,
  config: TopicConfig = {},
): Promise<void> {
  return kafkaAdmin(broker, (admin) => makeTopics(admin, [topic], partitions, config));
}

/** The same for many, which takes no longer than for one. */
export async function makeTopics(
  admin: Admin,
  names: readonly string[],
  partitions: number,
  config: TopicConfig = {},
): Promise<void> {
  // As a broker of a test has it, on any other one: what is written may say that it is old.
  const configEntries = Object.entries({ 'retention.ms': '-1', ...config }).map(([name, value]) => ({ name, value }));
  await admin.createTopics({
    topics: names.map((topic) => ({ topic, numPartitions: partitions, configEntries })),
    waitForLeaders: false,
  });
  // The client's own wait gives up where the broker has not heard of a topic yet that its controller has made.
  await until(async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [...names] });
    if (topics.some((topic) => topic.partitions.length < partitions || topic.partitions.some((one) => one.leader < 0)))
      throw new Error('Some partitions have no leader yet.');
  });
  // A leader that has not taken over yet refuses what is written; only one that has says where its partitions end.
  for (const name of names) await until(() => admin.fetchTopicOffsets(name));
}

/** How many messages of a topic lie behind what a group has committed. */
export function lagOf(broker: { readonly url: string }, topic: string, group: string): Promise<number> {
  return kafkaAdmin(broker, async (admin) => {
    const ends = await admin.fetchTopicOffsets(topic);
    const [told] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    const committed = new Map(told?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    return ends.reduce((sum, { partition, low, high }) => {
      const at = committed.get(partition) ?? -1;
      return sum + Number(high) - (at < 0 ? Number(low) : at);
    }, 0);
  });
}
