import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  backoff,
  ERROR_CODES,
  isSluiceError,
  memoryBroker,
  memoryLink,
  observe,
  type Flow,
  type Sink,
  type SluiceEvent,
} from 'sluice';
import { amqpLink, amqpSink, amqpSource } from 'sluice/amqp';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaDriverName } from 'sluice/kafka';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';
import { webSocketLink, webSocketSink, webSocketSource } from 'sluice/websocket';
import { freePort } from '../brokers/free-port.js';
import { collect } from '../helpers/collect.js';
import { KAFKA_DRIVERS } from '../helpers/kafka-drivers.js';
import { recorder } from '../helpers/message.js';
import { until } from '../helpers/until.js';

const SECRET = 'hidden-word';
const reconnect = backoff({ initialMs: 5, maxMs: 10, minMs: 1 });
const closing = { closeTimeoutMs: 50 };

interface Connected {
  readonly link: object;
  readonly source: Flow<unknown>;
  readonly sink: Sink<Uint8Array>;
}

const kafkaOver =
  (driver: KafkaDriverName) =>
  (port: number): Connected => {
    const sasl = { mechanism: 'plain', username: 'ada', password: SECRET } as const;
    const link = kafkaLink({ brokers: [`127.0.0.1:${port}`], driver, sasl, reconnect });
    const source = kafkaSource(link, { topics: ['a'], group: 'g', ...closing });
    return { link, source, sink: kafkaSink(link, { topic: 'a', ...closing }) };
  };

/** Every connection to another system, with a secret in its options. */
const LINKS: Readonly<Record<string, (port: number) => Connected>> = {
  amqp(port) {
    const link = amqpLink({ url: `amqp://ada:${SECRET}@127.0.0.1:${port}`, reconnect });
    const sink = amqpSink(link, { exchange: 'a', ...closing });
    return { link, source: amqpSource(link, { queue: 'a', ...closing }), sink };
  },
  'kafka over kafkajs': kafkaOver('kafkajs'),
  'kafka over @platformatic/kafka': kafkaOver('@platformatic/kafka'),
  mqtt(port) {
    const link = mqttLink({ url: `mqtt://127.0.0.1:${port}`, username: 'ada', password: SECRET, reconnect });
    const sink = mqttSink(link, { topic: 'a', ...closing });
    return { link, source: mqttSource(link, { topics: 'a', ...closing }), sink };
  },
  websocket(port) {
    const headers = { authorization: `Bearer ${SECRET}` };
    const link = webSocketLink({ url: `ws://127.0.0.1:${port}/a`, client: 'ws', headers, reconnect });
    return { link, source: webSocketSource(link, closing), sink: webSocketSink(link, closing) };
  },
};

/** What is reported while neither the source nor the sink of a connection finds anybody. */
async function refused(connect: (port: number) => Connected) {
  const events: SluiceEvent[] = [];
  onTestFinished(observe((event) => void events.push(event)));
  const connected = connect(await freePort());
  const { message, settled } = recorder();
  const seen = collect(connected.source);
  connected.sink.next(message(new TextEncoder().encode('a')));
  const failures = (): SluiceEvent[] => events.filter(({ type }) => type === 'connect.failed');
  await until(() => expect(failures().length).toBeGreaterThanOrEqual(2));
  seen.subscription.unsubscribe();
  connected.sink.complete();
  await until(() => expect(settled).toHaveLength(1));
  await connected.sink.closed;
  return { ...connected, events, failures: failures(), settled };
}

describe.each(Object.entries(LINKS))('a connection to another system: %s', (name, connect) => {
  it('tells results and errors as every other one does (S0.9)', async () => {
    const { failures, settled } = await refused(connect);
    const [connector] = name.split(' ');
    for (const failure of failures) {
      expect(failure).toMatchObject({ connector, attempt: expect.any(Number), retryInMs: expect.any(Number) });
      const { reason } = failure as { readonly reason: unknown };
      if (!isSluiceError(reason)) throw new Error(`not an error of the library: ${String(reason)}`);
      expect(ERROR_CODES).toContain(reason.code);
      expect(reason).toMatchObject({ code: 'CONNECT_FAILED', retriable: true, cause: expect.anything() });
    }
    expect(settled).toMatchObject([{ outcome: 'requeue', code: 'CONFIRM_TIMEOUT' }]);
  });

  it('shows its credentials in no event, no error, no JSON and no inspection (S0.38)', async () => {
    const { link, source, sink, events } = await refused(connect);
    expect(events.length).toBeGreaterThan(4);
    const shown = inspect([link, source, sink, events], { depth: 30, showHidden: true, maxArrayLength: null });
    expect(shown).not.toContain(SECRET);
    const reported = JSON.stringify(events.map((event) => ('reason' in event ? [event, event.reason] : event)));
    expect(reported).not.toContain(SECRET);
    for (const item of [link, source, sink]) expect(json(item)).not.toContain(SECRET);
  });
});

describe.each<[string, (options: object) => unknown]>([
  ['amqpLink', (options) => amqpLink({ url: 'amqp://localhost', ...options })],
  ['kafkaLink', (options) => kafkaLink({ brokers: ['localhost:9092'], ...options })],
  ['memoryLink', (options) => memoryLink(memoryBroker(), options)],
  ['mqttLink', (options) => mqttLink({ url: 'mqtt://localhost', ...options })],
  ['webSocketLink', (options) => webSocketLink({ url: 'ws://localhost', ...options })],
])('the options of %s', (owner, make) => {
  it('say how what they expect is made', () => {
    expect(() => make({ reconnect: 500 })).toThrow(
      `${owner}: 'reconnect': expected waits made with backoff(), got 500.`,
    );
    expect(() => make({ clock: {} })).toThrow(
      `${owner}: 'clock': expected a clock, as systemClock is one, got object.`,
    );
  });
});

const BROKEN = ['CERTIFICATE', 'PRIVATE KEY'].map((kind) => `-----BEGIN ${kind}-----\nabc\n-----END ${kind}-----\n`);
const tls = { cert: BROKEN[0] as string, key: BROKEN[1] as string };

it.each<[string, () => Flow<unknown>]>([
  ['amqp', () => amqpSource(amqpLink({ url: 'amqps://127.0.0.1:1', tls }), { queue: 'a' })],
  ...KAFKA_DRIVERS.map((driver): [string, () => Flow<unknown>] => [
    `kafka over ${driver}`,
    () => kafkaSource(kafkaLink({ brokers: ['127.0.0.1:1'], driver, tls }), { topics: ['a'], group: 'g' }),
  ]),
  ['mqtt', () => mqttSource(mqttLink({ url: 'mqtts://127.0.0.1:1', tls }), { topics: 'a' })],
  ['websocket', () => webSocketSource(webSocketLink({ url: 'wss://127.0.0.1:1', client: 'ws', tls }))],
])('a key for TLS that is of no use ends a flow of %s, and what to do is said', async (_name, flow) => {
  const seen = collect(flow());
  onTestFinished(() => seen.subscription.unsubscribe());
  await until(() => expect(seen.errors).toMatchObject([{ code: 'AUTH_FAILED', retriable: false }]), 5_000);
  expect(String(seen.errors[0])).toContain(`correct 'cert', 'key' and 'passphrase' of tls`);
});

/** As JSON, with what a place refers to again left out. */
function json(item: unknown): string {
  const seen = new Set<unknown>();
  return JSON.stringify(item, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    return seen.has(value) ? undefined : (seen.add(value), value);
  });
}
