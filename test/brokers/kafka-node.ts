import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Broker } from './broker.js';
import type { KafkaClasses } from './kafka-classes.js';
import { kafkaReady } from './kafka-ready.js';
import { ownBroker } from './own-broker.js';

// A broker of a test is short-lived: what takes long to warm up does not pay.
const JAVA = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xms64m', '-Xmx384m', '-Dlog4j2.level=WARN'];
const CLUSTER = 'c2x1aWNlLXRlc3RzLTAwMQ';
// A folder is formatted once: a second start finds its data.
const START = `[ -e "$BROKER_FOLDER/data" ] || "$@" kafka.tools.StorageTool format -t ${CLUSTER} -c "$BROKER_FOLDER/conf" \\
  --add-scram 'SCRAM-SHA-256=[name=alice,password=wonderland]'
exec "$@" kafka.Kafka "$BROKER_FOLDER/conf"`;

/** One process that is broker and controller, in KRaft mode; `port` is where clients find it. */
export async function kafkaNode(
  { java, path, archive }: KafkaClasses,
  port: number,
  settings: Readonly<Record<string, string | number>>,
): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kafka-'));
  const config: Readonly<Record<string, string | number>> = {
    'process.roles': 'broker,controller',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'DIRECT',
    'log.dirs': join(folder, 'data'),
    // Few files are quicker opened than many.
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A member that was killed is to be missed soon.
    'group.min.session.timeout.ms': 500,
    'controlled.shutdown.enable': 'false',
    // One that was killed is let in again only after its session.
    'broker.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': 3_000,
    ...settings,
  };
  const archived = archive === undefined ? [] : [`-XX:SharedArchiveFile=${archive}`];
  const lines = Object.entries(config).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(join(folder, 'conf'), lines.join(''));
  return ownBroker({
    name: 'Kafka',
    command: ['sh', '-c', START, 'sh', java, ...JAVA, ...archived, '-cp', path],
    folder,
    port,
    url: `127.0.0.1:${port}`,
    ready: () => kafkaReady(port),
  });
}
