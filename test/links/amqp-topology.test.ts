import { describe, expect, it } from 'vitest';
import { type AmqpTopology, checkTopology, declareTopology } from '../../src/links/amqp-topology.js';
import { fakeChannel } from '../helpers/amqp.js';

async function declared(topology: AmqpTopology): Promise<string[]> {
  const { channel, told } = fakeChannel();
  checkTopology(topology);
  await declareTopology(channel, topology);
  return told;
}

describe('a topology', () => {
  it('is declared in the order in which its parts need each other', async () => {
    const told = await declared({
      bindings: [
        { queue: 'q', exchange: 'x', pattern: 'a.#', arguments: { n: 1 } },
        { queue: 'q', exchange: 'y' },
      ],
      queues: [{ name: 'q' }],
      exchanges: [{ name: 'x' }, { name: 'y', type: 'fanout', durable: false, alternateExchange: 'x' }],
    });
    expect(told).toEqual([
      'exchange x topic {"durable":true,"arguments":{}}',
      'exchange y fanout {"durable":false,"alternateExchange":"x","arguments":{}}',
      'queue q {"durable":true,"arguments":{"x-queue-type":"quorum"}}',
      `bind q x 'a.#' {"n":1}`,
      `bind q y '' {}`,
    ]);
  });

  it('turns the options of a queue into arguments, and a full one refuses by default', async () => {
    const [told = ''] = await declared({
      queues: [
        {
          name: 'q',
          deadLetterExchange: '',
          deadLetterRoutingKey: 'q.dead',
          messageTtlMs: 5,
          deliveryLimit: 3,
          maxLength: 10,
          arguments: { 'x-max-length-bytes': 9, 'x-max-length': 11 },
        },
      ],
    });
    expect(JSON.parse(told.slice('queue q '.length))).toEqual({
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'q.dead',
        'x-message-ttl': 5,
        'x-delivery-limit': 3,
        'x-max-length': 11,
        'x-overflow': 'reject-publish',
        'x-max-length-bytes': 9,
      },
    });
  });

  it('makes a queue that need not last a classic one', async () => {
    expect(await declared({ queues: [{ name: 'q', durable: false, maxLength: 1, overflow: 'drop-head' }] })).toEqual([
      'queue q {"durable":false,"arguments":{"x-queue-type":"classic","x-max-length":1,"x-overflow":"drop-head"}}',
    ]);
    expect(await declared({})).toEqual([]);
  });

  it.each([
    [{ queue: [] }, `unknown option 'queue', did you mean 'queues'?`],
    [{ queues: {} }, 'expected an array'],
    [{ queues: [{ name: 'q' }, { nam: 'q' }] }, `queues[1]: unknown option 'nam', did you mean 'name'?`],
    [{ queues: [{ name: 'q', messageTtlMs: -1 }] }, `'messageTtlMs': expected a whole number from 0`],
    [{ exchanges: [{ name: 'x', type: 'any' }] }, 'expected one of direct, topic'],
    [{ bindings: [{ queue: 'q' }] }, `'exchange' is missing`],
  ])('is refused when it is %j', (topology, text) => {
    expect(() => checkTopology(topology as never)).toThrow(text);
  });
});
