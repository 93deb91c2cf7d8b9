import { combineLatest, distinctUntilChanged, filter, from, map, mergeMap, Subject, type Subscription } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  deadLetter,
  decode,
  each,
  HEADERS,
  headerText,
  json,
  memoryBroker,
  memorySink,
  messages,
  run,
  values,
  type Sink,
} from 'sluice';
import { webSocket, webSocketLink, type WebSocketDuplex } from 'sluice/websocket';
import { readSubscription, webSocketServer } from 'sluice/websocket-server';
import { collect } from '../helpers/collect.js';
import { until } from '../helpers/until.js';
import { bareClient } from '../helpers/websocket.js';

interface Tick {
  readonly channel: string;
  readonly symbol: string;
  readonly n: number;
}

interface Market {
  readonly ticks: Subject<Tick>;
  /** The frames of clients. */
  readonly asked: string[];
  /** How many streams run. */
  readonly streams: () => number;
  readonly client: () => WebSocketDuplex;
  /** Ends the connections of all clients. */
  readonly hangUp: () => Promise<unknown>;
}

/** A server that keeps a stream for each symbol of each channel that a client asks for. */
async function market(): Promise<Market> {
  const server = await webSocketServer({ port: 0, heartbeatMs: 60_000, closeTimeoutMs: 100 });
  onTestFinished(() => server.close());
  const ticks = new Subject<Tick>();
  const asked: string[] = [];
  const all = new Set<Subscription>();
  server.clients$.subscribe((client) => {
    const own = new Map<string, Subscription>();
    const stream = (name: string, symbol: string): Subscription => {
      const frames = ticks.pipe(
        filter((tick) => tick.channel === name && tick.symbol === symbol),
        map((tick) => JSON.stringify(tick)),
        messages({ overflow: 'drop-oldest' }),
      );
      const subscription = frames.subscribe((message) => client.sink.next(message));
      all.add(subscription);
      subscription.add(() => void all.delete(subscription));
      return subscription;
    };
    client.source.subscribe({
      next(message) {
        asked.push(message.payload as string);
        const { op, channels } = readSubscription(message.payload) ?? { op: 'none', channels: [] };
        for (const { name, symbols } of channels)
          for (const symbol of symbols) {
            own.get(`${name} ${symbol}`)?.unsubscribe();
            if (op === 'subscribe') own.set(`${name} ${symbol}`, stream(name, symbol));
          }
        message.ack();
      },
      complete: () => own.forEach((subscription) => subscription.unsubscribe()),
    });
  });
  const url = `ws://127.0.0.1:${server.address.port}/`;
  return {
    ticks,
    asked,
    streams: () => all.size,
    client: () => webSocket(webSocketLink({ url, client: 'ws' })),
    hangUp: () => Promise.all(server.clients.map((client) => client.close())),
  };
}

const request = (op: 'subscribe' | 'unsubscribe'): string =>
  JSON.stringify({
    op,
    channels: [
      { name: 'trades', symbols: ['BTC-USD', 'ETH-USD'] },
      { name: 'quotes', symbols: ['BTC-USD'] },
    ],
  });
const channel = {
  open: request('subscribe'),
  close: request('unsubscribe'),
  match: { channel: ['trades', 'quotes'] },
};

describe('a stream from a server', () => {
  it('follows one request for several symbols of several channels, and stops there when it is unsubscribed (S3.32, S3.48, S3.52)', async () => {
    const { ticks, asked, streams, client } = await market();
    const feed = client();
    // Keeps the connection, so that it is the unsubscribe alone that stops the stream.
    collect(feed.source, (message) => message.ack());
    const { payloads, subscription } = collect(feed.channel(channel), (message) => message.ack());
    await until(() => expect(streams()).toBe(3));
    const sent: string[] = [];
    for (let n = 0; n < 100; n += 1)
      for (const [name, symbol] of ['trades BTC-USD', 'trades ETH-USD', 'quotes BTC-USD'].map((key) =>
        key.split(' '),
      )) {
        const tick = { channel: name ?? '', symbol: symbol ?? '', n };
        ticks.next(tick);
        sent.push(JSON.stringify(tick));
        ticks.next({ ...tick, symbol: 'DOGE-USD' });
      }
    await until(() => expect(payloads).toHaveLength(sent.length));
    expect(payloads.toSorted()).toEqual(sent.toSorted());
    expect(asked).toEqual([request('subscribe')]);
    subscription.unsubscribe();
    await until(() => expect([streams(), ticks.observed]).toEqual([0, false]));
    expect(asked).toEqual([request('subscribe'), request('unsubscribe')]);
  });

  it('stops with its connection, and is asked for again over the next one (S3.30, S3.52)', async () => {
    const { ticks, asked, streams, client, hangUp } = await market();
    const { payloads, subscription } = collect(client().channel(channel), (message) => message.ack());
    await until(() => expect(streams()).toBe(3));
    await hangUp();
    await until(() => expect([asked.length, streams()]).toEqual([2, 3]));
    ticks.next({ channel: 'quotes', symbol: 'BTC-USD', n: 1 });
    await until(() => expect(payloads).toHaveLength(1));
    subscription.unsubscribe();
    await until(() => expect(streams()).toBe(0));
  });

  it('leaves the last value while its connection is lost, which can be told to be stale (S3.89)', async () => {
    const { ticks, asked, streams, client, hangUp } = await market();
    const feed = client();
    const last = feed.channel(channel).pipe(
      values(),
      map((frame) => (JSON.parse(frame as string) as Tick).n),
    );
    const isStale = feed.status$.pipe(
      map((status) => status !== 'connected'),
      distinctUntilChanged(),
    );
    const shown: string[] = [];
    const subscription = combineLatest([last, isStale]).subscribe(([n, stale]) => {
      shown.push(stale ? `${n} stale` : `${n}`);
    });
    await until(() => expect(streams()).toBe(3));
    ticks.next({ channel: 'quotes', symbol: 'BTC-USD', n: 1 });
    await until(() => expect(shown).toEqual(['1']));
    await hangUp();
    await until(() => expect([asked.length, streams()]).toEqual([2, 3]));
    ticks.next({ channel: 'quotes', symbol: 'BTC-USD', n: 2 });
    await until(() => expect(shown).toEqual(['1', '1 stale', '1', '2']));
    subscription.unsubscribe();
  });
});

it('tells a client in a frame what was wrong with its own, and serves it on (S3.87)', async () => {
  const server = await webSocketServer({ port: 0, closeTimeoutMs: 100 });
  onTestFinished(() => server.close());
  server.clients$.subscribe(({ source, sink }) => {
    const errors = {
      next: (letter) => sink.next(letter.with(`no: ${headerText(letter.headers, HEADERS.deadCode)}`)),
      error: () => undefined,
      complete: () => undefined,
    } satisfies Sink<unknown>;
    const work = (frame: string | Uint8Array): string => `yes: ${(JSON.parse(frame as string) as { n: number }).n}`;
    source.pipe(deadLetter(errors), each(work, { onError: 'dead' })).subscribe(sink);
  });
  const client = await bareClient(`ws://127.0.0.1:${server.address.port}/`);
  for (const frame of ['{"n":1}', 'no json', '{"n":2}']) client.socket.send(frame);
  await until(() => expect(client.received.toSorted()).toEqual(['no: HANDLER_FAILED', 'yes: 1', 'yes: 2']));
  expect(server.clients).toHaveLength(1);
  client.socket.terminate();
});

it.each([
  ['', false, false],
  [', behind a stage that keeps dead letters', true, false],
  [', if the server was there later than the flow', false, true],
])('ends a flow of what all clients send when that stops, and serves on%s', async (_where, keeps, isLate) => {
  const server = await webSocketServer({ port: 0, closeTimeoutMs: 100 });
  onTestFinished(() => server.close());
  const broker = memoryBroker();
  const clients$ = isLate ? from(Promise.resolve(server)).pipe(mergeMap((late) => late.clients$)) : server.clients$;
  const frames = clients$.pipe(mergeMap(({ source }) => source));
  const kept = keeps ? frames.pipe(deadLetter(memorySink(broker, { topic: 'dead' }))) : frames;
  const running = run(kept.pipe(decode(json())), memorySink(broker, { topic: 'read' }), { drainTimeoutMs: 5_000 });
  const url = `ws://127.0.0.1:${server.address.port}/`;
  const clients = [await bareClient(url), await bareClient(url)];
  for (const { socket } of clients) socket.send('{"n":1}');
  await until(() => expect(broker.peek.published('read')).toBe(2));
  expect(await running.stop()).toMatchObject({ clean: true, error: undefined });
  const another = await bareClient(url);
  for (const { socket } of [...clients, another]) socket.terminate();
});
