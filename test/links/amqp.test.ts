import { inspect } from 'node:util';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { backoff, observe, systemClock, type Clock } from 'sluice';
import { amqpLink, amqpSource, type AmqpLink } from 'sluice/amqp';
import { collect } from '../helpers/collect.js';
import { until } from '../helpers/until.js';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function server(take: (socket: Socket) => void): Promise<number> {
  const made = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    take(socket);
  });
  servers.push(made);
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return (made.address() as AddressInfo).port;
}

/** Uses the reading half, and gives what ended it. */
function used(link: AmqpLink): { readonly fatal: unknown[]; stop(): void } {
  const fatal: unknown[] = [];
  const leave = link.reading.use({ down: () => undefined, fatal: (error) => void fatal.push(error) });
  return { fatal, stop: () => void leave() };
}

/** A method of the protocol in its frame, on channel 0. */
function frame(method: number, ...parts: readonly (string | readonly number[])[]): Buffer {
  const body = Buffer.concat([Buffer.from([0, 10, 0, method]), ...parts.map((part) => Buffer.from(part))]);
  const head = Buffer.from([1, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(body.length, 3);
  return Buffer.concat([head, body, Buffer.from([0xce])]);
}
const START = frame(10, [0, 9, 0, 0, 0, 0, 0, 0, 0, 5], 'PLAIN', [0, 0, 0, 5], 'en_US');
const TUNE = frame(30, [0, 0, 0, 2, 0, 0, 0, 0]);
const OPEN_OK = frame(41, [0]);
/** 320, CONNECTION_FORCED: what a broker says that stops. */
const CLOSE = frame(50, [1, 64, 4], 'stop', [0, 0, 0, 0]);

/** A broker that takes everybody in, and says this last. */
async function welcoming(last: Buffer): Promise<{ readonly port: number; readonly tries: () => number }> {
  let tries = 0;
  const port = await server((socket) => {
    tries += 1;
    const answers = [START, TUNE, last];
    socket.on('data', () => {
      const answer = answers.shift();
      if (answer !== undefined) socket.write(answer);
    });
  });
  return { port, tries: () => tries };
}

/** A second takes 10 ms. */
const hurried: Clock['timer'] = (delayMs, work, background) => systemClock.timer(delayMs / 100, work, background);

const reconnect = backoff({ initialMs: 5, maxMs: 10, minMs: 1 });

describe('amqpLink', () => {
  it.each([
    [{}, `'url' is missing`],
    [{ url: 'amqp://a', topologie: {} }, `did you mean 'topology'?`],
    [{ url: 'amqp://a', heartbeatMs: 10 }, 'a whole number from 1000'],
    [{ url: 'amqp://a', tls: { certificate: '' } }, `unknown option 'certificate'`],
    [{ url: 'amqp://a', tls: {} }, `'tls' needs a URL that begins with amqps:`],
    [{ url: 'amqps://a', tls: { ca: './ca.pem' } }, `amqpLink tls: 'ca': expected PEM`],
    [{ url: 'amqp://a', password: 4711 }, `'password': expected a text that is not empty, or a function, got number`],
    [{ url: 'amqp://a', topology: { queues: [{}] } }, `topology.queues[0]: 'name' is missing`],
    [{ url: 'mqtt://a' }, 'amqp://host or amqps://host'],
  ])('refuses %j', (options, text) => {
    expect(() => amqpLink(options as never)).toThrow(text);
  });

  it('connects on use, tries again, and never shows the password (S21)', async () => {
    let tries = 0;
    const port = await server((socket) => {
      tries += 1;
      socket.destroy();
    });
    const events: unknown[] = [];
    const stop = observe((event) => void events.push(event));
    const link = amqpLink({ url: `amqp://user:hidden@127.0.0.1:${port}`, reconnect });
    expect(tries).toBe(0);
    const use = used(link);
    await until(() => expect(tries).toBeGreaterThanOrEqual(3));
    use.stop();
    stop();
    expect(use.fatal).toEqual([]);
    expect(inspect([events, link], { depth: 20 })).toContain('amqp could not connect');
    expect(inspect([events, link], { depth: 20 })).not.toContain('hidden');
  });

  it('ends with its first try where the function gives no password', async () => {
    const { port, tries } = await welcoming(OPEN_OK);
    const password = (): string => undefined as unknown as string;
    const use = used(amqpLink({ url: `amqp://127.0.0.1:${port}`, password, reconnect }));
    await until(() => expect(use.fatal).toMatchObject([{ code: 'CONFIG_INVALID', details: { owner: 'amqpLink' } }]));
    expect(tries()).toBe(0);
    use.stop();
  });

  it('gives up a try that gets no answer, and leaves no socket of it (F5)', async () => {
    let open = 0;
    let tries = 0;
    const port = await server((socket) => {
      tries += 1;
      open += 1;
      socket.resume().on('close', () => (open -= 1));
    });
    const use = used(amqpLink({ url: `amqp://127.0.0.1:${port}`, reconnect, connectTimeoutMs: 50 }));
    await until(() => expect(tries).toBeGreaterThanOrEqual(2));
    use.stop();
    await until(() => expect(open).toBe(0));
    expect(use.fatal).toEqual([]);
  });

  it.each([
    ['a frame of no kind', [9, 0, 0, 0, 0, 0, 0, 0xce]],
    ['a frame without its end', [8, 0, 0, 0, 0, 0, 0, 0]],
    ['a frame that is larger than was agreed on', [3, 0, 0, 0x7f, 0xff, 0xff, 0xff]],
  ])('takes %s for what is no AMQP, and connects again (B24)', async (_, bytes) => {
    const { port, tries } = await welcoming(OPEN_OK);
    const link = amqpLink({ url: `amqp://127.0.0.1:${port}`, reconnect });
    const reasons: unknown[] = [];
    const stop = observe((event) => {
      if (event.type !== 'status.changed') return;
      if (event.to === 'connected' && tries() === 1) sockets.at(-1)?.write(Uint8Array.from(bytes));
      if (event.to === 'reconnecting') reasons.push(event.reason);
    });
    const use = used(link);
    await until(() => expect(reasons).toMatchObject([{ code: 'PROTOCOL_ERROR', retriable: true }]));
    await until(() => expect(tries()).toBe(2));
    use.stop();
    stop();
    expect(use.fatal).toEqual([]);
  });

  it('leaves no socket of a try that nobody waits for any more', async () => {
    let open = 0;
    const port = await server((socket) => {
      open += 1;
      socket.resume().on('close', () => (open -= 1));
    });
    const use = used(amqpLink({ url: `amqp://127.0.0.1:${port}`, connectTimeoutMs: 600_000 }));
    await until(() => expect(open).toBe(1));
    use.stop();
    await until(() => expect(open).toBe(0));
  });

  it('opens no socket for a try that was given up before the client was loaded', async () => {
    const { port, tries } = await welcoming(OPEN_OK);
    const url = `amqp://127.0.0.1:${port}`;
    used(amqpLink({ url })).stop();
    const link = amqpLink({ url });
    const use = used(link);
    const walk: string[] = [];
    link.reading.status$.subscribe((status) => walk.push(status));
    await until(() => expect(walk.at(-1)).toBe('connected'));
    expect(tries()).toBe(1);
    use.stop();
  });

  it('leaves no socket of a broker that does not answer its farewell', async () => {
    let open = 0;
    const port = await server((socket) => {
      open += 1;
      const answers = [START, TUNE, OPEN_OK];
      socket.on('data', () => socket.write(answers.shift() ?? ''));
      // One half that is ended says nothing of the other: what is written to a socket that is gone tells.
      socket.allowHalfOpen = true;
      const beats = setInterval(() => socket.readableEnded && socket.write(START), 5);
      socket.on('close', () => {
        clearInterval(beats);
        open -= 1;
      });
    });
    const clock = { ...systemClock, timer: hurried };
    const link = amqpLink({ url: `amqp://127.0.0.1:${port}`, connectTimeoutMs: 1_000_000, clock });
    const use = used(link);
    const walk: string[] = [];
    link.reading.status$.subscribe((status) => walk.push(status));
    await until(() => expect(walk.at(-1)).toBe('connected'));
    use.stop();
    await until(() => expect([walk.at(-1), open]).toEqual(['closed', 0]));
  });

  it('goes on after a peer that speaks something else (F11)', async () => {
    let tries = 0;
    const port = await server((socket) => {
      tries += 1;
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    const use = used(amqpLink({ url: `amqp://127.0.0.1:${port}`, reconnect }));
    await until(() => expect(tries).toBeGreaterThanOrEqual(2));
    use.stop();
    expect(use.fatal).toEqual([]);
  });

  it('connects again when the broker says goodbye together with its welcome (F2)', async () => {
    const { port, tries } = await welcoming(Buffer.concat([OPEN_OK, CLOSE]));
    const link = amqpLink({ url: `amqp://127.0.0.1:${port}`, reconnect });
    const { subscription, errors } = collect(amqpSource(link, { queue: 'q' }));
    await until(() => expect(tries()).toBeGreaterThanOrEqual(3));
    subscription.unsubscribe();
    expect(errors).toEqual([]);
  });

  it('takes a goodbye instead of a welcome for a virtual host that is not there, the second time (REC-12)', async () => {
    const { port, tries } = await welcoming(CLOSE);
    const use = used(amqpLink({ url: `amqp://127.0.0.1:${port}/none`, reconnect }));
    await until(() => expect(use.fatal).toMatchObject([{ code: 'AUTH_FAILED' }]));
    expect(tries()).toBe(2);
    use.stop();
  });

  it('hands out its connections in turn, as many as it was told', () => {
    const one = amqpLink({ url: 'amqp://a' });
    expect([one.take('reading'), one.take('reading'), one.take('writing')]).toEqual([
      one.reading,
      one.reading,
      one.writing,
    ]);
    const two = amqpLink({ url: 'amqp://a', connections: 2 });
    const taken = [two.take('writing'), two.take('writing'), two.take('writing')];
    expect(taken.map((link) => two.links.writing.indexOf(link))).toEqual([0, 1, 0]);
    expect([two.links.reading.length, two.links.writing[0] === two.writing]).toEqual([2, true]);
    expect(() => amqpLink({ url: 'amqp://a', connections: 0 })).toThrow('from 1 to 1000');
  });
});
