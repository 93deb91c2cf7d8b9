import { describe, expect, it } from 'vitest';
import { openChannel } from '../../src/links/amqp-channel.js';
import type { AmqpConnection } from '../../src/links/amqp.js';

const named = (name: string): Error => Object.assign(new Error('Connection closed'), { name });

function connection(error: Error): { readonly lost: unknown[]; readonly connection: AmqpConnection } {
  const lost: unknown[] = [];
  const model = { createChannel: () => Promise.reject(error) } as unknown as AmqpConnection['model'];
  return {
    lost,
    connection: {
      model,
      blockedFor: undefined,
      writers: new Set(),
      maxMessageBytes: Infinity,
      close: async () => undefined,
      lost: (reason) => void lost.push(reason),
      refused: (reason) => reason,
    },
  };
}

describe('openChannel', () => {
  it('gives up a connection that is closed already, and only such a one', async () => {
    const closed = connection(named('IllegalOperationError'));
    await expect(openChannel(closed.connection, 'createChannel')).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    expect(closed.lost).toHaveLength(1);
    const full = connection(new Error('No channels left to allocate'));
    await expect(openChannel(full.connection, 'createChannel')).rejects.toMatchObject({ retriable: true });
    expect(full.lost).toEqual([]);
  });
});
