import { connect } from 'amqplib';
import { expect, it } from 'vitest';
import { brokerSuite } from './broker-suite.js';
import { rabbitmq } from './rabbitmq.js';

async function publish(url: string, text: string): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('kept', { durable: true });
  channel.sendToQueue('kept', Buffer.from(text), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
}

async function kept(url: string): Promise<string | undefined> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  const message = await channel.get('kept', { noAck: true });
  await connection.close();
  return message === false ? undefined : message.content.toString();
}

brokerSuite('RabbitMQ', rabbitmq, (broker) => {
  it('has a durable message again after it was killed and started', async (context) => {
    if (!broker().isOwn) context.skip(`${broker().how} is not to be killed`);
    await publish(broker().url, 'one');
    // It confirms messages that are on disk, and declares queues before they are.
    await broker().control?.('eval', 'mnesia:sync_log().');
    await broker().kill();
    await expect(connect(broker().url)).rejects.toThrow('ECONNREFUSED');
    await broker().start();
    expect(await kept(broker().url)).toBe('one');
  });
});
