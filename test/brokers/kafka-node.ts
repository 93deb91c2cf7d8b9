import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Broker } from './broker.js';
import type { KafkaClasses } from './kafka-classes.js';
import { kafkaReady } from './kafka-ready.js';
import { SCRAM } from './kafka-secured.js';
import { HEAP, OF_A_TEST, type KafkaSettings } from './kafka-settings.js';
import { ownBroker } from './own-broker.js';

// A broker of a test is short-lived: what takes long to warm up does not pay.
const JAVA = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...HEAP, '-Dlog4j2.level=WARN'];
const CLUSTER = 'c2x1aWNlLXRlc3RzLTAwMQ';
// A folder is formatted once: a second start finds its data.
const START = `[ -e "$BROKER_FOLDER/data" ] || "$@" kafka.tools.StorageTool format -t ${CLUSTER} -c "$BROKER_FOLDER/conf" \\
  --add-scram 'SCRAM-SHA-256=[name=${SCRAM.username},password=${SCRAM.password}]'
exec "$@" kafka.Kafka "$BROKER_FOLDER/conf"`;

/** One process that is broker and controller, in KRaft mode; `port` is where clients find it. */
export async function kafkaNode(
  { java, path, archive }: KafkaClasses,
  port: number,
  settings: KafkaSettings,
): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kafka-'));
  const config: KafkaSettings = {
    ...OF_A_TEST,
    'inter.broker.listener.name': 'DIRECT',
    'log.dirs': join(folder, 'data'),
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
