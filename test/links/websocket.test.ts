import { createHash } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { BehaviorSubject } from 'rxjs';
import { WebSocketServer } from 'ws';
import { backoff, observe, type Flow, type Message, type SluiceEvent } from 'sluice';
import { faultProxy } from 'sluice/testing-node';
import { webSocketLink, webSocketSink, webSocketSource, type NodeWebSocketLinkOptions } from 'sluice/websocket';
import { webSocketServer } from 'sluice/websocket-server';
import { makeCertificate, type Certificate } from '../helpers/certificate.js';
import { collect, type Collected } from '../helpers/collect.js';
import { until } from '../helpers/until.js';
import { bareServer, give } from '../helpers/websocket.js';

// What a test opened is closed after it, also when it failed: a link that tries again for ever would disturb the others.
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function read<T>(flow: Flow<T>, settle: (message: Message<T>) => void = (message) => void message.ack()): Collected<T> {
  const collected = collect(flow, settle);
  cleanups.push(() => collected.subscription.unsubscribe());
  return collected;
}

const soon = backoff({ initialMs: 5, maxMs: 20, minMs: 1 });
const link = (options: Partial<NodeWebSocketLinkOptions> & { readonly url: NodeWebSocketLinkOptions['url'] }) =>
  webSocketLink({ client: 'ws', reconnect: soon, closeTimeoutMs: 500, ...options });

/** What a link did, as its statuses, and the code of every failed try. */
function watch(of: ReturnType<typeof link>): { statuses: string[]; failures: string[] } {
  const statuses: string[] = [];
  const failures: string[] = [];
  of.status$.subscribe((status) => statuses.push(status));
  const stop = observe((event: SluiceEvent) => {
    if (event.type === 'connect.failed' && event.connector === 'websocket') {
      failures.push((event.reason as { readonly code: string }).code);
    }
  });
  cleanups.push(stop);
  return { statuses, failures };
}

describe('a link', () => {
  it('opens with its first user, is shared, closes with its last (S0.27, SRC-01)', async () => {
    await using server = await bareServer();
    const shared = link({ url: server.url });
    const { statuses } = watch(shared);
    const flow = webSocketSource(shared);
    expect(server.sockets).toHaveLength(0);
    const first = read(flow);
    const second = read(flow);
    await until(() => expect(statuses).toContain('connected'));
    first.subscription.unsubscribe();
    expect(statuses.at(-1)).toBe('connected');
    second.subscription.unsubscribe();
    await until(() => expect(statuses.at(-1)).toBe('closed'));
    expect(server.sockets).toHaveLength(1);
    await until(() => expect(server.server.clients.size).toBe(0));
  });

  it('waits for a server that is not there yet (REC-01, F17)', async () => {
    const early = await bareServer();
    await early.close();
    const shared = link({ url: early.url });
    const { statuses } = watch(shared);
    const { payloads } = read(webSocketSource(shared));
    await until(() => expect(statuses).toContain('reconnecting'));
    await using server = await bareServer((socket) => socket.send('hello'), { port: early.port });
    await until(() => expect(payloads).toEqual(['hello']));
    expect(server.sockets).toHaveLength(1);
    expect(statuses).toEqual(['idle', 'connecting', 'reconnecting', 'connected']);
  });

  it('comes back after a reset, an orderly close and a restart of the server (S3.30, S3.88, REC-02, REC-04, F1, F2, F3)', async () => {
    await using server = await bareServer((socket, at) => socket.send(`connection ${at}`));
    const proxy = await faultProxy({ port: server.port });
    const shared = link({ url: `ws://127.0.0.1:${proxy.port}/feed` });
    const { statuses } = watch(shared);
    const { payloads, subscription } = read(webSocketSource(shared));
    await until(() => expect(payloads).toHaveLength(1));
    proxy.rst();
    await until(() => expect(payloads).toHaveLength(2));
    proxy.fin();
    await until(() => expect(payloads).toHaveLength(3));
    server.sockets.at(-1)?.close(1012, 'restart');
    await until(() => expect(payloads).toHaveLength(4));
    subscription.unsubscribe();
    await proxy.close();
    const cycle = ['reconnecting', 'connected'];
    expect(statuses.slice(0, 9)).toEqual(['idle', 'connecting', 'connected', ...cycle, ...cycle, ...cycle]);
  });

  it('finds a peer that is silent although the connection looks open, idle or busy (S3.30, REC-05, G8, M-11)', async () => {
    await using server = await bareServer();
    const proxy = await faultProxy({ port: server.port });
    const shared = link({ url: `ws://127.0.0.1:${proxy.port}/feed`, heartbeatMs: 200, connectTimeoutMs: 500 });
    const { statuses, failures } = watch(shared);
    const { subscription } = read(webSocketSource(shared));
    await until(() => expect(statuses).toContain('connected'));
    for (const direction of ['up', 'down'] as const) {
      failures.length = 0;
      proxy.blackhole(direction);
      const sink = webSocketSink(shared);
      give(sink, ...Array.from({ length: 20 }, () => 'busy'));
      await until(() => expect(failures[0]).toBe('PEER_LOST'));
      proxy.heal();
      await until(() => expect(statuses.at(-1)).toBe('connected'));
      sink.complete();
    }
    subscription.unsubscribe();
    await proxy.close();
  });

  it('takes a large message that is slow to come for a sign of life', async () => {
    let pings = 0;
    const server = createTcpServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    // A frame of 1,000 bytes, a part of it for each ping, none of which is answered.
    const frame = Buffer.concat([Buffer.from([0x82, 126, 1_000 >> 8, 1_000 & 255]), Buffer.alloc(1_000)]);
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (request) => {
        const key = /sec-websocket-key: (\S+)/i.exec(request.toString())?.[1] ?? '';
        const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        socket.on('data', () => {
          socket.write(frame.subarray(pings * 200, pings * 200 + 200));
          pings += 1;
        });
      });
    });
    const shared = link({ url: `ws://127.0.0.1:${port}/feed`, heartbeatMs: 50 });
    const { failures } = watch(shared);
    const { payloads, subscription } = read(webSocketSource(shared));
    await until(() => expect(payloads).toHaveLength(1));
    expect([failures, pings >= 5]).toEqual([[], true]);
    subscription.unsubscribe();
    server.close();
  });

  it('answers pings that waited while it did not read, however many, and keeps its connection', async () => {
    const pongs: string[] = [];
    await using server = await bareServer((socket) => {
      socket.on('pong', (data) => pongs.push(data.toString()));
    });
    const credit = new BehaviorSubject(1);
    const shared = link({ url: server.url, maxBufferedBytes: 1, heartbeatMs: 60_000 });
    const { failures } = watch(shared);
    const { payloads, subscription } = read(webSocketSource(shared, { credit }), () => undefined);
    await until(() => expect(server.sockets).toHaveLength(1));
    const [socket] = server.sockets;
    for (let at = 0; at < 3; at += 1) socket?.send('x');
    // Reading is held off.
    await until(() => expect(payloads).toHaveLength(1));
    for (let at = 0; at < 500; at += 1) socket?.ping(`${at}`);
    socket?.send('last');
    credit.next(10);
    await until(() => expect(payloads.at(-1)).toBe('last'));
    await until(() => expect(pongs.at(-1)).toBe('499'));
    expect(failures).toEqual([]);
    subscription.unsubscribe();
  });

  it('does not take a slow network for a dead peer (REC-09)', async () => {
    let pings = 0;
    await using server = await bareServer((socket) => {
      socket.on('ping', () => (pings += 1));
      socket.send('x'.repeat(300));
    });
    const proxy = await faultProxy({ port: server.port });
    proxy.slice(16);
    proxy.latency(20, 10);
    const shared = link({ url: `ws://127.0.0.1:${proxy.port}/feed`, heartbeatMs: 500 });
    const { failures } = watch(shared);
    const { payloads, subscription } = read(webSocketSource(shared));
    await until(() => expect([payloads, pings >= 2]).toEqual([['x'.repeat(300)], true]));
    expect(failures).toEqual([]);
    subscription.unsubscribe();
    await proxy.close();
  });

  it('pings while it is idle and answers the pings of the server (S3.30)', async () => {
    let pings = 0;
    let pongs = 0;
    await using server = await bareServer((socket) => {
      socket.on('ping', () => (pings += 1));
      socket.on('pong', () => (pongs += 1));
      socket.ping();
    });
    const { subscription } = read(webSocketSource(link({ url: server.url, heartbeatMs: 10 })));
    await until(() => expect([pings > 3, pongs]).toEqual([true, 1]));
    subscription.unsubscribe();
  });
});

describe('a server that asks to come again later', () => {
  it.each([
    ['7', 7_000],
    [new Date(Date.now() + 86_400_000).toUTCString(), 60_000],
    ['soon', 0],
    ['0', 0],
  ])('with Retry-After: %s is not asked before', async (retryAfter, ms) => {
    await using server = await bareServer();
    server.server.options.verifyClient = (
      _: unknown,
      answer: (ok: boolean, code: number, text: string, headers: OutgoingHttpHeaders) => void,
    ) => answer(false, 503, '', { 'Retry-After': retryAfter });
    const waits: number[] = [];
    cleanups.push(
      observe((event) => {
        if (event.type === 'connect.failed') waits.push(event.retryInMs);
      }),
    );
    const { subscription } = read(webSocketSource(link({ url: server.url })));
    await until(() => expect(waits.length).toBeGreaterThan(0));
    subscription.unsubscribe();
    expect(waits[0]).toBeGreaterThanOrEqual(ms);
    // What `reconnect` waits besides.
    expect(waits[0]).toBeLessThanOrEqual(ms + 20);
  });
});

describe('an end for good', () => {
  it.each([
    [401, 'AUTH_FAILED'],
    [403, 'AUTH_FAILED'],
    [404, 'CONNECT_FAILED'],
  ])('an upgrade answered with %i errors the flow after one try (REC-12)', async (status, code) => {
    await using server = await bareServer();
    let tries = 0;
    server.server.options.verifyClient = (_: unknown, answer: (ok: boolean, code: number) => void) => {
      tries += 1;
      answer(false, status);
    };
    const { errors } = read(webSocketSource(link({ url: server.url })));
    await until(() => expect(errors).toMatchObject([{ code, retriable: false, details: { status } }]));
    expect(tries).toBe(1);
  });

  it.each([
    ['no subprotocol', false],
    ['an invalid subprotocol', 'v9'],
  ])('%s in the answer to an offer is one', async (text, chosen) => {
    let tries = 0;
    await using server = await bareServer();
    server.server.options.handleProtocols = () => {
      tries += 1;
      return chosen as string;
    };
    const { errors } = read(webSocketSource(link({ url: server.url, protocols: ['v1'] })));
    await until(() => expect(errors).toMatchObject([{ code: 'PROTOCOL_ERROR', retriable: false }]));
    expect(String(errors[0])).toContain(`Server sent ${text}`);
    expect(tries).toBe(1);
  });

  it.each([1002, 1003, 1007, 1008, 1009, 4401])('a close with %i is one', async (closeCode) => {
    await using server = await bareServer((socket) => socket.close(closeCode));
    const { errors } = read(webSocketSource(link({ url: server.url })));
    await until(() => expect(errors).toMatchObject([{ retriable: false, details: { closeCode } }]));
    expect(server.sockets).toHaveLength(1);
  });

  it.each([1000, 1001, 1011, 1012, 1013, 4000])('a close with %i is none', async (closeCode) => {
    await using server = await bareServer((socket, at) => (at < 3 ? socket.close(closeCode) : socket.send('here')));
    const { payloads, subscription } = read(webSocketSource(link({ url: server.url })));
    await until(() => expect(payloads).toEqual(['here']));
    subscription.unsubscribe();
  });

  it('a message beyond maxBytes is one: the next connection would only bring it again (F11, B10)', async () => {
    await using server = await bareServer((socket) => {
      socket.send('x'.repeat(1_000));
      socket.send('x'.repeat(1_001));
    });
    const { errors, payloads } = read(webSocketSource(link({ url: server.url, maxBytes: 1_000 })));
    await until(() => expect(errors).toMatchObject([{ code: 'PAYLOAD_TOO_LARGE', retriable: false }]));
    expect(payloads).toHaveLength(1);
  });

  it('carries no secret (S21, SEC-02)', async () => {
    await using server = await bareServer();
    server.server.options.verifyClient = (_: unknown, answer: (ok: boolean, code: number) => void) =>
      answer(false, 401);
    const url = server.url.replace('ws://', 'ws://ada:canary@').concat('?ticket=canary');
    const { errors } = read(webSocketSource(link({ url, headers: { cookie: 'canary' } })));
    await until(() => expect(errors).toHaveLength(1));
    const error = errors[0] as Error;
    expect(`${error.message} ${error.stack ?? ''} ${JSON.stringify(error)}`).not.toContain('canary');
  });
});

describe('credentials', () => {
  it('go with the upgrade, fresh ones with every try (REC-11, F9)', async () => {
    const seen: (string | undefined)[] = [];
    await using server = await bareServer();
    server.server.on('connection', (socket, request: IncomingMessage) => {
      seen.push(request.headers.authorization);
      if (seen.length === 1) socket.close(4401, 'expired');
    });
    let token = 0;
    const headers = async (): Promise<Record<string, string>> => ({ authorization: `Bearer ${(token += 1)}` });
    const { errors, subscription } = read(webSocketSource(link({ url: server.url, headers })));
    await until(() => expect(seen).toEqual(['Bearer 1', 'Bearer 2']));
    expect(errors).toEqual([]);
    subscription.unsubscribe();
  });

  it('come from a URL that is asked for anew, and its path is the topic', async () => {
    await using server = await bareServer((socket, at) => (at === 1 ? socket.close(1012) : socket.send('in')));
    const urls: (string | undefined)[] = [];
    server.server.on('connection', (_, request: IncomingMessage) => urls.push(request.url));
    let ticket = 0;
    const { messages } = read(webSocketSource(link({ url: () => `${server.url}?ticket=${(ticket += 1)}` })));
    await until(() => expect(messages).toHaveLength(1));
    expect([urls, messages[0]?.topic]).toEqual([['/feed?ticket=1', '/feed?ticket=2'], '/feed']);
  });

  it('from a function do not cross a network in the clear either (S13)', async () => {
    const headers = (): Record<string, string> => ({ authorization: 'x' });
    const { errors } = read(webSocketSource(link({ url: 'ws://feed.example', headers })));
    await until(() => expect(errors).toMatchObject([{ code: 'CONFIG_INVALID' }]));
  });

  it('end over headers that HTTP cannot carry, and are not shown (S21, B21)', async () => {
    const headers = (): Record<string, string> => ({ authorization: 'Bearer canary\n' });
    const { errors } = read(webSocketSource(link({ url: 'ws://127.0.0.1:9', headers })));
    await until(() => expect(errors).toMatchObject([{ code: 'CONFIG_INVALID', retriable: false }]));
    expect(inspect(errors, { depth: 9 })).not.toContain('canary');
  });

  it.each([
    ['null', null],
    ['a text', 'Bearer x'],
    [`fetch's own class`, new Headers({ authorization: 'x' })],
  ])('end over %s in place of an object: nothing of it would be sent', async (_name, given) => {
    const { errors } = read(webSocketSource(link({ url: 'ws://127.0.0.1:9', headers: () => given as never })));
    await until(() => expect(errors).toMatchObject([{ code: 'CONFIG_INVALID', retriable: false }]));
    if (given !== null) expect(() => link({ url: 'ws://127.0.0.1:9', headers: given as never })).toThrow(/headers/);
  });

  it('ends over a URL that is none, and shows nothing of it (S21)', async () => {
    for (const url of ['wss://ada:canary@no host/', 'https://feed.example/?t=canary', 7 as never]) {
      const { errors } = read(webSocketSource(link({ url: () => url })));
      await until(() => expect(errors).toMatchObject([{ code: 'CONFIG_INVALID', retriable: false }]));
      expect(inspect(errors, { depth: 9 })).not.toContain('canary');
    }
  });
});

describe('TLS (S13)', () => {
  it('trusts only whom it is told to, for the name it asks for', async ({ skip }) => {
    const made = makeCertificate();
    if (typeof made === 'string') return skip(`no certificate: ${made}`);
    await using server = await webSocketServer({ port: 0, tls: made });
    server.clients$.subscribe((client) => give(client.sink, 'over TLS'));
    const url = `wss://localhost:${server.address.port}/`;
    const known = read(webSocketSource(link({ url, tls: { ca: made.cert } })));
    await until(() => expect(known.payloads).toEqual(['over TLS']));
    known.subscription.unsubscribe();
    const unknown = read(webSocketSource(link({ url })));
    await until(() => expect(unknown.errors).toMatchObject([{ code: 'AUTH_FAILED', retriable: false }]));
    const mismatch = read(webSocketSource(link({ url, tls: { ca: made.cert, servername: 'other.example' } })));
    await until(() =>
      expect(mismatch.errors).toMatchObject([{ details: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }, retriable: false }]),
    );
    const skipped = read(webSocketSource(link({ url, tls: { dangerouslySkipVerify: true } })));
    await until(() => expect(skipped.payloads).toEqual(['over TLS']));
    skipped.subscription.unsubscribe();
  });

  it('shows the certificate that is there at each try, and ends where there is none any more (S14, REC-12)', async ({
    skip,
  }) => {
    const [server, first, renewed] = ['localhost', 'first.example', 'renewed.example'].map((name) =>
      makeCertificate(name),
    ) as [Certificate | string, Certificate, Certificate];
    if (typeof server === 'string') return skip(`no certificate: ${server}`);
    const shown: (string | undefined)[] = [];
    await using listening = await webSocketServer({
      port: 0,
      tls: { ...server, ca: first.cert + renewed.cert },
      authenticate({ certificate }) {
        shown.push(certificate);
        return { principal: certificate };
      },
    });
    listening.clients$.subscribe((client) => give(client.sink, 'over TLS'));
    const url = `wss://localhost:${listening.address.port}/`;
    let current: Partial<Certificate> = first;
    const shared = link({ url, tls: async () => ({ ca: server.cert, ...current }) });
    const { payloads, errors } = read(webSocketSource(shared));
    await until(() => expect(payloads).toHaveLength(1));
    current = renewed;
    for (const client of listening.clients) void client.close(1012);
    await until(() => expect(payloads).toHaveLength(2));
    expect(shown).toEqual(['DNS:first.example', 'DNS:renewed.example']);
    current = {};
    for (const client of listening.clients) void client.close(1012);
    await until(() => expect(errors).toMatchObject([{ code: 'AUTH_FAILED', retriable: false }]));
    expect(shown).toHaveLength(2);
  });

  it('ends where the server wants a certificate of the client and gets none, or one that it does not trust (REC-12)', async ({
    skip,
  }) => {
    const [made, unknown] = [makeCertificate(), makeCertificate('unknown')];
    if (typeof made === 'string') return skip(`no certificate: ${made}`);
    await using server = await webSocketServer({ port: 0, tls: { ...made, ca: made.cert } });
    const url = `wss://localhost:${server.address.port}/`;
    for (const shown of [{}, unknown as Certificate]) {
      const { errors } = read(webSocketSource(link({ url, tls: { ca: made.cert, ...shown } })));
      await until(() => expect(errors).toMatchObject([{ code: 'AUTH_FAILED', retriable: false }]));
    }
  });
});

describe('subprotocols (S3.31)', () => {
  it('are offered in order and the chosen one is told with each message', async () => {
    let offered: string[] = [];
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      handleProtocols: (protocols) => ((offered = [...protocols]), 'feed.v1'),
    });
    server.on('connection', (socket) => socket.send('x'));
    await until(() => expect(server.address()).not.toBeNull());
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { messages, subscription } = read(webSocketSource(link({ url, protocols: ['feed.v2', 'feed.v1'] })));
    await until(() => expect(messages).toHaveLength(1));
    expect([offered, messages[0]?.meta]).toEqual([['feed.v2', 'feed.v1'], { protocol: 'feed.v1' }]);
    subscription.unsubscribe();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('an opening that is given up (SHU-07)', () => {
  it('leaves no socket, wherever it stood', async () => {
    const sockets = new Set<Socket>();
    // Accepts and never answers the upgrade.
    const mute = createTcpServer((socket) => {
      sockets.add(socket.resume());
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const url = `ws://127.0.0.1:${(mute.address() as AddressInfo).port}`;
    const shared = link({ url });
    const { statuses } = watch(shared);
    const { subscription } = read(webSocketSource(shared));
    await until(() => expect(sockets.size).toBe(1));
    subscription.unsubscribe();
    await until(() => expect([sockets.size, statuses.at(-1)]).toEqual([0, 'closed']));
    read(webSocketSource(shared)).subscription.unsubscribe();
    await until(() => expect(statuses.at(-1)).toBe('closed'));
    const late = read(webSocketSource(link({ url, connectTimeoutMs: 20, reconnect: backoff({ tries: 1 }) })));
    await until(() => expect(late.errors).toHaveLength(1));
    await until(() => expect(sockets.size).toBe(0));
    await new Promise((resolve) => mute.close(resolve));
  });

  it.each([
    ['an object', { op: 'ping' }, 'ENCODE_FAILED'],
    ['nothing', undefined, 'ENCODE_FAILED'],
    ['more than maxBytes', 'x'.repeat(11), 'PAYLOAD_TOO_LARGE'],
  ])('ends, and sends nothing, where ping gives %s', async (_, frame, code) => {
    const sent: unknown[] = [];
    // What no browser refuses: it sends the text of whatever it is given.
    class Platform {
      readonly protocol = '';
      readonly bufferedAmount = 0;
      readonly readyState = 1;
      binaryType = 'blob';
      onopen: (() => void) | null = null;
      onmessage = null;
      onerror = null;
      onclose = null;
      constructor() {
        setImmediate(() => this.onopen?.());
      }
      send(data: unknown): void {
        sent.push(data);
      }
      close(): void {}
    }
    const pinged = webSocketLink({
      url: 'ws://127.0.0.1:1',
      client: Platform,
      ping: () => frame as string,
      heartbeatMs: 10,
      maxBytes: 10,
      closeTimeoutMs: 10,
    });
    const { errors } = read(webSocketSource(pinged, { overflow: 'drop-oldest' }));
    await until(() => expect(errors).toMatchObject([{ code }]));
    expect(sent).toEqual([]);
  });
});
