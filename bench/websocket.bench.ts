// Client and server against the bare package, every message counted by the application at the far end.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { mergeMap } from 'rxjs';
import { WebSocket, WebSocketServer } from 'ws';
import { fromAsyncIterable, run, type Flow, type Message } from 'sluice';
import { webSocket, webSocketLink, webSocketSink } from 'sluice/websocket';
import { webSocketServer, type WebSocketServer as OurServer } from 'sluice/websocket-server';
import { compare, type Contender, thousands, verdict } from './compare.js';
import { compareLatency, sluiceWay, type OpenWay } from './latency.js';
import { settings, sized } from './settings.js';
import type { PeerAnswer, PeerOrder } from './websocket-peer.js';

const COUNT = sized(100_000);
const CLIENTS = 25;
const HIGH_BYTES = 262_144;
const GOAL = { atLeast: 0.9, cpu: true };
const payload = JSON.stringify({ id: 1, symbol: 'ABC', price: 1.25, note: 'x'.repeat(200) });
const payloads = Array.from({ length: COUNT }, () => payload);
const share = payloads.slice(0, COUNT / CLIENTS);

const peer = fork(fileURLToPath(new URL('./websocket-peer.js', import.meta.url)));
const order = (what: PeerOrder): void => void peer.send(what);
async function answer(): Promise<PeerAnswer> {
  const [said] = (await once(peer, 'message')) as [PeerAnswer];
  return said;
}
const { port: peerPort = 0 } = await answer();
const url = (path: string, count = COUNT): string => `ws://127.0.0.1:${peerPort}/${path}?count=${count}`;

// --- the client -------------------------------------------------------------------------------------------------------

await compare(
  'client, receiving',
  COUNT,
  {
    name: 'sluice, credit and ack',
    run: () =>
      new Promise((resolve) => {
        let seen = 0;
        const { source } = webSocket(webSocketLink({ url: url('flood'), client: 'ws' }));
        const subscription = source.subscribe((message) => {
          if ((message.payload as string).length > 0) seen += 1;
          message.ack();
          if (seen < COUNT) return;
          subscription.unsubscribe();
          resolve(seen);
        });
      }),
  },
  [
    {
      name: 'bare ws',
      run: () =>
        new Promise((resolve) => {
          let seen = 0;
          const socket = new WebSocket(url('flood'), { perMessageDeflate: false });
          socket.on('message', (data: Buffer) => {
            if (data.toString().length > 0) seen += 1;
            if (seen < COUNT) return;
            socket.close();
            resolve(seen);
          });
        }),
    },
  ],
  GOAL,
);

await compare(
  'client, sending',
  COUNT,
  {
    name: 'sluice, confirmed',
    async run() {
      const { source, sink } = webSocket(webSocketLink({ url: url('count'), client: 'ws' }));
      const counted = new Promise<number>((resolve) => {
        const subscription = source.subscribe((message) => {
          message.ack();
          subscription.unsubscribe();
          resolve(Number(message.payload));
        });
      });
      const running = run(fromAsyncIterable(payloads, { credit: 1_024 }), sink);
      const seen = await counted;
      await running.done;
      return seen;
    },
  },
  [
    {
      name: `bare ws, held to ${HIGH_BYTES / 1024} KiB`,
      run: () =>
        new Promise((resolve) => {
          const socket = new WebSocket(url('count'), { perMessageDeflate: false });
          socket.on('open', () => sendAll(socket, payloads));
          socket.on('message', (data: Buffer) => {
            socket.close();
            resolve(Number(data.toString()));
          });
        }),
    },
  ],
  GOAL,
);

// --- the server -------------------------------------------------------------------------------------------------------

/** A server of ours to which the peer's clients have come. */
function ours(name: string, work: (server: OurServer<undefined>) => Promise<number>): Contender {
  let server: OurServer<undefined>;
  return {
    name,
    async before() {
      server = await webSocketServer({ port: 0, maxConnections: CLIENTS });
      await connected(server.address.port);
    },
    run: () => work(server),
    async after() {
      order({ leave: true });
      await server.close();
    },
  };
}

/** The same with the bare package. */
function bare(name: string, work: (sockets: readonly WebSocket[]) => Promise<number>): Contender {
  let server: WebSocketServer;
  return {
    name,
    async before() {
      server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
      await once(server, 'listening');
      await connected((server.address() as AddressInfo).port);
    },
    run: () => work([...server.clients]),
    async after() {
      order({ leave: true });
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function connected(port: number): Promise<void> {
  order({ connect: { port, clients: CLIENTS } });
  await answer();
}

await compare(
  `server, receiving from ${CLIENTS} clients`,
  COUNT,
  ours(
    'sluice, credit and ack',
    (server) =>
      new Promise((resolve) => {
        let seen = 0;
        for (const { source } of server.clients) {
          source.subscribe((message) => {
            if ((message.payload as string).length > 0) seen += 1;
            message.ack();
            if (seen === COUNT) resolve(seen);
          });
        }
        order({ flood: COUNT });
      }),
  ),
  [
    bare(
      'bare ws',
      (sockets) =>
        new Promise((resolve) => {
          let seen = 0;
          for (const socket of sockets) {
            socket.on('message', (data: Buffer) => {
              if (data.toString().length > 0) seen += 1;
              if (seen === COUNT) resolve(seen);
            });
          }
          order({ flood: COUNT });
        }),
    ),
  ],
  GOAL,
);

/** The peer counts from now on, which it says first: what came before that it would forget. */
async function counting(): Promise<{ readonly all: Promise<number> }> {
  order({ count: COUNT });
  await answer();
  return { all: answer().then(({ counted = 0 }) => counted) };
}

await compare(
  `server, sending to ${CLIENTS} clients each its own`,
  COUNT,
  ours('sluice, confirmed', async (server) => {
    const counted = await counting();
    for (const { sink } of server.clients) run(fromAsyncIterable(share, { credit: 256 }), sink);
    return counted.all;
  }),
  [
    bare(`bare ws, held to ${HIGH_BYTES / 1024} KiB`, async (sockets) => {
      const counted = await counting();
      for (const socket of sockets) sendAll(socket, share);
      return counted.all;
    }),
  ],
  GOAL,
);

await compare(
  `server, broadcasting to ${CLIENTS} clients`,
  COUNT,
  ours('sluice, confirmed', async (server) => {
    const counted = await counting();
    const feed = server.broadcast({ overflow: 'drop-oldest', confirm: 'sent', maxQueuedPerClient: share.length });
    run(fromAsyncIterable(share, { credit: 256 }), feed);
    return counted.all;
  }),
  [
    bare(`bare ws, held to ${HIGH_BYTES / 1024} KiB`, async (sockets) => {
      const counted = await counting();
      let at = 0;
      const send = (): void => {
        for (; at < share.length && sockets.every((socket) => socket.bufferedAmount < HIGH_BYTES); at += 1)
          for (const socket of sockets) socket.send(payload);
        if (at < share.length) setImmediate(send);
      };
      send();
      return counted.all;
    }),
  ],
  GOAL,
);

// --- latency (S3.29) --------------------------------------------------------------------------------------------------

const ourWay: OpenWay = async (take) => {
  const server = await webSocketServer({ port: 0 });
  const link = webSocketLink({ url: `ws://127.0.0.1:${server.address.port}/`, client: 'ws' });
  const frames = server.clients$.pipe(mergeMap(({ source }) => source)) as Flow<Uint8Array>;
  const way = sluiceWay(webSocketSink(link), frames, take);
  return { send: way.send, close: () => way.close().then(() => server.close()) };
};

const bareWay: OpenWay = async (take) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  await once(server, 'listening');
  server.on('connection', (socket) => socket.on('message', (data: Buffer) => take(data.toString())));
  const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
    perMessageDeflate: false,
  });
  await once(socket, 'open');
  return {
    send: (text) => socket.send(Buffer.from(text)),
    async close() {
      socket.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

await compareLatency(ourWay, bareWay);

// --- memory -----------------------------------------------------------------------------------------------------------

const OFFERED = 1_000_000;
const CREDIT = 256;
const KIB = 1024;
const stopped = 'client that has stopped, a million of 1 KiB offered';
if (settings.only === undefined || stopped.includes(settings.only)) {
  const used = async (): Promise<number> => {
    for (let round = 0; round < 3; round += 1) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return process.memoryUsage().rss;
  };
  const before = await used();
  const held: Message<unknown>[] = [];
  const link = webSocketLink({ url: url('kilobytes', OFFERED), client: 'ws' });
  const subscription = webSocket(link, { source: { credit: CREDIT } }).source.subscribe((m) => void held.push(m));
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const grown = (await used()) - before;
  const bound = CREDIT * 3 * KIB + 16 * KIB * KIB;
  console.log(`\n${stopped}: ${thousands(held.length)} held`);
  verdict({
    title: stopped,
    met: held.length === CREDIT && grown <= bound,
    seen: `${(grown / KIB / KIB).toFixed(1)} MiB`,
    wanted: `at most ${(bound / KIB / KIB).toFixed(1)} MiB`,
  });
  subscription.unsubscribe();
  for (const message of held) message.ack();
}
peer.kill();

function sendAll(socket: WebSocket, all: readonly string[]): void {
  let at = 0;
  const send = (): void => {
    while (at < all.length && socket.bufferedAmount < HIGH_BYTES) socket.send(all[at++] as string);
    if (at < all.length) setImmediate(send);
  };
  send();
}
