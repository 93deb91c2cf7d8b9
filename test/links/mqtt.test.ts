import { createServer } from 'node:http';
import net from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { backoff, isSluiceError, observe, systemClock, type SluiceError } from 'sluice';
import { mqttLink, type MqttLinkOptions } from 'sluice/mqtt';
import { agreeing, connack, disconnect, mqttServer, type Behaviour, type MqttServer } from '../helpers/mqtt-server.js';
import { ownAccessors } from '../helpers/own-accessors.js';
import { until } from '../helpers/until.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const reconnect = backoff({ initialMs: 5, maxMs: 10, minMs: 1 });

/** Uses the half of a link that sinks use, against a broker that behaves like this. */
async function used(options: Partial<MqttLinkOptions> = {}, behaviour?: Behaviour) {
  const server: MqttServer = await mqttServer(behaviour);
  const link = mqttLink({ url: server.url, reconnect, heartbeatMs: 500, ...options });
  const lost: SluiceError[] = [];
  const fatal: SluiceError[] = [];
  const stop = link.writing.use({ down: (error) => void lost.push(error), fatal: (error) => void fatal.push(error) });
  const statuses: string[] = [];
  const watching = link.writing.status$.subscribe((status) => void statuses.push(status));
  cleanups.push(
    () => server.close(),
    stop,
    () => watching.unsubscribe(),
  );
  const isUp = (): Promise<void> => until(() => expect(link.writing.current()).toBeDefined());
  return { server, link, lost, fatal, stop, statuses, isUp };
}

describe('the options of mqttLink', () => {
  it.each([
    [{}, `'url' is missing`],
    [{ url: 'mqtt://a', clientid: 'a' }, `did you mean 'clientId'?`],
    [{ url: 'amqp://a' }, 'mqtt://host, mqtts://host'],
    [{ url: 'mqtt://a', protocolVersion: 5 }, `expected the text '5'`],
    [{ url: 'mqtt://a', clientId: 'a\u0000' }, 'U+0000'],
    [{ url: 'mqtt://a', clientId: 'x'.repeat(65_536) }, '65535 bytes'],
    [{ url: 'mqtt://a', heartbeatMs: 10 }, 'a whole number from 500'],
    [{ url: 'mqtt://a', tls: {} }, `'tls' needs a URL that begins with mqtts:`],
    [{ url: 'mqtts://a', tls: { rejectUnauthorized: false } }, `unknown option 'rejectUnauthorized'`],
    [{ url: 'mqtt://a', rejectUnauthorized: false }, `unknown option 'rejectUnauthorized'`],
    [{ url: 'mqtt://a', topicAliases: 5, protocolVersion: '3.1.1' }, `'topicAliases' needs protocolVersion '5'`],
    [{ url: 'mqtt://a', topicAliases: 65_536 }, 'from 0 to 65535'],
    [{ url: 'mqtt://a', will: { topic: 'a/#', payload: '' } }, 'which only filters may'],
    [{ url: 'mqtt://a', will: { topic: 'a' } }, `'payload' is missing`],
    [{ url: 'mqtt://a', will: { topic: 'a', payload: '', qos: 2 } }, 'QoS 2 needs a store'],
    [
      { url: 'mqtt://a', will: { topic: 'a', payload: '', delayMs: 1 }, protocolVersion: '3.1.1' },
      `need protocolVersion '5'`,
    ],
    [{ url: 'mqtt://broker.example', username: 'a', password: 'b' }, 'would travel unencrypted to broker.example'],
    [{ url: 'ws://u:p@broker.example' }, 'would travel unencrypted'],
    [
      { url: 'mqtt://u:p@broker.example', tls: {}, topicAliases: 5, protocolVersion: '3.1.1' },
      `'tls' needs a URL that begins with mqtts: or wss:; 'topicAliases' needs protocolVersion '5'; 'url': credentials would travel`,
    ],
  ])('are checked: %j', (options, text) => {
    expect(() => mqttLink(options as never)).toThrow(text);
  });

  it('let credentials travel in the clear only where that is written out (S13)', () => {
    const url = 'mqtt://u:p@broker.example';
    expect(mqttLink({ url, dangerouslyAllowPlainText: true })).toBeDefined();
    for (const safe of ['mqtts://u:p@far', 'wss://u:p@far', 'mqtt://u:p@localhost', 'ws://u:p@[::1]'])
      expect(mqttLink({ url: safe })).toBeDefined();
  });
});

describe('the connection of a link', () => {
  it('has the shape of every other one', async () => {
    const { link, isUp } = await used();
    await isUp();
    expect(ownAccessors(link.writing.current()?.connection ?? {})).toEqual([]);
  });

  it('is opened with its first user, says who it is, and says goodbye', async () => {
    const will = { topic: 'gone', payload: 'bye', retain: true, delayMs: 3_000 };
    const { server, stop, isUp } = await used({ clientId: 'app', username: 'u', password: 'hidden', will });
    await isUp();
    const connect = server.of(1)[0]!.toString('latin1');
    for (const text of ['MQTT\x05', 'app.out', 'gone', 'bye', 'hidden', 'u']) expect(connect).toContain(text);
    // User, password, will with QoS 1 and retain; keep alive of a second, and a session that lasts as long as the will waits.
    expect([...server.of(1)[0]!.subarray(7, 16)]).toEqual([0b1110_1100, 0, 1, 5, 0x11, 0, 0, 0, 3]);
    stop();
    await until(() => expect(server.open).toBe(0));
    expect(server.of(14)).toHaveLength(1);
    expect(server.connections).toBe(1);
  });

  it.each([
    [undefined, 0b10],
    [{ topic: 'gone', payload: 'bye' }, 0b1110],
    [{ topic: 'gone', payload: 'bye', delayMs: 3_000 }, 0b1100],
  ])('comes back under the name it had, into its session where a will waits for it: %j', async (will, flags) => {
    const { server, stop, isUp } = await used(will === undefined ? {} : { will });
    await isUp();
    server.cut();
    await until(() => expect(server.of(1)).toHaveLength(2));
    const [first, second] = server.of(1) as [Buffer, Buffer];
    expect([second.equals(first), first[7]]).toEqual([true, flags]);
    stop();
  });

  it('asks for the password before each connection', async () => {
    let asked = 0;
    const { server } = await used({ username: 'u', password: async () => `token-${(asked += 1)}` });
    await until(() => expect(server.of(1)).toHaveLength(1));
    await until(() => expect(server.open).toBe(1));
    server.cut();
    await until(() => expect(server.of(1).length).toBeGreaterThanOrEqual(2));
    expect(server.of(1)[0]!.toString('latin1')).toContain('token-1');
    expect(server.of(1)[1]!.toString('latin1')).toContain('token-2');
  });

  it('asks for a new password when the broker ends the connection as not allowed, unless the last one is new', async () => {
    let asked = 0;
    let aheadMs = 0;
    const clock = { ...systemClock, elapsed: () => systemClock.elapsed() + aheadMs };
    const { server, link, lost, fatal, isUp } = await used({
      username: 'u',
      password: () => `token-${(asked += 1)}`,
      heartbeatMs: 60_000,
      clock,
    });
    await isUp();
    // As a broker does whose token has expired.
    aheadMs = 10_000;
    server.send(disconnect(0x87));
    await until(() => expect([server.connections, link.writing.current() === undefined]).toEqual([2, false]));
    expect(lost.map(({ code, retriable }) => [code, retriable])).toEqual([['CONNECTION_LOST', true]]);
    server.send(disconnect(0x87));
    await until(() => expect(fatal).toMatchObject([{ code: 'AUTH_FAILED' }]));
    expect([server.connections, asked]).toEqual([2, 2]);
  });

  it('ends where the function gives no password', async () => {
    const { server, fatal } = await used({ username: 'u', password: () => undefined as unknown as string });
    await until(() => expect(fatal).toMatchObject([{ code: 'CONFIG_INVALID' }]));
    expect(server.connections).toBe(0);
  });

  it('comes back by itself, and never shows the password (S21)', async () => {
    const events: unknown[] = [];
    cleanups.push(observe((event) => void events.push(event)));
    const { server, link, lost } = await used({ username: 'u', password: 'hidden' }, (packet, reply, count) => {
      if (count >= 3) agreeing(packet, reply);
      else if (packet.type === 1) server.cut();
    });
    await until(() => expect(link.writing.current()).toBeDefined());
    server.cut();
    await until(() => expect(lost.map(({ code }) => code)).toEqual(['CONNECTION_LOST']));
    expect(server.connections).toBeGreaterThanOrEqual(3);
    expect(inspect([events, link], { depth: 20 })).not.toContain('hidden');
  });

  it.each([
    ['5' as const, 0x86, 'AUTH_FAILED'],
    ['5' as const, 0x85, 'CONFIG_INVALID'],
    ['3.1.1' as const, 5, 'AUTH_FAILED'],
    ['3.1.1' as const, 1, 'CONFIG_INVALID'],
  ])('ends when the broker refuses it for good: %s %i (REC-12)', async (protocolVersion, code, expected) => {
    const { server, fatal } = await used({ protocolVersion }, ({ type }, reply) => {
      if (type === 1) reply(protocolVersion === '5' ? connack(code) : Buffer.from([0x20, 2, 0, code]));
    });
    await until(() => expect(fatal.map((error) => error.code)).toEqual([expected]));
    expect(server.connections).toBe(1);
  });

  it('ends when another client took its identifier, and tries again when the broker shuts down', async () => {
    const taken = await used();
    await taken.isUp();
    taken.server.send(disconnect(0x8e));
    await until(() =>
      expect(taken.fatal[0]?.message).toContain('another client connected with the same client identifier'),
    );
    const shut = await used();
    await shut.isUp();
    shut.server.send(disconnect(0x8b));
    await until(() => expect(shut.server.connections).toBe(2));
    expect(shut.lost[0]?.message).toContain('shuts down');
    expect(shut.fatal).toEqual([]);
  });

  it('gives up a peer that answers nothing', async () => {
    const { lost, server } = await used({}, (packet, reply) => {
      if (packet.type === 1) agreeing(packet, reply);
    });
    await until(() => expect(lost.map(({ code }) => code)).toEqual(['PEER_LOST']));
    expect(server.of(12).length).toBeGreaterThan(0);
  });

  it('takes what is no MQTT for a failure of the connection (B23)', async () => {
    const { server, lost, isUp } = await used();
    await isUp();
    server.send(Buffer.from([0x36, 0xff, 0xff, 0xff, 0xff, 0xff]));
    await until(() => expect(lost.length).toBeGreaterThan(0));
    expect(isSluiceError(lost[0], 'PROTOCOL_ERROR')).toBe(true);
  });

  it('opens no socket for a try that was given up before its password was there (SHU-07)', async () => {
    const opened = vi.spyOn(net, 'createConnection');
    let tell: ((password: string) => void) | undefined;
    let asked = 0;
    const password = (): Promise<string> => {
      asked += 1;
      return new Promise((resolve) => (tell = resolve));
    };
    const { stop } = await used({ password });
    await until(() => expect(asked).toBe(1));
    stop();
    tell?.('right');
    // One that is not given up, and begins later.
    const { isUp } = await used();
    await isUp();
    expect(opened).toHaveBeenCalledTimes(1);
  });

  it('ends over WebSocket where the server has no such path, at the first try', async () => {
    let tries = 0;
    const server = createServer((_, response) => response.writeHead(404).end());
    server.on('upgrade', (_, socket) => {
      tries += 1;
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as net.AddressInfo;
    const { fatal } = await used({ url: `ws://127.0.0.1:${port}/none` });
    await until(() =>
      expect(fatal).toMatchObject([{ code: 'CONNECT_FAILED', details: { connector: 'mqtt', status: 404 } }]),
    );
    expect(tries).toBe(1);
  });

  it('leaves no socket when it is given up while it opens (SHU-07)', async () => {
    const { server, stop } = await used({}, () => undefined);
    await until(() => expect(server.of(1)).toHaveLength(1));
    stop();
    await until(() => expect(server.open).toBe(0));
    expect(server.connections).toBe(1);
  });
});
