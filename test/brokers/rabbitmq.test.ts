import { connect } from 'amqplib';
import { expect, it } from 'vitest';
import { overAmqp } from '../helpers/over-amqp.js';
import { brokerSuite } from './broker-suite.js';
import { rabbitmq } from './rabbitmq.js';

const publish = (url: string, text: string): Promise<void> =>
  overAmqp(url, async (connection) => {
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('kept', { durable: true });
    channel.sendToQueue('kept', Buffer.from(text), { persistent: true });
    await channel.waitForConfirms();
  });

const kept = (url: string): Promise<string | undefined> =>
  overAmqp(url, async (connection) => {
    const channel = await connection.createChannel();
    const message = await channel.get('kept', { noAck: true });
    return message === false ? undefined : message.content.toString();
  });

brokerSuite('RabbitMQ', rabbitmq, (broker) => {
  it('has a durable message again after it was killed and started', async (context) => {
    if (!broker().isOwn) context.skip(`${broker().how} is not to be killed`);
    await publish(broker().url, 'one');
    // It confirms messages that are on disk, and declares queues before they are.
    await broker().evaluate?.('mnesia:sync_log()');
    await broker().kill();
    await expect(connect(broker().url)).rejects.toThrow('ECONNREFUSED');
    await broker().start();
    expect(await kept(broker().url)).toBe('one');
  });
});
