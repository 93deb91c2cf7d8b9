import type { Certificate } from '../helpers/certificate.js';
import type { Broker, Found, Way } from './broker.js';
import { environment } from './environment.js';
import { findBroker } from './find-broker.js';
import { kafkaComposed } from './kafka-composed.js';
import { kafkaJars } from './kafka-jars.js';
import { kafkaMock } from './kafka-mock.js';

/** A Kafka for a test. */
export interface KafkaBroker extends Broker {
  /** Not so for the mock cluster: it keeps little, forgets all when it ends, and cannot be started again. */
  readonly isReal: boolean;
  /**
   * Kafka tells its clients where to come back to. Who comes in by `port` is told `advertisedPort`: listen there with a
   * `faultProxy` for `port`. Only where the test started a real one.
   */
  readonly behindProxy?: { readonly port: number; readonly advertisedPort: number };
  /** The same cluster with TLS and a login. Only where the test started a real one and can make certificates. */
  readonly secured?: KafkaLogin;
  /** The same cluster for who brings a token of `bearerToken`. Only where the test started a real one of its own. */
  readonly bearer?: string;
}

/** What it takes to be let in: by PLAIN or SCRAM-SHA-256, with a certificate for `localhost`. */
export interface KafkaLogin {
  readonly url: string;
  readonly ca: string;
  readonly username: string;
  readonly password: string;
  /** Clients may show one of these, and no other. */
  readonly clients: readonly [Certificate, Certificate];
}

/** What is reached over an address is a real one. */
function real(way: Way): Way<KafkaBroker> {
  return async () => {
    const found = await way();
    return typeof found === 'string'
      ? found
      : { ...found, open: async () => ({ ...(await found.open()), isReal: true }) };
  };
}

/**
 * A Kafka for a test: that of `TEST_KAFKA_BROKERS`, a real one of its own, or the mock cluster of librdkafka.
 *
 * @throws BrokerMissing when there is none, or it does not start
 */
export async function kafka(): Promise<KafkaBroker> {
  return (await findKafka()).open();
}

/** Which one {@link kafka} gives. */
export function findKafka(): Promise<Found<KafkaBroker>> {
  return findBroker('Kafka', [real(environment('TEST_KAFKA_BROKERS')), kafkaJars, kafkaComposed, kafkaMock]);
}
