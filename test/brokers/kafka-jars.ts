import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Found } from './broker.js';
import { findCommand } from './find-command.js';
import { freePort } from './free-port.js';
import { kafkaReady } from './kafka-ready.js';
import { makeCertificate } from '../helpers/certificate.js';
import type { KafkaBroker, KafkaLogin } from './kafka.js';
import { ownBroker } from './own-broker.js';

const POM = new URL('./kafka.pom.xml', import.meta.url);
// A broker of a test is short-lived: what takes long to warm up does not pay.
const JAVA = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xms64m', '-Xmx384m', '-Dlog4j2.level=WARN'];
const CLUSTER = 'c2x1aWNlLXRlc3RzLTAwMQ';
// A folder is formatted once: a second start finds its data.
const START = `[ -e "$BROKER_FOLDER/data" ] || "$@" kafka.tools.StorageTool format -t ${CLUSTER} -c "$BROKER_FOLDER/conf" \\
  --add-scram 'SCRAM-SHA-256=[name=alice,password=wonderland]'
exec "$@" kafka.Kafka "$BROKER_FOLDER/conf"`;

/** A real Kafka in KRaft mode: Java, and the jars of `KAFKA_HOME` or those that `npm run brokers:install` has brought. */
export async function kafkaJars(): Promise<Found<KafkaBroker> | string> {
  const java = findCommand(
    ...(process.env['JAVA_HOME'] === undefined ? [] : [`${process.env['JAVA_HOME']}/bin/java`]),
    'java',
  );
  if (java === undefined) return 'java is not installed';
  const home = process.env['KAFKA_HOME'];
  const jars = home === undefined ? brought() : join(home, 'libs');
  if (!hasJars(jars))
    return home === undefined ? 'the jars of Kafka are not installed' : 'KAFKA_HOME has no libs/*.jar';
  return { how: home === undefined ? 'installed' : 'that of KAFKA_HOME', open: () => start(java, join(jars, '*')) };
}

/** Where `scripts/install-brokers.sh` puts them: outside of the project, once for all its copies. */
function brought(): string {
  const version = /<kafka\.version>(.+)<\/kafka\.version>/.exec(readFileSync(POM, 'utf8'))?.[1] ?? '';
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(cache, 'sluice', `kafka-${version}`);
}

function hasJars(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => /^kafka_.*\.jar$/.test(name));
  } catch {
    return false;
  }
}

async function start(java: string, classes: string): Promise<KafkaBroker> {
  const ports = Array.from({ length: 5 }, freePort);
  const [port, controllerPort, proxiedPort, advertisedPort, securedPort] = (await Promise.all(ports)) as Ports;
  const secured = securityOf(securedPort);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kafka-'));
  const config: Readonly<Record<string, string | number>> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'DIRECT',
    listeners: `DIRECT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxiedPort},CONTROLLER://127.0.0.1:${controllerPort}${secured.listener}`,
    'advertised.listeners': `DIRECT://127.0.0.1:${port},PROXIED://127.0.0.1:${advertisedPort}${secured.listener}`,
    'listener.security.protocol.map': 'DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL',
    ...secured.config,
    'log.dirs': join(folder, 'data'),
    // One broker holds all copies there are, and few files are quicker opened than many.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A member that was killed is to be missed soon.
    'group.min.session.timeout.ms': 500,
    'controlled.shutdown.enable': 'false',
    // One that was killed is let in again only after its session.
    'broker.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': 3_000,
  };
  const lines = Object.entries(config).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(join(folder, 'conf'), lines.join(''));
  const broker = await ownBroker({
    name: 'Kafka',
    command: ['sh', '-c', START, 'sh', java, ...JAVA, '-cp', classes],
    folder,
    port,
    url: `127.0.0.1:${port}`,
    ready: () => kafkaReady(port),
  });
  const how = typeof secured.login === 'string' ? {} : { secured: secured.login };
  return { ...broker, ...how, isReal: true, behindProxy: { port: proxiedPort, advertisedPort } };
}

type Ports = [number, number, number, number, number];

/** A listener with TLS and a login, where there is a program to make a certificate with. */
function securityOf(port: number): {
  readonly listener: string;
  readonly config: Readonly<Record<string, string>>;
  readonly login: KafkaLogin | string;
} {
  const certificate = makeCertificate();
  if (typeof certificate === 'string') return { listener: '', config: {}, login: certificate };
  const { cert, key } = certificate;
  const module = 'org.apache.kafka.common.security';
  const named = (text: string): string => `listener.name.secured.${text}`;
  // A line of the file of properties: its line ends are written out.
  const lines = (pem: string): string => pem.trim().replaceAll('\n', '\\n');
  return {
    listener: `,SECURED://localhost:${port}`,
    config: {
      [named('sasl.enabled.mechanisms')]: 'PLAIN,SCRAM-SHA-256',
      [named('plain.sasl.jaas.config')]: `${module}.plain.PlainLoginModule required user_alice="wonderland";`,
      [named('scram-sha-256.sasl.jaas.config')]: `${module}.scram.ScramLoginModule required;`,
      [named('ssl.keystore.type')]: 'PEM',
      [named('ssl.keystore.certificate.chain')]: lines(cert),
      [named('ssl.keystore.key')]: lines(key),
    },
    login: { url: `localhost:${port}`, ca: cert, username: 'alice', password: 'wonderland' },
  };
}
