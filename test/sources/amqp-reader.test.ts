import { describe, expect, it } from 'vitest';
import type { Delivery, ReaderContext } from 'sluice/connection';
import { virtualClock } from 'sluice/testing';
import type { AmqpConnection } from '../../src/links/amqp.js';
import { AmqpAttempts } from '../../src/sources/amqp-attempts.js';
import { AmqpReader } from '../../src/sources/amqp-reader.js';
import { delivered, fakeChannel } from '../helpers/amqp.js';

async function open(options: { readonly requeueDelayMs?: number; readonly maxBytes?: number } = {}) {
  const clock = virtualClock();
  const fake = fakeChannel();
  const offered: Delivery<Uint8Array>[] = [];
  const lost: unknown[] = [];
  const context = {
    clock,
    offer: (delivery: Delivery<Uint8Array>) => offered.push(delivery) > 0,
    lost: (error: unknown) => void lost.push(error),
  } as unknown as ReaderContext<Uint8Array>;
  const connection = { refused: (error: unknown) => error } as unknown as AmqpConnection;
  const reader = new AmqpReader(
    fake.channel,
    connection,
    context,
    { queue: 'orders', ...options },
    new AmqpAttempts(),
    2,
  );
  await reader.start();
  fake.told.length = 0;
  const settle = (at: number, outcome: 'ack' | 'requeue' | 'dead' | 'drop' | 'release'): void =>
    reader.settle(offered[at]?.position, outcome);
  return { ...fake, fake, clock, offered, lost, reader, settle };
}

describe('the reader of a queue', () => {
  it('offers what came with where it stood', async () => {
    const { fake, offered } = await open();
    fake.deliver(delivered(1, { messageId: 'id', timestamp: 7, correlationId: 'c', replyTo: 'r' }));
    expect(offered[0]).toMatchObject({
      payload: Buffer.from('m1'),
      topic: 'orders.new',
      id: 'id',
      timeMs: 7_000,
      attempt: 1,
      bytes: 2,
      meta: { exchange: 'x', routingKey: 'orders.new', queue: 'orders', redelivered: false, deliveryTag: 1 },
    });
    expect(offered[0]?.meta).toMatchObject({ correlationId: 'c', replyTo: 'r' });
  });

  it('takes a time that is none for none: a sender may write any number of 64 bits', async () => {
    const { fake, offered } = await open();
    for (const timestamp of [1.8e19, 8.64e12]) fake.deliver(delivered(1, { timestamp }));
    expect(offered.map(({ timeMs }) => timeMs)).toEqual([undefined, 8.64e15]);
  });

  it('offers what is longer than maxBytes as refused, with its first bytes (S03, B10, F11)', async () => {
    const { fake, offered } = await open({ maxBytes: 1 });
    fake.deliver(delivered(1));
    fake.deliver(delivered(2, { headers: { name: ['va', 'lue'] }, contentType: 't' }));
    expect(offered[1]?.bytes).toBe(1 + 4 + 5 + 12 + 1);
    expect(offered.slice(0, 1)).toMatchObject([
      { payload: Uint8Array.of(109), bytes: 1, refusal: { code: 'PAYLOAD_TOO_LARGE' }, meta: { deliveryTag: 1 } },
    ]);
    const usual = await open();
    const large = (tag: number, bytes: number) => ({ ...delivered(tag), content: Buffer.alloc(bytes) });
    for (const bytes of [1_048_576, 1_048_577]) usual.fake.deliver(large(bytes, bytes));
    expect(usual.offered.map(({ bytes, refusal }) => [bytes, refusal?.code])).toEqual([
      [1_048_576, undefined],
      [65_536, 'PAYLOAD_TOO_LARGE'],
    ]);
  });

  it('takes an empty message id for none', async () => {
    const { fake, offered } = await open();
    fake.deliver(delivered(1, { messageId: '' }));
    expect(offered[0]?.id).toBeUndefined();
  });

  it('tells each outcome in the words of AMQP (MSG-01)', async () => {
    const { fake, settle, told, clock } = await open();
    for (const tag of [1, 2, 3, 4]) fake.deliver(delivered(tag));
    settle(0, 'ack');
    settle(1, 'dead');
    settle(2, 'drop');
    settle(3, 'release');
    clock.advance(0);
    expect(told).toEqual(['nack 2 dead', 'nack 4 requeue', 'ack 3+']);
  });

  it('keeps a requeued message for its delay, and counts its attempts by id', async () => {
    const { fake, settle, told, clock, offered } = await open();
    fake.deliver(delivered(1, { messageId: 'a' }));
    settle(0, 'requeue');
    clock.advance(999);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual(['nack 1 requeue']);
    fake.deliver(delivered(2, { messageId: 'a' }, { redelivered: true }));
    settle(1, 'requeue');
    clock.advance(1_000);
    fake.deliver(delivered(3, { messageId: 'a' }, { redelivered: true }));
    expect(offered.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  it('gives a requeued message back at once without a delay, and with the close', async () => {
    const at0 = await open({ requeueDelayMs: 0 });
    at0.fake.deliver(delivered(1));
    at0.settle(0, 'requeue');
    expect(at0.told).toEqual(['nack 1 requeue']);
    const { fake, settle, told, clock, reader } = await open();
    fake.deliver(delivered(1));
    fake.deliver(delivered(2));
    settle(0, 'requeue');
    settle(1, 'ack');
    await reader.close();
    await reader.close();
    expect(told).toEqual(['nack 1 requeue', 'ack 2', 'close']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('says nothing to a channel that is gone, and is lost with what can be tried again (MSG-03)', async () => {
    const { fake, settle, told, clock, lost } = await open();
    fake.deliver(delivered(1));
    fake.deliver(delivered(2));
    settle(0, 'requeue');
    fake.emit('error', Object.assign(new Error('unknown delivery tag 9'), { code: 406 }));
    fake.emit('close');
    settle(1, 'ack');
    clock.advance(5_000);
    expect(told).toEqual([]);
    expect(lost).toMatchObject([{ code: 'CONNECTION_LOST', retriable: true, details: { code: 406 } }]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('opens anew when the broker ends its reading', async () => {
    const { fake, lost } = await open();
    fake.deliver(null);
    expect(lost).toMatchObject([{ code: 'CONNECTION_LOST', retriable: true }]);
  });

  it('asks for no more after stop, and not of a channel that is gone', async () => {
    const { reader, told, fake } = await open();
    reader.stop();
    expect(told).toEqual(['cancel tag']);
    fake.emit('close');
    reader.stop();
    expect(told).toEqual(['cancel tag']);
  });

  it('says that it stalls when what waits is for nobody else and does not come (REC-06)', async () => {
    const { reader, fake, settle } = await open();
    const answers: boolean[] = [];
    for (const waits of [
      { messageCount: 0, consumerCount: 1 },
      { messageCount: 3, consumerCount: 1 },
      { messageCount: 3, consumerCount: 2 },
      { messageCount: 0, consumerCount: 0 },
    ]) {
      fake.waits = waits;
      answers.push(await reader.probe());
    }
    expect(answers).toEqual([true, false, true, false]);
    // As much as may be is handed out: then what waits waits for us.
    fake.waits = { messageCount: 3, consumerCount: 1 };
    fake.deliver(delivered(1));
    fake.deliver(delivered(2));
    expect(await reader.probe()).toBe(true);
    settle(1, 'ack');
    expect(await reader.probe()).toBe(false);
  });
});
