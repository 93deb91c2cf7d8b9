import { Server as HttpServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { defer, mergeMap } from 'rxjs';
import { WebSocket, WebSocketServer as BareServer } from 'ws';
import { backoff, fork, payload } from 'sluice';
import type { Bench, BenchSourceOptions, Harness } from 'sluice/testing';
import { faultProxy, type FaultProxy } from 'sluice/testing-node';
import { webSocketLink, webSocketSink, webSocketSource, type PausingWebSocketLink } from 'sluice/websocket';
import { webSocketServer, type WebSocketClient, type WebSocketServer } from 'sluice/websocket-server';
import { expectIn, refusal } from './secure-defaults.js';
import { CASE_IDS } from './case-ids.js';
import { bareClient, bareServer, give, upgradeStatus } from './websocket.js';
import { netOf } from './net-of.js';

const MAX_BYTES = 1024 * 1024;
const EXPIRED = 4401;

/** Whom the far side lets in. */
class Door {
  isOpen = true;
  private issued = 0;

  /** What the client is given at this moment. */
  get token(): string {
    return `canary-token-${this.issued}`;
  }

  renew(): void {
    this.issued += 1;
  }

  admitsToken(authorization: string | undefined): boolean {
    return this.isOpen && authorization === `Bearer ${this.token}`;
  }
}

interface Relay {
  readonly port: number;
  /** Sends everybody away whose token is not good any more. */
  expire(): void;
  close(): Promise<void>;
}

/**
 * A server of bare `ws` that passes each frame on to everybody on the same path. It keeps nothing: while somebody does not
 * read, it does not read from the others either.
 */
async function relay(door: Door): Promise<Relay> {
  const server = new BareServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: false,
    verifyClient: ({ req }: { readonly req: IncomingMessage }) => door.admitsToken(req.headers.authorization),
  });
  const paths = new Map<string, Set<WebSocket>>();
  server.on('connection', (socket, request) => {
    const url = String(request.url);
    const peers = paths.get(url) ?? new Set();
    paths.set(url, peers.add(socket));
    socket.on('error', () => undefined);
    socket.on('close', () => peers.delete(socket));
    socket.on('message', (data, isBinary) => {
      for (const peer of peers) {
        if (peer === socket) continue;
        if (peer.bufferedAmount > MAX_BYTES) socket.pause();
        peer.send(data as Buffer, { binary: isBinary }, () => {
          if (socket.isPaused && peer.bufferedAmount <= MAX_BYTES) socket.resume();
        });
      }
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    expire() {
      for (const socket of server.clients) socket.close(EXPIRED, 'expired');
    },
    async close() {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The same with the server of this library in the middle. */
async function ownRelay(door: Door): Promise<Relay> {
  const server = await webSocketServer<string>({
    port: 0,
    heartbeatMs: 250,
    handshakeTimeoutMs: 500,
    maxConnectionsPerAddress: 500,
    authenticate: ({ headers }) => (door.admitsToken(headers['authorization']) ? { principal: 'client' } : 401),
  });
  const peers = (of: WebSocketClient<string>): WebSocketClient<string>[] =>
    server.clients.filter((client) => client !== of && client.request.path === of.request.path);
  server.clients$.subscribe((client) => {
    client.source.subscribe({
      next(message) {
        const others = peers(client);
        if (others.length === 0) message.ack();
        // Who is going away does not make the others get it twice.
        else fork(message, others.length, 'any').forEach((part, at) => others[at]?.sink.next(part));
      },
      error: () => undefined,
    });
  });
  return {
    port: server.address.port,
    expire() {
      for (const client of server.clients) void client.close(EXPIRED, 'expired');
    },
    close: () => server.close(),
  };
}

async function open(makeRelay: (door: Door) => Promise<Relay>): Promise<Bench> {
  const door = new Door();
  const server = await makeRelay(door);
  const proxy = await faultProxy({ port: server.port });
  let channels = 0;
  // A connection of its own for each end: a relay does not echo.
  const linkTo = (channel: string): PausingWebSocketLink =>
    webSocketLink({
      url: `ws://127.0.0.1:${proxy.port}/${encodeURIComponent(channel)}`,
      client: 'ws',
      headers: () => ({ authorization: `Bearer ${door.token}` }),
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
    net: netOf(proxy),
    auth: {
      deny: () => void (door.isOpen = false),
      grant: () => void (door.isOpen = true),
      expire() {
        door.renew();
        server.expire();
      },
    },
    raw: (bytes) => nonsense(server.port, bytes, door.token),
    defaults,
    peek: { opened: () => proxy.accepted, open: () => proxy.open, passed: () => proxy.passed.down },
    async close() {
      await proxy.close();
      await server.close();
    },
  };
}

/** Client and sink of this library at a server of bare `ws`. */
export const webSocketFrames: Harness = {
  name: 'WebSocket, plain frames',
  clock: 'real',
  maxMessages: 200,
  withinMs: 45_000,
  heartbeatMs: 1_000,
  reconnectMaxMs: 100,
  secrets: ['canary-token'],
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
    maxMessageBytes: MAX_BYTES,
    nackRequeue: true,
    ordered: true,
    peerDetectMs: 3_000,
    reconnects: true,
    authModes: ['header'],
    tokenRefresh: true,
    tls: true,
    mtls: true,
  },
  can: [
    'sink',
    'defaults',
    'auth.deny',
    'auth.grant',
    'auth.expire',
    'net.cut',
    'net.refuse',
    'net.blackhole',
    'net.latency',
    'net.slice',
    'net.limit',
    'net.heal',
    'peek.opened',
    'peek.open',
    'peek.passed',
  ],
  skips: {
    'REC-06':
      'confirmed is what the kernel took, so nothing shows that a far side moves nothing; one that takes nothing is in the tests of the sink',
  },
  open: () => open(relay),
};

/** Sends what no client would send, before or after an upgrade; how the server takes it. */
function nonsense(port: number, bytes: Uint8Array, token: string): Promise<'closed' | 'open'> {
  const isClient = bytes.length % 2 === 0;
  const upgrade = [
    'GET /nonsense HTTP/1.1',
    'Host: x',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `Authorization: Bearer ${token}`,
    '\r\n',
  ].join('\r\n');
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      if (isClient) socket.write(upgrade);
      socket.write(bytes);
    });
    const late = setTimeout(() => {
      resolve('open');
      socket.destroy();
    }, 5_000);
    socket.on('data', () => undefined);
    socket.on('error', () => undefined);
    socket.once('end', () => socket.end());
    socket.once('close', () => {
      clearTimeout(late);
      resolve('closed');
    });
  });
}

/** Of the client, and of the server with nothing but a port. */
const defaults: NonNullable<Bench['defaults']> = {
  async 'message limit'() {
    await using server = await bareServer();
    const sink = webSocketSink(webSocketLink({ url: server.url, client: 'ws' }));
    const { outcomes } = give(sink, new Uint8Array(MAX_BYTES + 1), new Uint8Array(64 * 1024));
    while (outcomes.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    sink.complete();
    expectIn(outcomes.join(), 'dead PAYLOAD_TOO_LARGE,ack');
  },
  'transport security'() {
    const url = 'ws://feed.example';
    expectIn(
      refusal(() => webSocketLink({ url, client: 'ws', headers: { authorization: 'x' } })),
      'dangerouslyAllowPlainText',
    );
  },
  secrets() {
    const said = refusal(() => webSocketLink({ url: 'ws://me:canary-token@feed.example', client: 'ws' }));
    if (said === '' || said.includes('canary-token')) throw new Error(`It said: ${said}`);
  },
  async 'listen address'() {
    await using server = await webSocketServer({ port: 0 });
    expectIn(server.address.host, '127.0.0.1');
  },
  async 'anonymous server'() {
    const said = await webSocketServer({ port: 0, host: '0.0.0.0' }).then(() => 'it listens', String);
    expectIn(said, 'allowAnonymous');
  },
  async decompression() {
    await using server = await webSocketServer({ port: 0 });
    const { socket } = await bareClient(`ws://127.0.0.1:${server.address.port}`, { perMessageDeflate: true });
    if (socket.extensions !== '') throw new Error(`It agreed on ${socket.extensions}`);
    socket.terminate();
  },
  async timeouts() {
    // With the real ones the answer takes ten seconds; that it comes is tested with shorter ones.
    const seen: HttpServer[] = [];
    const listen = HttpServer.prototype.listen;
    HttpServer.prototype.listen = function (this: HttpServer, ...given: Parameters<typeof listen>) {
      seen.push(this);
      return listen.apply(this, given);
    } as typeof listen;
    try {
      await using server = await webSocketServer({ port: 0 });
      if (server.address.port === 0) throw new Error('It does not listen.');
    } finally {
      HttpServer.prototype.listen = listen;
    }
    const [http] = seen;
    if (http?.headersTimeout !== 10_000 || http.requestTimeout !== 10_000) {
      throw new Error(`${http?.headersTimeout} and ${http?.requestTimeout} ms`);
    }
  },
  async connections() {
    await using server = await webSocketServer({ port: 0 });
    const url = `ws://127.0.0.1:${server.address.port}`;
    const clients = await Promise.all(Array.from({ length: 50 }, () => bareClient(url)));
    const status = await upgradeStatus(url);
    for (const { socket } of clients) socket.terminate();
    if (status !== 429) throw new Error(`The 51st of one address got ${status}`);
  },
  async origin() {
    await using server = await webSocketServer({ port: 0 });
    const status = await upgradeStatus(`ws://127.0.0.1:${server.address.port}`, { origin: 'https://app.example' });
    if (status !== 403) throw new Error(`A page got ${status}`);
  },
  async authentication() {
    const authenticate = (): never => {
      throw new Error('not today');
    };
    await using server = await webSocketServer({ port: 0, authenticate });
    const status = await upgradeStatus(`ws://127.0.0.1:${server.address.port}`);
    if (status !== 401) throw new Error(`It was answered with ${status}`);
  },
  async 'error replies'() {
    await using server = await webSocketServer({ port: 0 });
    const response = await fetch(`http://127.0.0.1:${server.address.port}/`);
    const body = await response.text();
    if (response.status !== 426 || body !== '') throw new Error(`${response.status} with: ${body}`);
  },
};

const ofClient = 'what the client does, see the WebSocket client at a bare server';
/** Where the server is what matters. */
const OF_SERVER = /^(CRD-10|DEL-0[1256]|DEL-11|ERR-06|OBS-02|REC-11|SEC|SNK-0[4589])/;

/** The server of this library, between clients of it. */
export const webSocketOwnServer: Harness = {
  ...webSocketFrames,
  name: 'WebSocket, server',
  features: { ...webSocketFrames.features, exposesServer: true },
  can: [...webSocketFrames.can, 'raw'],
  skips: Object.fromEntries(CASE_IDS.filter((id) => !OF_SERVER.test(id)).map((id) => [id, ofClient])),
  open: () => open(ownRelay),
};

/**
 * The server of this library as a source: what its clients send. Each channel that is read is a server of its own, as the
 * options of a source are those of its server; sinks to any other one end at a server that listens to nobody.
 */
async function openReaders(): Promise<Bench> {
  const proxies = new Map<string, FaultProxy | undefined>();
  const servers: WebSocketServer<undefined>[] = [];
  const deaf = await bareServer();
  let channels = 0;
  const serve = async (channel: string, source: BenchSourceOptions): Promise<WebSocketServer<undefined>> => {
    const server = await webSocketServer({ port: 0, heartbeatMs: 250, maxConnectionsPerAddress: 500, source });
    servers.push(server);
    proxies.set(channel, await faultProxy({ port: server.address.port }));
    return server;
  };
  /** Of a server that is about to listen: nothing listens there. */
  const portOf = (channel: string): number => (proxies.has(channel) ? (proxies.get(channel)?.port ?? 1) : deaf.port);
  return {
    channel: (hint = 'topic') => `${hint} ${(channels += 1)}`,
    source(channel, options) {
      proxies.set(channel, proxies.get(channel));
      return defer(() => serve(channel, options)).pipe(
        mergeMap((server) => server.clients$),
        mergeMap((client) => client.source),
        payload((frame) => frame as Uint8Array),
      );
    },
    sink(channel, options) {
      const link = webSocketLink({
        url: () => `ws://127.0.0.1:${portOf(channel)}/${encodeURIComponent(channel)}`,
        client: 'ws',
        heartbeatMs: 1_000,
        connectTimeoutMs: 2_000,
        reconnect: backoff({ initialMs: 20, maxMs: 100, minMs: 5 }),
      });
      return webSocketSink(link, options);
    },
    peek: { passed: (channel) => proxies.get(channel)?.passed.up ?? 0 },
    async close() {
      for (const proxy of proxies.values()) await proxy?.close();
      for (const server of servers) await server.close();
      await deaf.close();
    },
  };
}

const ofServer = 'the options of a source are those of its server, which refuses them when it is made';

/** The server of this library, as who reads what clients of it send. */
export const webSocketReader: Harness = {
  ...webSocketFrames,
  name: 'WebSocket, server as a source',
  features: {
    ack: 'none',
    confirms: 'local',
    flowControl: 'pause',
    headers: 'none',
    binary: true,
    byteCredit: true,
    deliveryCount: true,
    fanOut: true,
    maxMessageBytes: MAX_BYTES,
    nackRequeue: true,
    ordered: true,
  },
  can: ['sink', 'peek.passed'],
  skips: {
    'SRC-05': ofServer,
    'CRD-05': ofServer,
    'CRD-12': 'there is no credit to compare with before a client comes',
  },
  open: openReaders,
};
