import { describe, expect, it } from 'vitest';
import { backoff } from 'sluice';
import { amqpLink, amqpSink, amqpSource, type AmqpLink, type AmqpTopology } from 'sluice/amqp';
import { faultProxy, type FaultProxy } from 'sluice/testing-node';
import { brokerSuite } from '../brokers/broker-suite.js';
import { rabbitmq, type Rabbitmq } from '../brokers/rabbitmq.js';
import { memorySide } from '../differential/memory-side.js';
import { Meeting } from '../differential/meeting.js';
import { SCENARIOS } from '../differential/scenarios.js';
import { play, type Ability, type Side } from '../differential/stage.js';
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
  const abilities: Ability[] = ['requeue', 'dead letters', 'competing readers', 'backlog', 'attempts', 'keys'];
  if (type === 'classic') abilities.push('refuses when full', 'requeued before what waits');
  // It lets in a few more than its limit, and puts what comes back at its end unless it has a delivery limit.
  else abilities.push('attempts counted over a lost line');
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
    readers: (queue) => admin.readers(queue),
    depth: (queue) => admin.depth(queue),
    cut: () => proxy.rst(),
    close: () => proxy.close(),
  };
}

brokerSuite('The broker in memory beside RabbitMQ', rabbitmq, (broker) => {
  describe.each(['classic', 'quorum'] as const)('with %s queues', { concurrent: true }, (type) => {
    it.for(SCENARIOS.map(({ name, needs, run }) => [name, needs, run] as const))(
      'both show the same: it %s',
      async ([, needs, run], context) => {
        const meeting = new Meeting();
        const memory = memorySide();
        const amqp = await amqpSide(broker(), type);
        context.onTestFinished(() => amqp.close());
        for (const side of [memory, amqp])
          for (const ability of needs)
            if (!side.abilities.has(ability)) context.skip(`${side.name} does not know: ${ability}`);
        const [seen, expected] = await Promise.all([play(memory, meeting, run), play(amqp, meeting, run)]);
        expect(seen).toEqual(expected);
        expect(seen.length).toBeGreaterThan(0);
      },
    );
  });

  it('compares on 40 scenarios or more', () => {
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
    expect(SCENARIOS.length).toBeGreaterThanOrEqual(40);
  });
});
