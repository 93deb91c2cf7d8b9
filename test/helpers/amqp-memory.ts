import type { Rabbitmq } from '../brokers/rabbitmq.js';
import { overAmqp } from './over-amqp.js';
import { until } from './until.js';

/** What a RabbitMQ may use of the machine's memory before it takes no more messages. */
const watermark = (share: number): string => `vm_memory_monitor:set_vm_memory_high_watermark(${share.toFixed(7)})`;

/** Sets off the alarm of a broker that is short of memory, and waits until who publishes is told. */
export async function shortOfMemory({ evaluate, url }: Rabbitmq): Promise<void> {
  await evaluate?.(watermark(0.0000001));
  // The order is done before its connections know of the alarm. One that comes after it is the last of them to be told.
  await overAmqp(url, async (connection) => {
    let isTold = false;
    connection.on('blocked', () => (isTold = true));
    const channel = await connection.createChannel();
    await until(() => {
      // Only who publishes is told.
      channel.publish('', 'nobody', Buffer.alloc(0));
      if (!isTold) throw new Error('RabbitMQ has not said yet that it takes no more messages.');
    });
  });
}

/** It has memory again. */
export async function enoughMemory({ evaluate }: Rabbitmq): Promise<void> {
  await evaluate?.(watermark(0.6));
}
