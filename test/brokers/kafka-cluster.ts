import type { Broker, Found } from './broker.js';
import { findBroker } from './find-broker.js';
import { freePort } from './free-port.js';
import { kafkaClasses, type KafkaClasses } from './kafka-classes.js';
import { kafkaNode } from './kafka-node.js';

const NODES = [1, 2, 3] as const;

/** Three nodes, each of which has a copy of everything and may be killed and started while the others go on. */
export interface KafkaCluster {
  /** By their number in the cluster. */
  readonly nodes: ReadonlyMap<number, Broker>;
  /** Where clients may connect to first, with commas in between. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * A real Kafka of three nodes, for a test.
 *
 * @throws BrokerMissing when Java or its jars are missing, or it does not start
 */
export async function kafkaCluster(): Promise<KafkaCluster> {
  return (await findBroker('Kafka of three nodes', [installed])).open();
}

async function installed(): Promise<Found<KafkaCluster> | string> {
  const classes = kafkaClasses();
  return typeof classes === 'string' ? classes : { how: classes.how, open: () => start(classes) };
}

async function start(classes: KafkaClasses): Promise<KafkaCluster> {
  const places = await Promise.all(
    NODES.map(async (id) => ({ id, port: await freePort(), controllerPort: await freePort() })),
  );
  const voters = places.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join();
  const starting = places.map(async ({ id, port, controllerPort }) => {
    const node = await kafkaNode(classes, port, {
      'node.id': id,
      'controller.quorum.voters': voters,
      listeners: `DIRECT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': `DIRECT://127.0.0.1:${port}`,
      'listener.security.protocol.map': 'DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      // What is confirmed is on two of them at least, and so survives the loss of any one.
      'default.replication.factor': NODES.length,
      'min.insync.replicas': 2,
      'offsets.topic.replication.factor': NODES.length,
      'transaction.state.log.replication.factor': NODES.length,
      'transaction.state.log.min.isr': 2,
    });
    return [id, node] as const;
  });
  const started = await Promise.allSettled(starting);
  const nodes = new Map(started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  const close = async (): Promise<void> => {
    await Promise.all([...nodes.values()].map((node) => node.close()));
  };
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await close();
    throw failed.reason;
  }
  const urls = [...nodes.values()].map(({ url }) => url);
  return { nodes, url: urls.join(), close };
}
