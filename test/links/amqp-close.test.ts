import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';
import { closeAmqp as close } from '../../src/links/amqp-close.js';

const clock = virtualClock();
const closeAmqp = (closable: Parameters<typeof close>[0]): Promise<boolean> => close(closable, clock);
const closable = (close: () => Promise<void>) => Object.assign(new EventEmitter(), { close });

describe('closeAmqp', () => {
  it('resolves when it closed, and when it had been closed before', async () => {
    await expect(closeAmqp(closable(async () => undefined))).resolves.toBe(true);
    const closed = closable(() => Promise.reject(new Error('Channel closed')));
    await expect(closeAmqp(closed)).resolves.toBe(true);
  });

  it('resolves when what is below it goes first and the client never answers', async () => {
    const left = closable(() => new Promise(() => undefined));
    const done = closeAmqp(left);
    left.emit('close');
    await expect(done).resolves.toBe(true);
  });

  it('resolves when the client throws in place of a promise', async () => {
    const thrown = closable(() => {
      throw new Error('Connection closed');
    });
    await expect(closeAmqp(thrown)).resolves.toBe(true);
  });

  it('resolves when the broker gives no answer, and leaves no timer otherwise', async () => {
    expect(clock.pendingTimers).toBe(0);
    let isClosed: boolean | undefined;
    void closeAmqp(closable(() => new Promise(() => undefined))).then((closed) => (isClosed = closed));
    await clock.run(4_999);
    expect(isClosed).toBeUndefined();
    await clock.run(1);
    expect(isClosed).toBe(false);
  });
});
