import { composed, type Prepared } from './composed.js';
import { freePort } from './free-port.js';
import { kafkaReady } from './kafka-ready.js';
import { kafkaSecured, SCRAM } from './kafka-secured.js';
import { ALONE, HEAP, OF_A_TEST } from './kafka-settings.js';
import { kafkaVariables } from './kafka-variables.js';
import type { KafkaBroker } from './kafka.js';

/** Where the broker finds itself: the other addresses are those that clients outside of the container use. */
const INSIDE = 'localhost:19092';

/** A real Kafka of one node in a container, where an engine answers. */
export const kafkaComposed = composed('kafka', prepare);

async function prepare(port: number): Promise<Prepared<KafkaBroker>> {
  const [proxiedPort, advertisedPort, securedPort] = [await freePort(), await freePort(), await freePort()];
  const secured = kafkaSecured(securedPort);
  const [bound, told] =
    secured === undefined ? ['', ''] : [`,SECURED://:${securedPort}`, `,SECURED://localhost:${securedPort}`];
  const variables = kafkaVariables({
    ...OF_A_TEST,
    ...ALONE,
    ...secured?.settings,
    listeners: `OUTSIDE://:9092,INSIDE://${INSIDE},CONTROLLER://localhost:9093,PROXIED://:${proxiedPort}${bound}`,
    'advertised.listeners': `OUTSIDE://127.0.0.1:${port},INSIDE://${INSIDE},PROXIED://127.0.0.1:${advertisedPort}${told}`,
    'listener.security.protocol.map':
      'OUTSIDE:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT,SECURED:SASL_SSL',
  });
  const published = secured === undefined ? [proxiedPort] : [proxiedPort, securedPort];
  return {
    url: `127.0.0.1:${port}`,
    ready: () => kafkaReady(port),
    parts: {
      ports: published.map((each) => `127.0.0.1:${each}:${each}`),
      environment: { ...variables, KAFKA_HEAP_OPTS: HEAP.join(' ') },
    },
    async opened(broker) {
      const real = { ...broker, isReal: true, behindProxy: { port: proxiedPort, advertisedPort } };
      if (secured === undefined) return real;
      await broker.exec(
        '/opt/kafka/bin/kafka-configs.sh',
        ...['--bootstrap-server', INSIDE, '--alter', '--entity-type', 'users', '--entity-name', SCRAM.username],
        ...['--add-config', `SCRAM-SHA-256=[password=${SCRAM.password}]`],
      );
      return { ...real, secured: secured.login };
    },
  };
}
