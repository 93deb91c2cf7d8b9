import { describe, it } from 'vitest';
import type { Flow, Sink } from 'sluice';
import { amqpLink, amqpSink, amqpSource } from 'sluice/amqp';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';
import { faultProxy } from 'sluice/testing-node';
import type { Broker } from '../brokers/broker.js';
import { brokerSuite } from '../brokers/broker-suite.js';
import { mosquitto } from '../brokers/mosquitto.js';
import { rabbitmq } from '../brokers/rabbitmq.js';
import { recoveries } from '../chaos/recoveries.js';
import { keptSession } from '../helpers/mqtt-session.js';

/** Both ends of one channel, at `url` and with everything else at its default. */
interface Ends {
  prepare?(url: string, channel: string): Promise<void>;
  source(url: string, channel: string): Flow<Uint8Array>;
  sink(url: string, channel: string): Sink<Uint8Array>;
}

const amqp: Ends = {
  source: (url, name) => amqpSource(amqpLink({ url, topology: { queues: [{ name }] } }), { queue: name }),
  sink: (url, name) =>
    amqpSink(amqpLink({ url, topology: { queues: [{ name }] } }), { exchange: '', routingKey: name }),
};
const mqtt: Ends = {
  prepare: (url, name) => keptSession(url, name, name),
  source: (url, name) => mqttSource(mqttLink({ url, clientId: name }), { topics: name }),
  sink: (url, name) => mqttSink(mqttLink({ url }), { topic: name }),
};

function comesBack(broker: () => Broker, { prepare, source, sink }: Ends): void {
  it.for(['idle', 'busy'] as const)(
    'delivers within 5 s, 99 times of a hundred, to a reader that is %s (REC-01, F17, G10)',
    async (how, { expect }) => {
      const { url, port } = broker();
      const proxy = await faultProxy({ port });
      const channels = Array.from({ length: 6 }, (_, at) => `back-${how}-${at}`);
      for (const channel of channels) await prepare?.(url, channel);
      const readers = channels.map((channel) => ({
        source: source(url.replace(`:${port}`, `:${proxy.port}`), channel),
        sink: sink(url, channel),
      }));
      try {
        const { tookMs, p99Ms, text } = await recoveries(proxy, how, readers);
        console.log(text);
        expect(tookMs).toHaveLength(30);
        expect(p99Ms).toBeLessThanOrEqual(5_000);
      } finally {
        await proxy.close();
      }
    },
  );
}

// They mostly wait.
describe.concurrent('a broker that could not be reached', () => {
  brokerSuite('RabbitMQ', rabbitmq, (broker) => comesBack(broker, amqp));
  brokerSuite(
    'Mosquitto',
    () => mosquitto([]),
    (broker) => comesBack(broker, mqtt),
  );
});
