import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Found } from './broker.js';
import { findCommand } from './find-command.js';
import type { KafkaBroker } from './kafka.js';
import { ownBroker } from './own-broker.js';

/** The mock cluster of librdkafka inside kcat: Kafka's protocol with consumer groups, in memory. It chooses its port. */
export async function kafkaMock(): Promise<Found<KafkaBroker> | string> {
  const kcat = findCommand('kcat', 'kafkacat');
  if (kcat === undefined) return 'kcat is not installed';
  return { how: 'the mock cluster of kcat', open: () => start(kcat) };
}

async function start(kcat: string): Promise<KafkaBroker> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kafka-mock-'));
  const cluster = { url: '', port: 0 };
  const broker = await ownBroker({
    name: 'The mock cluster of kcat',
    // It consumes from a topic that nobody fills: that keeps it alive.
    command: [kcat, '-X', 'test.mock.num.brokers=1', '-b', 'localhost:1', '-C', '-t', 'unused', '-d', 'mock'],
    folder,
    get url() {
      return cluster.url;
    },
    get port() {
      return cluster.port;
    },
    ready: async () => {
      const found = /bootstrap\.servers=127\.0\.0\.1:(\d+)/.exec(await readFile(join(folder, 'log'), 'utf8'))?.[1];
      if (found === undefined) throw new Error('It has not said its address yet.');
      cluster.port = Number(found);
      cluster.url = `127.0.0.1:${found}`;
    },
  });
  const refuse = async (): Promise<void> => {
    throw new Error('The mock cluster forgets everything when it ends: it cannot be started again.');
  };
  return { ...broker, isReal: false, start: refuse };
}
