import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { faultProxy, type FaultProxy, type FaultProxyOptions } from 'sluice/testing-node';
import { until } from '../helpers/until.js';

/** One client and what it saw. */
interface Client {
  readonly socket: Socket;
  received: string;
  chunks: number[];
  ended: boolean;
  error: string;
}

let server: Server;
let served: Socket[];
let fromClients: string;
let proxy: FaultProxy;
let clients: Client[];

beforeEach(async () => {
  served = [];
  clients = [];
  fromClients = '';
  server = createServer((socket) => {
    served.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      fromClients += chunk.toString();
      socket.write(`echo ${chunk.toString()}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  await proxy.close();
  for (const socket of served) socket.destroy();
  server.close();
});

async function start(options: Partial<FaultProxyOptions> = {}): Promise<void> {
  const { port } = server.address() as { port: number };
  proxy = await faultProxy({ port, ...options });
}

async function client(): Promise<Client> {
  const socket = connect({ host: '127.0.0.1', port: proxy.port });
  const seen: Client = { socket, received: '', chunks: [], ended: false, error: '' };
  clients.push(seen);
  socket.on('data', (chunk: Buffer) => {
    seen.received += chunk.toString();
    seen.chunks.push(chunk.length);
  });
  socket.on('end', () => (seen.ended = true));
  socket.on('error', (error: NodeJS.ErrnoException) => (seen.error = error.code ?? ''));
  // A reset may come before the client has seen that it was connected.
  await once(socket, 'connect').catch(() => undefined);
  return seen;
}

describe('faultProxy', () => {
  it('passes bytes both ways, and the orderly end of one side', async () => {
    await start();
    const one = await client();
    one.socket.write('hello');
    await until(() => expect(one.received).toBe('echo hello'));
    expect(proxy.passed).toEqual({ up: 5, down: 10 });
    expect(proxy.open).toBe(1);
    one.socket.end();
    await until(() => expect(one.ended).toBe(true));
    await until(() => expect(proxy.open).toBe(0));
    expect(proxy.accepted).toBe(1);
  });

  it('listens on loopback only', async () => {
    await start();
    expect(proxy.port).toBeGreaterThan(0);
    const other = connect({ host: '127.0.0.2', port: proxy.port });
    const [error] = (await once(other, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });

  it('resets open connections, and lets new ones in', async () => {
    await start();
    const one = await client();
    one.socket.write('a');
    await until(() => expect(one.received).toBe('echo a'));
    proxy.rst();
    await until(() => expect(one.error).toBe('ECONNRESET'));
    const two = await client();
    two.socket.write('b');
    await until(() => expect(two.received).toBe('echo b'));
  });

  it('ends open connections in order', async () => {
    await start();
    const one = await client();
    one.socket.write('a');
    await until(() => expect(one.received).toBe('echo a'));
    proxy.fin();
    await until(() => expect(one.ended).toBe(true));
    expect(one.error).toBe('');
  });

  it('refuses new connections and keeps open ones, until it is healed', async () => {
    await start();
    const one = await client();
    proxy.refuse();
    const two = await client();
    await until(() => expect(two.error).toBe('ECONNRESET'));
    one.socket.write('a');
    await until(() => expect(one.received).toBe('echo a'));
    proxy.heal();
    const three = await client();
    three.socket.write('c');
    await until(() => expect(three.received).toBe('echo c'));
  });

  it('swallows bytes one way while the other works and the connection stays', async () => {
    await start();
    const one = await client();
    proxy.blackhole('down');
    one.socket.write('a');
    await until(() => expect(fromClients).toBe('a'));
    // The answer is written; the proxy reads it with its next looks at the sockets, and only then it is swallowed.
    for (let looks = 0; looks < 5; looks += 1) await new Promise((resolve) => void setImmediate(resolve));
    proxy.heal();
    one.socket.write('b');
    await until(() => expect(one.received).toBe('echo b'));
    proxy.blackhole('up');
    one.socket.write('c');
    served[0]?.write('!');
    await until(() => expect(one.received).toBe('echo b!'));
    expect(fromClients).toBe('ab');
    expect([one.ended, one.error]).toEqual([false, '']);
  });

  it('holds chunks back for the latency and its jitter, without changing their order', async () => {
    const clock = virtualClock();
    const jitter = [0, 1, 0.5];
    await start({ clock: { ...clock, random: () => jitter.shift() ?? 0.5 } });
    const one = await client();
    // The first draw said whether the connection is hit.
    proxy.latency(40, 10, 'up');
    one.socket.write('a');
    await until(() => expect(clock.pendingTimers).toBe(1));
    one.socket.write('b');
    await until(() => expect(clock.pendingTimers).toBe(2));
    clock.advance(49);
    expect(proxy.passed.up).toBe(0);
    clock.advance(1);
    await until(() => expect(fromClients).toBe('ab'));
  });

  it('keeps the order of chunks whose timers run in another one', async () => {
    const timers: (() => void)[] = [];
    const timer = (_ms: number, work: () => void): (() => void) => {
      timers.push(work);
      return () => undefined;
    };
    await start({ clock: { ...systemClock, timer } });
    const one = await client();
    proxy.slice(1, 'up');
    proxy.latency(20, 10, 'up');
    one.socket.end('abcdef');
    await until(() => expect(timers).toHaveLength(6));
    for (const work of timers.reverse()) work();
    await until(() => expect(fromClients).toBe('abcdef'));
    await until(() => expect(one.received.replaceAll('echo ', '')).toBe('abcdef'));
  });

  it('cuts chunks into slices', async () => {
    const clock = virtualClock();
    await start({ clock });
    const one = await client();
    proxy.slice(1, 'up');
    proxy.latency(1, 0, 'up');
    one.socket.write('abcdef');
    await until(() => expect(clock.pendingTimers).toBe(6));
    clock.advance(1);
    await until(() => expect(fromClients).toBe('abcdef'));
  });

  it('keeps to a rate', async () => {
    const clock = virtualClock();
    await start({ clock });
    const one = await client();
    proxy.rate(1_000, 'up');
    proxy.slice(10, 'up');
    one.socket.write('x'.repeat(100));
    await until(() => expect(clock.pendingTimers).toBe(10));
    clock.advance(50);
    expect(proxy.passed.up).toBe(50);
    clock.advance(50);
    await until(() => expect(fromClients).toHaveLength(100));
  });

  it('makes who sends wait where a rate is kept', async () => {
    const clock = virtualClock();
    await start({ clock });
    const one = await client();
    proxy.rate(1_000, 'up');
    // More than the buffers on the way take.
    one.socket.write(Buffer.alloc(32 * 1024 * 1024, 'x'));
    await until(() => expect(clock.pendingTimers).toBeGreaterThan(0));
    for (let looks = 0; looks < 50; looks += 1) await new Promise((resolve) => void setImmediate(resolve));
    // Each timer is a chunk of up to 64 KiB that the proxy holds.
    expect(clock.pendingTimers).toBeLessThan(5);
    expect(one.socket.writableLength).toBeGreaterThan(0);
  });

  it('resets a connection after so many bytes', async () => {
    await start();
    const one = await client();
    proxy.limit(3, 'up');
    one.socket.write('abcdef');
    await until(() => expect(one.error).toBe('ECONNRESET'));
    expect(proxy.passed.up).toBe(3);
    const two = await client();
    two.socket.write('abcdef');
    await until(() => expect(two.received.replaceAll('echo ', '')).toBe('abcdef'));
  });

  it('hits only its share of connections', async () => {
    let draws = 0;
    await start({ toxicity: 0.5, clock: { ...systemClock, random: () => (draws++ % 2 === 0 ? 0.1 : 0.9) } });
    const hit = await client();
    hit.socket.write('a');
    await until(() => expect(hit.received).toBe('echo a'));
    const spared = await client();
    spared.socket.write('b');
    await until(() => expect(spared.received).toBe('echo b'));
    proxy.rst();
    await until(() => expect(hit.error).toBe('ECONNRESET'));
    spared.socket.write('c');
    await until(() => expect(spared.received).toBe('echo becho c'));
  });

  it('ends a connection whose server cannot be reached', async () => {
    await start();
    const unused = createServer();
    unused.listen(0, '127.0.0.1');
    await once(unused, 'listening');
    const { port } = unused.address() as { port: number };
    unused.close();
    await proxy.close();
    proxy = await faultProxy({ port });
    const one = await client();
    await until(() => expect(one.error).toBe('ECONNRESET'));
  });

  it('refuses a port or share out of range', async () => {
    await start();
    await expect(faultProxy({ port: 0 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(faultProxy({ port: 1, toxicity: 2 })).rejects.toThrow(/toxicity/);
  });
});
