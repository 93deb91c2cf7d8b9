import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { isSluiceError, systemClock } from 'sluice';
import { KafkaJsSockets } from '../../src/links/kafkajs-sockets.js';

it('takes what the client cannot read for the end of the connection, and not of the process', async () => {
  const server = createServer((socket) => socket.write('half of an answer')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const lost: unknown[] = [];
  const sockets = new KafkaJsSockets(systemClock, {
    lost: (error) => void lost.push(error),
    alive: () => undefined,
  });
  sockets.ready();
  const { port } = server.address() as AddressInfo;
  const socket = sockets.factory({ host: '127.0.0.1', port, onConnect: () => undefined } as never);
  socket.on('data', () => {
    throw new RangeError('out of bounds');
  });
  await new Promise((resolve) => socket.on('close', resolve));
  expect(lost).toHaveLength(1);
  expect(lost[0]).toSatisfy((error: unknown) => isSluiceError(error) && error.code === 'CONNECTION_LOST');
  expect(lost[0]).toMatchObject({ retriable: true, cause: { cause: new RangeError('out of bounds') } });
});
