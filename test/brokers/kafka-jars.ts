import { makeCertificate } from '../helpers/certificate.js';
import type { Found } from './broker.js';
import { freePort } from './free-port.js';
import { kafkaClasses, type KafkaClasses } from './kafka-classes.js';
import { kafkaNode } from './kafka-node.js';
import type { KafkaBroker, KafkaLogin } from './kafka.js';

/** A real Kafka of one node, where Java and its jars are there. */
export async function kafkaJars(): Promise<Found<KafkaBroker> | string> {
  const classes = kafkaClasses();
  return typeof classes === 'string' ? classes : { how: classes.how, open: () => start(classes) };
}

async function start(classes: KafkaClasses): Promise<KafkaBroker> {
  const ports = Array.from({ length: 5 }, freePort);
  const [port, controllerPort, proxiedPort, advertisedPort, securedPort] = (await Promise.all(ports)) as Ports;
  const secured = securityOf(securedPort);
  const broker = await kafkaNode(classes, port, {
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `DIRECT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxiedPort},CONTROLLER://127.0.0.1:${controllerPort}${secured.listener}`,
    'advertised.listeners': `DIRECT://127.0.0.1:${port},PROXIED://127.0.0.1:${advertisedPort}${secured.listener}`,
    'listener.security.protocol.map': 'DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL',
    ...secured.config,
    // One broker holds all copies there are.
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
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
