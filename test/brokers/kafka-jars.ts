import type { Found } from './broker.js';
import { freePort } from './free-port.js';
import { BEARER } from './kafka-bearer.js';
import { kafkaClasses, type KafkaClasses } from './kafka-classes.js';
import { kafkaNode } from './kafka-node.js';
import { kafkaSecured } from './kafka-secured.js';
import { ALONE } from './kafka-settings.js';
import type { KafkaBroker } from './kafka.js';

/** A real Kafka of one node, where Java and its jars are there. */
export async function kafkaJars(): Promise<Found<KafkaBroker> | string> {
  const classes = kafkaClasses();
  return typeof classes === 'string' ? classes : { how: classes.how, open: () => start(classes) };
}

async function start(classes: KafkaClasses): Promise<KafkaBroker> {
  const ports = Array.from({ length: 6 }, freePort);
  const [port, controllerPort, proxiedPort, advertisedPort, securedPort, bearerPort] = (await Promise.all(
    ports,
  )) as Ports;
  const secured = kafkaSecured(securedPort);
  const listener = secured === undefined ? '' : `,SECURED://localhost:${securedPort}`;
  const broker = await kafkaNode(classes, port, {
    ...ALONE,
    ...secured?.settings,
    ...BEARER,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `DIRECT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxiedPort},CONTROLLER://127.0.0.1:${controllerPort},BEARER://127.0.0.1:${bearerPort}${listener}`,
    'advertised.listeners': `DIRECT://127.0.0.1:${port},PROXIED://127.0.0.1:${advertisedPort},BEARER://127.0.0.1:${bearerPort}${listener}`,
    'listener.security.protocol.map':
      'DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,BEARER:SASL_PLAINTEXT,SECURED:SASL_SSL',
  });
  const login = secured === undefined ? {} : { secured: secured.login };
  const bearer = `127.0.0.1:${bearerPort}`;
  return { ...broker, ...login, isReal: true, behindProxy: { port: proxiedPort, advertisedPort }, bearer };
}

type Ports = [number, number, number, number, number, number];
