import type { Channel, GetMessage } from 'amqplib';
import { overAmqp } from './over-amqp.js';

/** What an operator does, over a connection of its own. */
export interface AmqpAdmin {
  /** Works on a channel of its own. */
  with<T>(work: (channel: Channel) => Promise<T>): Promise<T>;
  /** How many messages wait. */
  depth(queue: string): Promise<number>;
  /** Puts texts into a queue, with these as their ids too. */
  put(queue: string, ...texts: readonly string[]): Promise<void>;
  /** Takes out all that wait, oldest first. */
  drain(queue: string): Promise<GetMessage[]>;
}

/** An operator at this broker. */
export function amqpAdmin(url: string): AmqpAdmin {
  const withChannel = <T>(work: (channel: Channel) => Promise<T>): Promise<T> =>
    overAmqp(url, async (connection) => {
      const channel = await connection.createChannel();
      // What closes it is told by what was asked as well.
      channel.on('error', () => undefined);
      return work(channel);
    });
  return {
    with: withChannel,
    depth: (queue) => withChannel(async (channel) => (await channel.checkQueue(queue)).messageCount),
    put: (queue, ...texts) =>
      overAmqp(url, async (connection) => {
        const channel = await connection.createConfirmChannel();
        let returned = 0;
        channel.on('return', () => (returned += 1));
        for (const text of texts)
          channel.sendToQueue(queue, Buffer.from(text), { persistent: true, mandatory: true, messageId: text });
        await channel.waitForConfirms();
        // What no queue takes is confirmed all the same, after it came back.
        if (returned > 0) throw new Error(`There is no queue ${queue} yet.`);
      }),
    drain: (queue) =>
      withChannel(async (channel) => {
        const all: GetMessage[] = [];
        for (;;) {
          const message = await channel.get(queue, { noAck: true });
          if (message === false) return all;
          all.push(message);
        }
      }),
  };
}
