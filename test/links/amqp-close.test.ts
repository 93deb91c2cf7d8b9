import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { closeAmqp } from '../../src/links/amqp-close.js';

const closable = (close: () => Promise<void>) => Object.assign(new EventEmitter(), { close });

describe('closeAmqp', () => {
  it('resolves when it closed, and when it had been closed before', async () => {
    await expect(closeAmqp(closable(async () => undefined))).resolves.toBeUndefined();
    const closed = closable(() => Promise.reject(new Error('Channel closed')));
    await expect(closeAmqp(closed)).resolves.toBeUndefined();
  });

  it('resolves when what is below it goes first and the client never answers', async () => {
    const left = closable(() => new Promise(() => undefined));
    const done = closeAmqp(left);
    left.emit('close');
    await expect(done).resolves.toBeUndefined();
  });

  it('resolves when the client throws in place of a promise', async () => {
    const thrown = closable(() => {
      throw new Error('Connection closed');
    });
    await expect(closeAmqp(thrown)).resolves.toBeUndefined();
  });
});
