import { connect, type ChannelModel } from 'amqplib';
import { systemClock } from 'sluice';
import { closeAmqp } from '../../src/links/amqp-close.js';

/**
 * Works over a connection of the bare client, and closes it. That it broke is told by what was asked over it; without a listener it
 * would end the whole run as well.
 */
export async function overAmqp<T>(url: string, work: (connection: ChannelModel) => Promise<T>): Promise<T> {
  const connection = await connect(url);
  connection.on('error', () => undefined);
  try {
    return await work(connection);
  } finally {
    await closeAmqp(connection, systemClock);
  }
}
