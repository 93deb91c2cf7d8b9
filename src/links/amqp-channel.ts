import type { Channel, ConfirmChannel } from 'amqplib';
import type { AmqpConnection } from './amqp.js';
import { amqpError } from './amqp-errors.js';

/**
 * A channel of its own on this connection. What is closed before it was handed over tells nobody: the client has read the
 * broker's farewell together with its welcome, and its first user finds out here. Without this it would be tried again and
 * again over a connection that is gone.
 *
 * @internal
 */
export async function openChannel(connection: AmqpConnection, kind: 'createChannel'): Promise<Channel>;
export async function openChannel(connection: AmqpConnection, kind: 'createConfirmChannel'): Promise<ConfirmChannel>;
export async function openChannel(
  connection: AmqpConnection,
  kind: 'createChannel' | 'createConfirmChannel',
): Promise<Channel> {
  try {
    return await connection.model[kind]();
  } catch (error) {
    if ((error as Error).name === 'IllegalOperationError') connection.lost(error);
    throw amqpError(error, 'amqp could not open a channel');
  }
}
