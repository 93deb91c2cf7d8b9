// tsx test/brokers/serve.ts rabbitmq|mosquitto|kafka [SETTING …]: starts a broker for another program, says its URL, and ends it with its input.
import type { Broker } from './broker.js';
import { kafka } from './kafka.js';
import { mosquitto } from './mosquitto.js';
import { rabbitmq } from './rabbitmq.js';

const [name = '', ...settings] = process.argv.slice(2);
const brokers: Readonly<Record<string, () => Promise<Broker>>> = {
  rabbitmq,
  mosquitto: () => mosquitto(settings),
  kafka,
};
const open = brokers[name];
if (open === undefined) throw new Error(`expected one of ${Object.keys(brokers).join(', ')}`);
const broker = await open();
console.log(broker.url);
process.stdin.resume().on('end', () => void broker.close());
