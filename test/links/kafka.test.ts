import { inspect } from 'node:util';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { backoff, observe } from 'sluice';
import { kafkaLink, type KafkaLink } from 'sluice/kafka';
import { until } from '../helpers/until.js';
import { KAFKA_DRIVERS } from '../helpers/kafka-drivers.js';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function server(take: (socket: Socket) => void): Promise<string> {
  const made = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    take(socket);
  });
  servers.push(made);
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(made.address() as AddressInfo).port}`;
}

/** Uses the link, and gives what ended it. */
function used(link: KafkaLink): { readonly fatal: unknown[]; stop(): void } {
  const fatal: unknown[] = [];
  const leave = link.use({ down: () => undefined, fatal: (error) => void fatal.push(error) });
  return { fatal, stop: () => void leave() };
}

const reconnect = backoff({ initialMs: 5, maxMs: 10, minMs: 1 });

describe('kafkaLink', () => {
  it.each([
    [{}, `'brokers' is missing`],
    [{ brokers: [] }, 'expected an array of host:port'],
    [{ brokers: ['kafka://a:9092'] }, 'expected an array of host:port'],
    [{ brokers: ['a:1', 'a'] }, 'expected an array of host:port, without a scheme; brokers[1] is none'],
    [{ brokers: [Object.create(null)] }, 'expected an array of host:port, without a scheme; brokers[0] is none'],
    [{ brokers: ['a:1'], driver: 'kafka-node' }, 'expected one of kafkajs, @platformatic/kafka'],
    [{ brokers: ['a:1'], broker: 'a:1' }, `did you mean 'brokers'?`],
    [{ brokers: ['a:1'], requestTimeoutMs: 30_000 }, 'a whole number from 1000 to 10000'],
    [{ brokers: ['a:1'], tls: { certificate: '' } }, `unknown option 'certificate'`],
    [{ brokers: ['a:1'], sasl: { mechanism: 'plain' } }, `'username' is missing`],
  ])('refuses %j', (options, text) => {
    expect(() => kafkaLink(options as never)).toThrow(text);
  });

  it('takes addresses of any kind', () => {
    expect(() => kafkaLink({ brokers: ['a.b:1', '10.0.0.1:9092', '[::1]:9092'] })).not.toThrow();
  });

  it.each(KAFKA_DRIVERS)('connects on use, tries again, and never shows the password, over %s', async (driver) => {
    let tries = 0;
    const broker = await server((socket) => {
      tries += 1;
      socket.destroy();
    });
    const events: unknown[] = [];
    const stop = observe((event) => void events.push(event));
    const sasl = { mechanism: 'plain', username: 'u', password: 'hidden' } as const;
    const link = kafkaLink({ driver, brokers: [broker], sasl, reconnect });
    expect(tries).toBe(0);
    const use = used(link);
    await until(() => expect(events).toContainEqual(expect.objectContaining({ type: 'connect.failed', attempt: 2 })));
    use.stop();
    stop();
    expect(use.fatal).toEqual([]);
    expect(inspect([events, link], { depth: 20 })).toContain('kafka could not connect');
    expect(inspect([events, link], { depth: 20 })).not.toContain('hidden');
  });

  it.each(KAFKA_DRIVERS)('gives up a try that gets no answer, over %s (F5)', async (driver) => {
    const broker = await server((socket) => void socket.resume());
    const events: unknown[] = [];
    const stop = observe((event) => void events.push(event));
    const use = used(kafkaLink({ driver, brokers: [broker], reconnect, connectTimeoutMs: 50 }));
    await until(() => expect(events).toContainEqual(expect.objectContaining({ type: 'connect.failed', attempt: 2 })));
    use.stop();
    stop();
    expect(use.fatal).toEqual([]);
  });
});
