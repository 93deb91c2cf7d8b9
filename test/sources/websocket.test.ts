import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { run } from 'sluice';
import { webSocketLink, webSocketSource } from 'sluice/websocket';
import { collect } from '../helpers/collect.js';
import { until } from '../helpers/until.js';
import { bareServer } from '../helpers/websocket.js';

describe('webSocketSource', () => {
  it('emits every frame, text as string and binary as bytes (S2.39)', async () => {
    await using server = await bareServer((socket) => {
      socket.send('');
      socket.send('häß 😀');
      socket.send(Buffer.from([0, 255]));
    });
    const source = webSocketSource(webSocketLink({ url: server.url, client: WebSocket, topic: 'feed' }));
    const { messages, payloads, subscription } = collect(source, (message) => message.ack());
    await until(() => expect(payloads).toEqual(['', 'häß 😀', new Uint8Array([0, 255])]));
    expect(messages[0]).toMatchObject({ topic: 'feed', attempt: 1, meta: { protocol: '' } });
    subscription.unsubscribe();
  });

  it('works off what it received when it is drained, then closes (SHU-02)', async () => {
    await using server = await bareServer((socket) => {
      for (let at = 0; at < 20; at += 1) socket.send(`${at}`);
      socket.ping();
    });
    let pings = 0;
    server.server.on('connection', (socket) => socket.on('pong', () => (pings += 1)));
    const held: (() => void)[] = [];
    const seen: unknown[] = [];
    const sink = {
      next: (message: { payload: unknown; ack(): boolean }) => {
        seen.push(message.payload);
        held.push(() => message.ack());
      },
      error: () => undefined,
      complete: () => undefined,
    };
    const running = run(webSocketSource(webSocketLink({ url: server.url, client: 'ws' }), { credit: 4 }), sink);
    await until(() => expect([seen.length, pings]).toEqual([4, 1]));
    const stopped = running.stop();
    await until(() => {
      for (const settle of held.splice(0)) settle();
      expect(seen).toHaveLength(20);
    });
    expect(await stopped).toMatchObject({ clean: true });
    await until(() => expect(server.server.clients.size).toBe(0));
  });

  it('takes n and leaves (SHU-03)', async () => {
    await using server = await bareServer((socket) => {
      for (let at = 0; at < 100; at += 1) socket.send(`${at}`);
    });
    const { take } = await import('rxjs');
    const source = webSocketSource(webSocketLink({ url: server.url, client: 'ws' })).pipe(take(3));
    const collected = collect(source, (message) => message.ack());
    await until(() => expect(collected.completed).toBe(true));
    expect(collected.payloads).toEqual(['0', '1', '2']);
    await until(() => expect(server.server.clients.size).toBe(0));
  });

  it('refuses options it does not know and credit out of range (CRD-05)', () => {
    const link = webSocketLink({ url: 'ws://localhost', client: 'ws' });
    expect(() => webSocketSource(link, { topics: 'x' } as never)).toThrow(`did you mean 'topic'`);
    for (const credit of [-1, 0.5, NaN, 65_536, Infinity])
      expect(() => webSocketSource(link, { credit })).toThrow(`'credit'`);
  });
});
