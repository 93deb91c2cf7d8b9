import type { Found } from './broker.js';
import { findChromium } from './chromium.js';
import { findKafka } from './kafka.js';
import { findMosquitto } from './mosquitto.js';
import { findRabbitmq } from './rabbitmq.js';

/** Says before the integration suite which brokers and which browser it runs against, and which suites it leaves out for what reason. */
export default async function announce(): Promise<void> {
  const found = await Promise.all([
    line('RabbitMQ', findRabbitmq()),
    line('Mosquitto', findMosquitto()),
    line('Kafka', findKafka()),
    line('Chromium', findChromium()),
  ]);
  console.log(`${found.join('\n')}\n`);
}

async function line(name: string, finding: Promise<Pick<Found, 'how'>>): Promise<string> {
  return finding.then(
    ({ how }) => `${name}: ${how}`,
    (missing: unknown) => `${String(missing)}; its suites are skipped (npm run brokers:install)`,
  );
}
