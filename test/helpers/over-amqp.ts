import { connect, type ChannelModel } from 'amqplib';

/**
 * Works over a connection of the bare client, and closes it. That it broke is told by what was asked over it; without a listener it
 * would end the whole run as well.
 */
export async function overAmqp<T>(url: string, work: (connection: ChannelModel) => Promise<T>): Promise<T> {
  const connection = await connect(url);
  connection.on('error', () => undefined);
  const closed = new Promise((resolve) => connection.once('close', resolve));
  try {
    return await work(connection);
  } finally {
    // One that broke cannot be closed once more.
    await Promise.all([
      closed,
      Promise.resolve(connection)
        .then((open) => open.close())
        .catch(() => undefined),
    ]);
  }
}
