import { expect, it } from 'vitest';
import {
  decode,
  each,
  encode,
  json,
  memoryBroker,
  memorySink,
  memorySource,
  payload,
  run,
  type Flow,
  type Running,
  type Sink,
} from 'sluice';
import { fileSink, fileSource } from 'sluice/file';
import { webSocket, webSocketLink } from 'sluice/websocket';
import { texts } from '../helpers/consume.js';
import { collect } from '../helpers/collect.js';
import { temporaryFolder } from '../helpers/folder.js';
import { until } from '../helpers/until.js';
import { bareServer } from '../helpers/websocket.js';

interface Order {
  readonly id: string;
  readonly amount: number;
}

/** The application: it does not know over what it is connected. */
function classify(source: Flow<Uint8Array>, sink: Sink<Uint8Array>): Running {
  const priority = async ({ id, amount }: Order) => ({ id, priority: amount > 100 ? 'HIGH' : 'LOW' });
  return run(source.pipe(decode(json<Order>()), each(priority), encode(json())), sink);
}

type Config =
  | { readonly type: 'memory'; readonly from: string; readonly to: string }
  | { readonly type: 'file'; readonly from: string; readonly to: string }
  | { readonly type: 'websocket'; readonly url: string };

const broker = memoryBroker();

/** The two ends that a configuration speaks of. */
function connect(config: Config): readonly [Flow<Uint8Array>, Sink<Uint8Array>] {
  if (config.type === 'memory')
    return [memorySource(broker, { topic: config.from }), memorySink(broker, { topic: config.to })];
  if (config.type === 'file') return [fileSource({ path: config.from }), fileSink({ path: config.to })];
  const { source, sink } = webSocket(webSocketLink({ url: config.url, client: 'ws' }));
  return [source.pipe(payload((frame) => (typeof frame === 'string' ? utf8.encode(frame) : frame))), sink];
}

/** The far side of a connection: who configures it, and what became of what came over it. */
interface FarSide extends AsyncDisposable {
  readonly config: Config;
  got(): Promise<readonly string[]>;
}

const utf8 = new TextEncoder();
const orders = [250, 50, 100].map((amount, at) => JSON.stringify({ id: `o${at}`, amount }));

const FAR_SIDES: Readonly<Record<Config['type'], () => Promise<FarSide>>> = {
  async memory() {
    for (const order of orders) broker.publish({ topic: 'orders', payload: utf8.encode(order) });
    const { messages } = collect(memorySource<Uint8Array>(broker, { topic: 'done' }), (message) => message.ack());
    return {
      config: { type: 'memory', from: 'orders', to: 'done' },
      got: async () => texts(messages),
      [Symbol.asyncDispose]: async () => undefined,
    };
  },
  async file() {
    const folder = await temporaryFolder();
    const from = await folder.write('orders', orders.map((order) => `${order}\n`).join(''));
    return {
      config: { type: 'file', from, to: folder.of('done') },
      got: async () => (await folder.read('done')).split('\n').slice(0, -1),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  },
  async websocket() {
    const server = await bareServer((socket) => {
      for (const order of orders) socket.send(order);
    });
    return {
      config: { type: 'websocket', url: server.url },
      got: async () => server.received,
      [Symbol.asyncDispose]: () => server.close(),
    };
  },
};

it.each(Object.keys(FAR_SIDES) as Config['type'][])(
  'one application runs unchanged over what its configuration names: %s (S0.5)',
  async (type) => {
    await using far = await FAR_SIDES[type]();
    // Nothing but text passes from one to the other.
    const running = classify(...connect(JSON.parse(JSON.stringify(far.config)) as Config));
    await until(async () =>
      expect(await far.got()).toEqual([
        '{"id":"o0","priority":"HIGH"}',
        '{"id":"o1","priority":"LOW"}',
        '{"id":"o2","priority":"LOW"}',
      ]),
    );
    expect((await running.stop()).clean).toBe(true);
  },
);
