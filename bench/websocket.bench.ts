// Receiving and sending over WebSocket against the bare client, every message counted at the far end.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { fromAsyncIterable, run } from 'sluice';
import { webSocket, webSocketLink } from 'sluice/websocket';
import { compare } from './compare.js';

const COUNT = 100_000;
const payload = JSON.stringify({ id: 1, symbol: 'ABC', price: 1.25, note: 'x'.repeat(200) });
const payloads = Array.from({ length: COUNT }, () => payload);
const peer = fork(fileURLToPath(new URL('./websocket-peer.ts', import.meta.url)), { execArgv: process.execArgv });
const [port] = (await once(peer, 'message')) as [number];
const url = (path: string): string => `ws://127.0.0.1:${port}/${path}?count=${COUNT}`;

await compare(
  'WebSocket client, receiving',
  COUNT,
  {
    name: 'sluice, credit and ack',
    run: () =>
      new Promise((resolve) => {
        let seen = 0;
        const { source } = webSocket(webSocketLink({ url: url('flood'), client: 'ws' }));
        const subscription = source.subscribe((message) => {
          seen += 1;
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
  { atLeast: 0.9 },
);

await compare(
  'WebSocket client, sending',
  COUNT,
  {
    name: 'sluice, confirmed',
    async run() {
      const link = webSocketLink({ url: url('count'), client: 'ws' });
      const { source, sink } = webSocket(link);
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
      name: 'bare ws, held to 256 KiB',
      run: () =>
        new Promise((resolve) => {
          const socket = new WebSocket(url('count'), { perMessageDeflate: false });
          let at = 0;
          const send = (): void => {
            while (at < COUNT && socket.bufferedAmount < 262_144) socket.send(payloads[at++] as string);
            if (at < COUNT) setImmediate(send);
          };
          socket.on('open', send);
          socket.on('message', (data: Buffer) => {
            socket.close();
            resolve(Number(data.toString()));
          });
        }),
    },
  ],
  { atLeast: 0.9 },
);
peer.kill();
