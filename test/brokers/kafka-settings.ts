/** Lines of Kafka's file of properties. */
export type KafkaSettings = Readonly<Record<string, string | number>>;

/** What Java gives it: the broker of a test holds little. */
export const HEAP = ['-Xms64m', '-Xmx384m'] as const;

/** What each Kafka of a test is told beside where it listens. */
export const OF_A_TEST: KafkaSettings = {
  'process.roles': 'broker,controller',
  'controller.listener.names': 'CONTROLLER',
  // Few files are quicker opened than many.
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.num.partitions': 1,
  'share.coordinator.state.topic.num.partitions': 1,
  'group.initial.rebalance.delay.ms': 0,
  // After a kill each index is read from end to end, and has this size, 10 MiB otherwise, until its segment is full. That it is
  // when an index is: here after some 20 MiB of messages.
  'log.index.size.max.bytes': 65_536,
  // What a test writes may say that it is of 1970, and half a minute after its start a broker throws away what is too old.
  'log.retention.ms': -1,
  // A member that was killed is to be missed soon.
  'group.min.session.timeout.ms': 500,
  'controlled.shutdown.enable': 'false',
  // One that was killed is let in again only after its session.
  'broker.heartbeat.interval.ms': 500,
  'broker.session.timeout.ms': 3_000,
};

/** One broker holds all copies there are. */
export const ALONE: KafkaSettings = {
  'node.id': 1,
  'offsets.topic.replication.factor': 1,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
};
