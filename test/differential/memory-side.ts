import { backoff, memoryBroker, memoryLink, memorySink, memorySource, type MemoryTopicOptions } from 'sluice';
import type { Side } from './stage.js';

const reconnect = backoff({ initialMs: 5, maxMs: 20, minMs: 1 });

/**
 * The broker in memory, each reader and writer over a connection of its own. What waits is counted as the system beside it
 * does: a log only knows what is not settled.
 */
export function memorySide(counts: 'waiting' | 'unsettled' = 'waiting'): Side {
  const topics: Record<string, MemoryTopicOptions> = {};
  const broker = memoryBroker({ topics });
  let made = 0;
  const access = (): ReturnType<typeof memoryLink> => memoryLink(broker, { name: `link ${(made += 1)}`, reconnect });
  return {
    name: 'memory',
    abilities: new Set([
      'requeue',
      'requeued before what waits',
      'dead letters',
      'competing readers',
      'backlog',
      'refuses when full',
      'attempts',
      'redeliveries',
      'read ahead unmarked',
      'counted redeliveries',
      'keys',
    ]),
    async channel({ deadLetters = false, maxMessages }) {
      const name = `channel ${(made += 1)}`;
      topics[name] = {
        ...(deadLetters ? { deadLetterTopic: `${name} dead` } : {}),
        ...(maxMessages === undefined ? {} : { maxMessages, overflow: 'refuse' }),
      };
      return name;
    },
    deadOf: (channel) => `${channel} dead`,
    source: (topic, options) => memorySource<Uint8Array>(access(), { reconnect, ...options, topic }),
    sink: (topic, options) => memorySink<Uint8Array>(access(), { reconnect, ...options, topic }),
    depth: async (topic) => broker.peek.depth(topic) + (counts === 'unsettled' ? broker.peek.unsettled(topic) : 0),
    cut: () => broker.faults.dropLink(),
    close: async () => undefined,
  };
}
