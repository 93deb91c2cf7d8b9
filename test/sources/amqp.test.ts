import { describe, expect, it } from 'vitest';
import { NEVER } from 'rxjs';
import { amqpSource } from 'sluice/amqp';
import { virtualClock } from 'sluice/testing';
import { delivered, fakeChannel, fakeLink } from '../helpers/amqp.js';
import { collect } from '../helpers/collect.js';

const refusal = (code: number): Error => Object.assign(new Error('refused'), { code });

describe('amqpSource', () => {
  it.each([
    [{}, `'queue' is missing`],
    [{ queue: 'q', prefetch: 0 }, 'a whole number from 1 to 65535'],
    [{ queue: 'q', requeueDelay: 5 }, `did you mean 'requeueDelayMs'?`],
    [{ queue: 'q', exclusive: 'yes' }, 'expected true or false'],
    [{ queue: 'q', credit: -1 }, `'credit'`],
  ])('refuses %j', (options, text) => {
    expect(() => amqpSource(fakeLink([]), options as never)).toThrow(text);
  });

  it.each([
    [{ credit: 7 }, 7],
    [{ credit: 7, prefetch: 9 }, 9],
    [{ credit: 0 }, 1],
    [{ credit: NEVER }, 200],
    [{}, 200],
  ])('declares, limits what the broker hands out and consumes, in this order: %j', async (options, prefetch) => {
    const clock = virtualClock();
    const fake = fakeChannel();
    const link = fakeLink([fake], { clock, topology: { queues: [{ name: 'q' }] } });
    const { subscription, errors } = collect(amqpSource(link, { queue: 'q', clock, ...options }));
    await clock.run(10);
    expect(fake.told).toEqual([expect.stringMatching(/^queue q /), `prefetch ${prefetch}`, 'consume q']);
    subscription.unsubscribe();
    await clock.run(10);
    expect(fake.told.slice(3)).toEqual(['cancel tag', 'close']);
    expect(errors).toEqual([]);
  });

  it('emits, acks, and declares again over a new channel when the old one is gone (REC-04)', async () => {
    const clock = virtualClock();
    const [first, second] = [fakeChannel(), fakeChannel()];
    const link = fakeLink([first, second], { clock, topology: { queues: [{ name: 'q' }] } });
    const { messages, errors, subscription } = collect(amqpSource(link, { queue: 'q', clock }));
    await clock.run(10);
    first.deliver(delivered(1));
    await clock.run(10);
    first.emit('close');
    await clock.run(5_000);
    expect(second.told).toEqual([expect.stringMatching(/^queue q /), 'prefetch 200', 'consume q']);
    second.deliver(delivered(1, {}, { redelivered: true }));
    await clock.run(10);
    // The tag of the first channel is another message's on the second: it is never sent.
    messages[0]?.ack();
    await clock.run(10);
    expect(second.told).toHaveLength(3);
    messages[1]?.ack();
    await clock.run(10);
    expect(second.told.at(-1)).toBe('ack 1');
    expect([messages.map(({ attempt }) => attempt), errors]).toEqual([[1, 2], []]);
    subscription.unsubscribe();
    await clock.run(60_000);
  });

  it.each([
    ['assertQueue', 406, 'CONFIG_INVALID'],
    ['consume', 404, 'CONFIG_INVALID'],
    ['consume', 403, 'AUTH_FAILED'],
  ])('ends with an error when the broker refuses %s with %i', async (call, code, expected) => {
    const clock = virtualClock();
    const fake = fakeChannel({ [call]: refusal(code) });
    const link = fakeLink([fake], { clock, topology: { queues: [{ name: 'q' }] } });
    const { errors } = collect(amqpSource(link, { queue: 'q', clock }));
    await clock.run(10);
    expect(errors).toMatchObject([{ code: expected }]);
  });
});
