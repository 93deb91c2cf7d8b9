import { afterEach, describe, expect, it } from 'vitest';
import { memoryBroker, memorySource, observe, type SluiceEvent } from 'sluice';
import { webSocketServer, type WebSocketBroadcastOptions, type WebSocketServer } from 'sluice/websocket-server';
import { until } from '../helpers/until.js';
import { bareClient, give, type BareClient } from '../helpers/websocket.js';

let open: WebSocketServer<string>[] = [];
afterEach(async () => {
  await Promise.all(open.map((server) => server.close()));
  open = [];
});

async function setup(count: number): Promise<{ server: WebSocketServer<string>; clients: BareClient[] }> {
  const server = await webSocketServer<string>({
    port: 0,
    authenticate: ({ query }) => ({ principal: query.get('name') ?? '' }),
    closeTimeoutMs: 100,
    heartbeatMs: 60_000,
  });
  open.push(server);
  const clients = await Promise.all(
    Array.from({ length: count }, (_, at) => bareClient(`ws://127.0.0.1:${server.address.port}/?name=c${at}`)),
  );
  return { server, clients };
}

const policy: WebSocketBroadcastOptions<string> = { overflow: 'drop-oldest' };
const FRAME = 'x'.repeat(10_000);

describe('broadcast', () => {
  it('sends each message to every client, also to one that comes later (S3.26, S3.27)', async () => {
    const { server, clients } = await setup(3);
    const sink = server.broadcast(policy);
    const { outcomes, source } = give(sink, 'a', 'b');
    await until(() =>
      expect(clients.map(({ received }) => received)).toEqual([
        ['a', 'b'],
        ['a', 'b'],
        ['a', 'b'],
      ]),
    );
    const late = await bareClient(`ws://127.0.0.1:${server.address.port}/`);
    source.offer('c');
    await until(() => expect(late.received).toEqual(['c']));
    expect(outcomes).toEqual(['ack', 'ack', 'ack']);
  });

  it('sends text as text and bytes as bytes', async () => {
    const { server, clients } = await setup(1);
    const kinds: boolean[] = [];
    clients[0]!.socket.on('message', (_, isBinary) => kinds.push(isBinary));
    give(server.broadcast(policy), 'häß', Buffer.from('bytes'));
    await until(() => expect(clients[0]!.received).toEqual(['häß', 'bytes']));
    expect(kinds).toEqual([false, true]);
  });

  it('sends to those it is for, by who they are and what the message is', async () => {
    const { server, clients } = await setup(2);
    const broker = memoryBroker();
    for (const topic of ['c0', 'c1', 'c0', 'none']) broker.publish({ topic, payload: `for ${topic}` });
    const sink = server.broadcast({ ...policy, to: ({ principal }, { topic }) => principal === topic });
    for (const topic of ['c0', 'c1', 'none'])
      memorySource<string>(broker, { topic }).subscribe({ ...sink, complete: () => undefined });
    await until(() => expect(clients.map(({ received }) => received.length)).toEqual([2, 1]));
    expect(clients[0]!.received).toEqual(['for c0', 'for c0']);
  });

  it('takes a throw over one client for a no: the others get each message, and once', async () => {
    const { server, clients } = await setup(3);
    const seen: SluiceEvent[] = [];
    const stop = observe((event) => void seen.push(event));
    const to = ({ principal }: { readonly principal: string }): boolean => {
      if (principal === 'c1') throw new Error('who is that');
      return true;
    };
    const { outcomes } = give(server.broadcast({ ...policy, to }), 'a', 'b');
    await until(() => expect(clients.map(({ received }) => received)).toEqual([['a', 'b'], [], ['a', 'b']]));
    stop();
    expect(outcomes).toEqual(['ack', 'ack']);
    expect(seen.filter(({ type }) => type === 'stage.failed')).toEqual(
      Array.from({ length: 2 }, () => ({
        type: 'stage.failed',
        stage: 'websocket broadcast',
        reason: new Error('who is that'),
      })),
    );
  });

  it('acks a message that nobody is there for', async () => {
    const { server } = await setup(0);
    const { outcomes } = give(server.broadcast(policy), 'a');
    await until(() => expect(outcomes).toEqual(['ack']));
  });

  it('refuses what is no frame or too big and goes on (SNK-08)', async () => {
    const { server, clients } = await setup(1);
    const { outcomes } = give(server.broadcast(policy), { a: 1 } as never, 'x'.repeat(1_048_577), 'fine');
    await until(() => expect(clients[0]!.received).toEqual(['fine']));
    expect(outcomes).toEqual(['dead ENCODE_FAILED', 'dead PAYLOAD_TOO_LARGE', 'ack']);
  });

  it('lets a client that stopped cost the others nothing and holds B for it (G13, M-10)', async () => {
    const { server, clients } = await setup(3);
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    const [stopped, ...others] = clients;
    stopped!.socket.pause();
    const sink = server.broadcast(policy);
    const { outcomes } = give(sink, ...Array.from({ length: 2_000 }, () => FRAME));
    await until(() => expect(others.map(({ received }) => received.length)).toEqual([2_000, 2_000]));
    stop();
    expect(outcomes).toHaveLength(2_000);
    expect(outcomes.every((outcome) => outcome === 'ack')).toBe(true);
    expect(events.some((event) => event.type === 'peer.slow' && event.policy === 'drop-oldest')).toBe(true);
    stopped!.socket.resume();
    await until(() => expect(stopped!.received.length).toBeGreaterThan(100));
    expect(stopped!.received.length).toBeLessThan(2_000);
    stopped!.socket.terminate();
  });

  it.each([
    [1, 2_000, 1_000],
    [10, 2_000, 1_000],
    [1_024, 20_000, 20],
  ])('loses nothing of a burst for a client that keeps up, with a queue of %s', async (queue, count, bytes) => {
    const { server, clients } = await setup(1);
    const texts = Array.from({ length: count }, (_, at) => `${at}`.padEnd(bytes));
    give(server.broadcast({ ...policy, maxQueuedPerClient: queue }), ...texts);
    await until(() => expect(clients[0]!.received.length).toBe(count));
    expect(clients[0]!.received).toEqual(texts);
  });

  it('comes through beside another broadcast, and answers, that fill the socket of a client', async () => {
    const { server, clients } = await setup(1);
    const others = [server.broadcast(policy), server.clients[0]!.sink].map((sink) => give(sink).source);
    const { source } = give(server.broadcast(policy));
    const texts = Array.from({ length: 20 }, (_, at) => `${at}`);
    for (const text of texts) {
      for (const other of others) for (let at = 0; at < 20; at += 1) other.offer(FRAME);
      source.offer(text);
      await new Promise(setImmediate);
    }
    await until(() => expect(clients[0]!.received.filter((text) => text !== FRAME)).toEqual(texts));
  });

  it('gives one that was stopped the latest of each key when it comes back', async () => {
    const { server, clients } = await setup(1);
    clients[0]!.socket.pause();
    const sink = server.broadcast({ overflow: 'conflate', keyOf: ({ payload }) => (payload as string).slice(0, 1) });
    const ticks = Array.from({ length: 3_000 }, (_, at) => `${at % 2 === 0 ? 'a' : 'b'}${at}${FRAME}`);
    const { outcomes } = give(sink, ...ticks);
    await until(() => expect(outcomes).toHaveLength(3_000));
    clients[0]!.socket.resume();
    await until(() =>
      expect(
        clients[0]!.received
          .slice(-2)
          .map((text) => text.slice(0, 5))
          .sort(),
      ).toEqual(['a2998', 'b2999']),
    );
  });

  it('closes one that stopped with 1013 where that is the policy', async () => {
    const { server, clients } = await setup(2);
    clients[0]!.socket.pause();
    const { outcomes } = give(server.broadcast({ overflow: 'close' }), ...Array.from({ length: 1_500 }, () => FRAME));
    await until(() => expect(server.clients.map(({ principal }) => principal)).toEqual(['c1']));
    await until(() => expect(clients[1]!.received).toHaveLength(1_500));
    expect(outcomes).toHaveLength(1_500);
    clients[0]!.socket.terminate();
  });

  it('confirms with `sent` once the kernel has it for all that keep up', async () => {
    const { server, clients } = await setup(2);
    clients[0]!.socket.pause();
    const sink = server.broadcast({ ...policy, confirm: 'sent' });
    const { outcomes } = give(sink, ...Array.from({ length: 1_000 }, () => FRAME));
    await until(() => expect(clients[1]!.received).toHaveLength(1_000));
    clients[0]!.socket.terminate();
    await until(() => expect(outcomes).toHaveLength(1_000));
    expect(new Set(outcomes)).toEqual(new Set(['ack']));
  });

  it.each([
    ['sent', { confirm: 'sent' }, 'would send to every client again what some have'],
    ['queued', { confirm: 'queued' }, 'has no effect, as a message is confirmed at once'],
    ['queued', {}, 'has no effect, as a message is confirmed at once'],
  ] as const)('refuses a deadline to confirm what was %s', async (kind, given, why) => {
    const { server } = await setup(0);
    const refused = (): void => void server.broadcast({ ...policy, ...given, confirmTimeoutMs: 100 });
    expect(refused).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(refused).toThrow(`'confirmTimeoutMs' with confirm: '${kind}' ${why}; leave it out`);
    expect(() => server.broadcast({ ...policy, ...given, confirmTimeoutMs: 0 })).not.toThrow();
  });

  it('needs to be told what becomes of slow clients', async () => {
    const { server } = await setup(0);
    expect(() => server.broadcast({} as never)).toThrow(`'overflow' is missing`);
  });
});
