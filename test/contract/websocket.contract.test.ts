import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { backoff, payload } from 'sluice';
import { conformance, type Bench, type Harness } from 'sluice/testing';
import { faultProxy } from 'sluice/testing-node';
import { webSocketLink, webSocketSink, webSocketSource, type PausingWebSocketLink } from 'sluice/websocket';

/** A server of bare `ws` that passes each frame on to everybody on the same path: it keeps nothing. */
async function relay(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  const paths = new Map<string, Set<WebSocket>>();
  server.on('connection', (socket, request) => {
    const url = String(request.url);
    const peers = paths.get(url) ?? new Set();
    paths.set(url, peers.add(socket));
    socket.on('error', () => undefined);
    socket.on('close', () => peers.delete(socket));
    socket.on('message', (data, isBinary) => {
      for (const peer of peers) if (peer !== socket) peer.send(data as Buffer, { binary: isBinary });
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function open(): Promise<Bench> {
  const server = await relay();
  const proxy = await faultProxy({ port: server.port });
  let channels = 0;
  // A connection of its own for each end: a relay does not echo.
  const linkTo = (channel: string): PausingWebSocketLink =>
    webSocketLink({
      url: `ws://127.0.0.1:${proxy.port}/${encodeURIComponent(channel)}`,
      client: 'ws',
      topic: channel,
      heartbeatMs: 1_000,
      connectTimeoutMs: 2_000,
      reconnect: backoff({ initialMs: 20, maxMs: 100, minMs: 5 }),
    });
  return {
    channel: (hint = 'topic') => `${hint} ${(channels += 1)}`,
    source: (channel, options) =>
      webSocketSource(linkTo(channel), options).pipe(payload((frame) => frame as Uint8Array)),
    sink: (channel, options) => webSocketSink(linkTo(channel), options),
    net: {
      cut: (how) => (how === 'rst' ? proxy.rst() : proxy.fin()),
      refuse: () => proxy.refuse(),
      blackhole: (direction) => proxy.blackhole(direction),
      heal: () => proxy.heal(),
    },
    peek: { opened: () => proxy.accepted },
    async close() {
      await proxy.close();
      await server.close();
    },
  };
}

const plain: Harness = {
  name: 'WebSocket, plain frames',
  clock: 'real',
  maxMessages: 200,
  withinMs: 45_000,
  features: {
    ack: 'none',
    confirms: 'local',
    flowControl: 'pause',
    headers: 'none',
    binary: true,
    byteCredit: true,
    broadcast: true,
    deliveryCount: true,
    fanOut: true,
    maxMessageBytes: 1024 * 1024,
    nackRequeue: true,
    ordered: true,
    peerDetectMs: 3_000,
    reconnects: true,
    tls: true,
    mtls: true,
    exposesServer: true,
  },
  can: ['sink', 'net.cut', 'net.refuse', 'net.blackhole', 'net.heal', 'peek.opened'],
  open,
};

conformance(plain, { describe, it, expect: (actual: unknown, what?: string) => expect(actual, what) });
