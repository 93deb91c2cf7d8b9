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

it.each(['a connection that has ended', 'a client that is closed'])(
  'keeps nothing of who ends %s again',
  async (name) => {
    const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const sockets = new KafkaJsSockets(systemClock, { lost: () => undefined, alive: () => undefined });
    if (name === 'a client that is closed') sockets.destroy();
    const { port } = server.address() as AddressInfo;
    const socket = sockets.factory({ host: '127.0.0.1', port, onConnect: () => undefined } as never);
    socket.on('error', () => undefined).resume();
    await new Promise((resolve) => socket.on('close', resolve));
    const before = socket.listenerCount('connect');
    for (let time = 0; time < 12; time += 1) socket.end().unref();
    expect(socket.listenerCount('connect')).toBe(before);
  },
);
