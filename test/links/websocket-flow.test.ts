import { afterEach, describe, expect, it } from 'vitest';
import { backoff, observe, type Message, type SluiceEvent } from 'sluice';
import { webSocket, webSocketLink, webSocketSource } from 'sluice/websocket';
import { collect } from '../helpers/collect.js';
import { until } from '../helpers/until.js';
import { bareServer, give } from '../helpers/websocket.js';

const soon = backoff({ initialMs: 5, maxMs: 20, minMs: 1 });
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function collecting<T>(...parameters: Parameters<typeof collect<T>>): ReturnType<typeof collect<T>> {
  const collected = collect<T>(...parameters);
  cleanups.push(() => {
    for (const message of collected.messages) message.ack();
    collected.subscription.unsubscribe();
  });
  return collected;
}

const ack = (message: Message<unknown>): void => void message.ack();
const quote = (n: number): string => JSON.stringify({ ch: 'quotes', n });

describe('a channel', () => {
  it('opens with its first subscriber, is shared, closes with its last', async () => {
    await using server = await bareServer();
    const feed = webSocket(webSocketLink({ url: server.url, client: 'ws' }));
    const channel = { open: 'sub', close: 'unsub', match: { ch: 'quotes' } };
    const status = collecting(feed.source, ack);
    const first = collecting(feed.channel(channel), ack);
    const second = collecting(feed.channel(channel), ack);
    await until(() => expect(server.received).toEqual(['sub']));
    server.sockets[0]?.send(quote(1));
    server.sockets[0]?.send('{"ch":"trades"}');
    await until(() => expect(status.payloads).toHaveLength(2));
    expect([first.payloads, second.payloads]).toEqual([[quote(1)], [quote(1)]]);
    first.subscription.unsubscribe();
    const other = collecting(feed.channel({ open: 'other', match: { ch: 'trades' } }), ack);
    second.subscription.unsubscribe();
    await until(() => expect(server.received).toEqual(['sub', 'other', 'unsub']));
    expect(other.payloads).toEqual([]);
  });

  it('matches by values of fields, by several values, and by what a function says', async () => {
    await using server = await bareServer((socket) => {
      for (const symbol of ['A', 'B', 'C']) socket.send(JSON.stringify({ ch: 'quotes', symbol }));
      socket.send('text');
      socket.send('[1]');
      socket.send('null');
    });
    const feed = webSocket(webSocketLink({ url: server.url, client: 'ws' }));
    const fields = collecting(feed.channel({ open: '1', match: { ch: 'quotes', symbol: ['A', 'C'] } }), ack);
    const own = collecting(feed.channel({ open: '2', match: ({ data }) => data === 'text' }), ack);
    const inherited = collecting(feed.channel({ open: '3', match: { constructor: Object } }), ack);
    await until(() => expect([fields.payloads.length, own.payloads]).toEqual([2, ['text']]));
    expect(inherited.payloads).toEqual([]);
  });

  it('is opened again on every connection, before anything that was queued (S3.88, pain 25)', async () => {
    await using server = await bareServer();
    const link = webSocketLink({ url: server.url, client: 'ws', reconnect: soon });
    const feed = webSocket(link);
    const { outcomes, source } = give(feed.sink, 'first');
    const offer = (status: string): void => {
      for (let at = 0; at < (status === 'reconnecting' ? 50 : 0); at += 1) source.offer(`queued ${at}`);
    };
    const watching = link.status$.subscribe(offer);
    cleanups.push(() => watching.unsubscribe());
    let token = 0;
    collecting(feed.channel({ open: () => `sub quotes ${(token += 1)}`, match: { ch: 'quotes' } }), ack);
    collecting(feed.channel({ open: 'sub trades', match: { ch: 'trades' } }), ack);
    await until(() => expect(server.received).toHaveLength(3));
    server.sockets[0]?.terminate();
    await until(() => expect(outcomes).toHaveLength(51));
    await until(() => expect(server.received).toHaveLength(55));
    expect(server.received.slice(3, 6)).toEqual(['sub quotes 2', 'sub trades', 'queued 0']);
    expect(new Set(outcomes)).toEqual(new Set(['ack']));
  });

  it('gets what the server sends in the same packet as the answer to the upgrade', async () => {
    await using server = await bareServer();
    server.server.on('headers', () => undefined);
    server.server.on('connection', (socket) => {
      for (let n = 0; n < 100; n += 1) socket.send(quote(n));
    });
    const feed = webSocket(webSocketLink({ url: server.url, client: 'ws' }), { source: { credit: 1_000 } });
    const { payloads } = collecting(feed.channel({ open: 'sub', match: { ch: 'quotes' } }), ack);
    await until(() => expect(payloads).toHaveLength(100));
  });

  it('needs an open frame and a match', () => {
    const feed = webSocket(webSocketLink({ url: 'ws://localhost', client: 'ws' }));
    expect(() => feed.channel({ open: 'x' } as never)).toThrow(`'match' is missing`);
    expect(() => feed.channel({ match: {} } as never)).toThrow(`'open' is missing`);
  });
});

describe('reading', () => {
  it('never runs ahead of the credit and leaves the peer waiting (CRD-01, CRD-10, F6)', async () => {
    await using server = await bareServer();
    const link = webSocketLink({ url: server.url, client: 'ws', maxBufferedBytes: 100_000 });
    let isReading = false;
    const { messages } = collecting(
      webSocketSource(link, { credit: 16 }),
      (message) => void (isReading && message.ack()),
    );
    await until(() => expect(server.sockets).toHaveLength(1));
    const [socket] = server.sockets;
    for (let at = 0; at < 20_000; at += 1) socket?.send(`${at}`.padEnd(1_000));
    // Far more than the buffers of the kernel and the bound of the source together: the rest stays at the sender.
    await until(() => expect(messages).toHaveLength(16));
    expect(socket?.bufferedAmount).toBeGreaterThan(5_000_000);
    isReading = true;
    for (const message of [...messages]) message.ack();
    await until(() => expect(messages).toHaveLength(20_000));
    expect(messages.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
  });

  it('keeps the connection to a server that pings while nobody settles, data or not (M-9, CRD-01, G12)', async () => {
    // The heartbeat of the ws documentation: a ping each beat, and the end for who did not answer two.
    const beats = { total: 0, cut: 0 };
    await using server = await bareServer((socket) => {
      let missed = 0;
      socket.on('pong', () => (missed = 0));
      const timer = setInterval(() => {
        beats.total += 1;
        missed += 1;
        if (missed > 2) {
          beats.cut += 1;
          socket.terminate();
        } else socket.ping();
      }, 100);
      socket.on('close', () => clearInterval(timer));
    });
    const link = webSocketLink({ url: server.url, client: 'ws', maxBufferedBytes: 100_000, heartbeatMs: 400 });
    const { messages } = collecting(webSocketSource(link, { credit: 1 }));
    await until(() => expect(server.sockets).toHaveLength(1));
    const [socket] = server.sockets;
    // Within the bound the pings behind the data are read and answered; beyond it, pongs go out unasked.
    for (const backlog of [10, 20_000]) {
      for (let at = 0; at < backlog; at += 1) socket?.send('x'.repeat(1_000));
      const enough = beats.total + 8;
      await until(() => expect(beats.total).toBeGreaterThan(enough));
    }
    expect([beats.cut, messages.length, server.sockets.length]).toEqual([0, 1, 1]);
    messages[0]?.ack();
    await until(() => expect(messages).toHaveLength(2));
  });

  it('gives up by its policy what does not fit where that is wished for', async () => {
    await using server = await bareServer();
    const link = webSocketLink({ url: server.url, client: 'ws' });
    const events: SluiceEvent[] = [];
    cleanups.push(observe((event) => events.push(event)));
    const oldest = collecting(webSocketSource(link, { credit: 2, overflow: 'drop-oldest' }));
    const newest = collecting(webSocketSource(link, { credit: 2, overflow: 'drop-newest' }));
    await until(() => expect(server.sockets).toHaveLength(1));
    for (let at = 0; at < 10; at += 1) server.sockets[0]?.send(`${at}`);
    await until(() => expect(events.filter(({ type }) => type === 'message.overflowed')).toHaveLength(12));
    for (const { messages } of [oldest, newest]) for (const message of [...messages]) message.ack();
    await until(() =>
      expect([oldest.payloads, newest.payloads]).toEqual([
        ['0', '1', '8', '9'],
        ['0', '1', '2', '3'],
      ]),
    );
  });

  it('closes the connection where the policy says so, and comes back', async () => {
    await using server = await bareServer((socket) => {
      for (let at = 0; at < 10; at += 1) socket.send(`${at}`);
    });
    const link = webSocketLink({ url: server.url, client: 'ws', reconnect: soon });
    const { messages } = collecting(webSocketSource(link, { credit: 2, overflow: 'close' }));
    const reasons: unknown[] = [];
    cleanups.push(observe((event) => event.type === 'status.changed' && reasons.push(event.reason)));
    await until(() => expect(server.sockets.length).toBeGreaterThan(1));
    expect(reasons).toContainEqual(expect.objectContaining({ code: 'OVERFLOW' }));
    expect(messages).toHaveLength(2);
  });

  it('keeps what it received over a lost connection and tries again what was nacked (ACK-02)', async () => {
    await using server = await bareServer((socket, at) => {
      for (const part of ['a', 'b', 'c']) socket.send(`${part}${at}`);
    });
    const link = webSocketLink({ url: server.url, client: 'ws', reconnect: soon });
    const { messages, payloads } = collecting(webSocketSource(link, { credit: 1 }));
    await until(() => expect(payloads).toEqual(['a1']));
    server.sockets[0]?.terminate();
    await until(() => expect(server.sockets).toHaveLength(2));
    expect(messages[0]?.signal.aborted).toBe(false);
    expect(messages[0]?.nack(new Error('again'))).toBe(true);
    for (let at = 1; at < 7; at += 1) {
      await until(() => expect(messages).toHaveLength(at + 1));
      messages[at]?.ack();
    }
    expect([...payloads].sort()).toEqual(['a1', 'a1', 'a2', 'b1', 'b2', 'c1', 'c2']);
    expect(messages.filter(({ payload }) => payload === 'a1').map(({ attempt }) => attempt)).toEqual([1, 2]);
  });
});
