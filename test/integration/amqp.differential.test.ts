import { describe } from 'vitest';
import { backoff } from 'sluice';
import { amqpLink, amqpSink, amqpSource, type AmqpLink, type AmqpTopology } from 'sluice/amqp';
import { faultProxy, type FaultProxy } from 'sluice/testing-node';
import { brokerSuite } from '../brokers/broker-suite.js';
import { rabbitmq, type Rabbitmq } from '../brokers/rabbitmq.js';
import { compared } from '../differential/compared.js';
import type { Ability, Side } from '../differential/stage.js';
import { amqpAdmin } from '../helpers/amqp-admin.js';

const reconnect = backoff({ initialMs: 5, maxMs: 20, minMs: 1 });
let made = 0;

/** Queues of one type, each reader and writer over a link of its own. */
async function amqpSide(broker: Rabbitmq, type: 'quorum' | 'classic'): Promise<Side> {
  const proxy: FaultProxy = await faultProxy({ port: broker.port });
  const admin = amqpAdmin(broker.url);
  const url = broker.url.replace(`:${broker.port}`, `:${proxy.port}`);
  const topologies = new Map<string, AmqpTopology>();
  const link = (queue: string): AmqpLink => amqpLink({ url, topology: topologies.get(queue) ?? {}, reconnect });
  const abilities: Ability[] = ['requeue', 'dead letters', 'competing readers', 'backlog', 'keys', 'cut'];
  abilities.push('attempts', 'redeliveries', 'read ahead unmarked');
  if (type === 'classic') abilities.push('refuses when full', 'requeued before what waits');
  // It lets in a few more than its limit, and puts what comes back at its end unless it has a delivery limit.
  else abilities.push('counted redeliveries');
  return {
    name: `AMQP, ${type} queue`,
    abilities: new Set(abilities),
    async channel({ deadLetters = false, maxMessages }) {
      const name = `differential ${(made += 1)}`;
      const dead = `${name} dead`;
      const topology: AmqpTopology = {
        queues: [
          {
            name,
            type,
            ...(deadLetters ? { deadLetterExchange: '', deadLetterRoutingKey: dead } : {}),
            ...(maxMessages === undefined ? {} : { maxLength: maxMessages }),
          },
          { name: dead, type },
        ],
      };
      topologies.set(name, topology).set(dead, topology);
      return name;
    },
    deadOf: (channel) => `${channel} dead`,
    source: (queue, options) => amqpSource(link(queue), { requeueDelayMs: 0, reconnect, ...options, queue }),
    sink: (queue, options) => amqpSink(link(queue), { reconnect, ...options, exchange: '', routingKey: queue }),
    depth: (queue) => admin.depth(queue),
    cut: () => proxy.rst(),
    close: () => proxy.close(),
  };
}

brokerSuite('The broker in memory beside RabbitMQ', rabbitmq, (broker) => {
  describe.each(['classic', 'quorum'] as const)('with %s queues', { concurrent: true }, (type) => {
    compared({ open: () => amqpSide(broker(), type) });
  });
});
