import { expect, it } from 'vitest';
import { encode, fromAsyncIterable, json, run, type Message } from 'sluice';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';
import type { WebSocketData } from 'sluice/websocket';
import { webSocketServer, type WebSocketServer } from 'sluice/websocket-server';
import type { Broker } from '../brokers/broker.js';
import { brokerSuite } from '../brokers/broker-suite.js';
import { chromium, type Page } from '../brokers/chromium.js';
import { freePort } from '../brokers/free-port.js';
import { mosquitto } from '../brokers/mosquitto.js';
import { consume, texts } from '../helpers/consume.js';
import { keptSession } from '../helpers/mqtt-session.js';
import { until } from '../helpers/until.js';

const said = (page: Page, name: string): string => page.said(name).join(' ');

const TOPIC = 'work';
let websocketPort = 0;

async function withWebSocket(): Promise<Broker> {
  websocketPort = await freePort();
  return mosquitto([`listener ${websocketPort} 127.0.0.1`, 'protocol websockets']);
}

brokerSuite('MQTT over WebSocket', withWebSocket, (broker) => {
  brokerSuite('in Chromium', chromium, (browser) => {
    async function publish(...values: readonly string[]): Promise<void> {
      const link = mqttLink({ url: broker().url });
      await run(fromAsyncIterable(values).pipe(encode(json())), mqttSink(link, { topic: TOPIC })).done;
    }

    it('publishes, settles, keeps its credit, and loses nothing when the broker is started again (S0.1)', async (context) => {
      if (!broker().isOwn) context.skip(`${broker().how} has other settings`);
      // What comes before the page has subscribed waits for it.
      await keptSession(broker().url, 'page', TOPIC);
      await using page = await browser().run('test/pages/mqtt.ts', { url: `ws://127.0.0.1:${websocketPort}/mqtt` });
      await until(() => expect(page.said('settled')).toHaveLength(11));
      expect(said(page, 'published')).toBe('abcdefghij');
      expect(page.said('settled').toSorted().join()).toBe('a 1,b 1,c 1,c 2,d 1,e 1,f 1,g 1,h 1,i 1,j 1');

      await publish('x', 'y', 'z');
      await until(() => expect(said(page, 'held')).toBe('a b c d x y z'));
      await broker().stop();
      await until(() => expect(page.said('stale')).toEqual(['x 1', 'y 1', 'z 1']));
      await broker().start();
      await until(() => expect(page.said('settled').slice(11)).toEqual(['x 2', 'y 2', 'z 2', 'w 1']));
      await until(() => expect(said(page, 'published')).toBe('abcdefghij w'));
      await until(() => expect(page.said('status').at(-1)).toBe('closed'));
      expect(Math.max(...(page.said('unsettled') as number[]))).toBe(4);

      // The broker has heard of everything that was settled: nothing of it is left for whoever comes next.
      await publish('new');
      const next = consume(mqttSource(mqttLink({ url: broker().url, clientId: 'page' }), { topics: TOPIC }));
      await until(() => expect(texts(next.messages)).toEqual(['"new"']));
      next.unsubscribe();
    });
  });
});

brokerSuite('a WebSocket in Chromium', chromium, (browser) => {
  it('waits for a server that does not read, and is there again after the server was (S0.1)', async () => {
    const port = await freePort();
    const maxBufferedBytes = 262_144;
    const frames = 512;
    await using page = await browser().run('test/pages/websocket.ts', {
      url: `ws://127.0.0.1:${port}/feed`,
      maxBufferedBytes,
      frames,
    });
    const came: WebSocketData[] = [];
    const held: Message<WebSocketData>[] = [];
    let isHolding = true;
    /** Sends these quotes to whoever subscribes to them. */
    async function serve(...quotes: readonly number[]): Promise<WebSocketServer<undefined>> {
      const server = await webSocketServer({ port, origins: [page.origin], protocol: ([offered]) => offered });
      server.clients$.subscribe(({ source, sink }) => {
        source.subscribe((message) => {
          came.push(message.payload);
          if (isHolding) held.push(message);
          else message.ack();
          if (message.payload !== 'subscribe') return;
          const texts = quotes.map((n) => JSON.stringify({ channel: 'quotes', n }));
          void run(fromAsyncIterable(texts), sink);
        });
      });
      return server;
    }

    const first = await serve(1, 2);
    const most = (): number => Math.max(0, ...(page.said('buffered') as number[]));
    await until(() => expect(most()).toBeGreaterThanOrEqual(maxBufferedBytes));
    isHolding = false;
    for (const message of held) message.ack();
    await until(() => expect(came.at(-1)).toBe('the last'));
    expect(most()).toBeLessThan(maxBufferedBytes * 1.25);
    const order = came.flatMap((one) => (typeof one === 'string' ? [] : [one[0]]));
    expect(order).toEqual(Array.from({ length: frames }, (_, at) => at % 256));

    // What the browser had not yet said that it wrote would be sent again over the next connection.
    await until(() => expect(page.said('sent')).toEqual([frames]));
    await first.close();
    await until(() => expect(page.said('status').at(-1)).toBe('reconnecting'));
    await using second = await serve(3, 4);
    await until(() => expect(page.said('status').at(-1)).toBe('closed'));
    expect(page.said('quote')).toEqual([1, 2, 3, 4]);
    await until(() => expect(came.slice(-2)).toEqual(['subscribe', 'unsubscribe']));
    expect(second.address.port).toBe(port);
  });
});
