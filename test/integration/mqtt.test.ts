import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { backoff, deadLetter, each, fromAsyncIterable, headerText, observe, run, type SluiceEvent } from 'sluice';
import { mqttLink, mqttSink, mqttSource, type MqttLinkOptions, type MqttMeta } from 'sluice/mqtt';
import { faultProxy } from 'sluice/testing-node';
import type { Broker } from '../brokers/broker.js';
import { brokerSuite } from '../brokers/broker-suite.js';
import { freePort } from '../brokers/free-port.js';
import { mosquitto } from '../brokers/mosquitto.js';
import { makeCertificate, type Certificate } from '../helpers/certificate.js';
import { consume, texts } from '../helpers/consume.js';
import { mqttPasswords } from '../helpers/mqtt-passwords.js';
import { recorder } from '../helpers/message.js';
import { keptSession } from '../helpers/mqtt-session.js';
import { until } from '../helpers/until.js';

const folder = mkdtempSync(join(tmpdir(), 'sluice-mqtt-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ports = { websocket: 0, tls: 0, mutual: 0 };
const certificate = makeCertificate();
/** Trusted by the broker as well. */
const renewed = makeCertificate('renewed.example') as Certificate;
const reconnect = backoff({ initialMs: 20, maxMs: 100, minMs: 5 });
let names = 0;
const fresh = (hint: string): string => `${hint}-${process.pid}-${(names += 1)}`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Also over WebSocket and TLS, with a user of its own; it keeps two messages at most for who is away. */
async function withEverything(): Promise<Broker> {
  ports.websocket = await freePort();
  ports.tls = await freePort();
  ports.mutual = await freePort();
  const settings = [
    mqttPasswords(join(folder, 'passwords'), 'user', 'right'),
    `listener ${ports.websocket} 127.0.0.1`,
    'protocol websockets',
  ];
  if (typeof certificate !== 'string') {
    for (const kind of ['cert', 'key'] as const) writeFileSync(join(folder, `${kind}.pem`), certificate[kind]);
    for (const port of [ports.tls, ports.mutual])
      settings.push(`listener ${port} 127.0.0.1`, `certfile ${folder}/cert.pem`, `keyfile ${folder}/key.pem`);
    writeFileSync(join(folder, 'clients.pem'), certificate.cert + renewed.cert);
    settings.push(`cafile ${folder}/clients.pem`, 'require_certificate true');
  }
  return mosquitto(settings);
}

brokerSuite('MQTT on Mosquitto, feature by feature', withEverything, (broker) => {
  beforeEach((context) => {
    if (!broker().isOwn) context.skip(`${broker().how} has other settings`);
  });

  /** Sends three messages and reads them, over connections like this. */
  async function thereAndBack(options: Partial<MqttLinkOptions>): Promise<string[]> {
    const [topic, clientId] = [fresh('there'), fresh('reader')];
    await keptSession(broker().url, clientId, topic);
    const link = mqttLink({ url: broker().url, ...options, clientId });
    const reader = consume(mqttSource(link, { topics: topic }));
    const payloads = ['a', 'b', 'c'].map(bytes);
    await run(fromAsyncIterable(payloads), mqttSink(link, { topic })).done;
    await until(() => expect(reader.messages).toHaveLength(3));
    reader.unsubscribe();
    return texts(reader.messages);
  }

  it.each(['5', '3.1.1'] as const)('goes over WebSocket, with MQTT %s', async (protocolVersion) => {
    const url = `ws://127.0.0.1:${ports.websocket}`;
    expect(await thereAndBack({ url, protocolVersion })).toEqual(['a', 'b', 'c']);
  });

  it('hands what is longer than maxBytes to the dead letters, once, and the rest to the flow (S03, B10, F11)', async () => {
    const [topic, clientId, dead] = [fresh('long'), fresh('reader'), fresh('dead')];
    for (const filter of [topic, dead]) await keptSession(broker().url, `${clientId}-${filter}`, filter);
    const link = (of: string) => mqttLink({ url: broker().url, clientId: `${clientId}-${of}` });
    const letters = consume(mqttSource(link(dead), { topics: dead }));
    const reader = consume(
      mqttSource(link(topic), { topics: topic, credit: 1 }).pipe(deadLetter(mqttSink(link(topic), { topic: dead }))),
    );
    const payloads = [1, 1_048_577, 1_048_576].map((length) => bytes('x'.repeat(length)));
    await run(fromAsyncIterable(payloads), mqttSink(link(topic), { topic, maxBytes: 2_000_000 })).done;
    await until(() => expect(reader.messages.map(({ payload }) => payload.length)).toEqual([1, 1_048_576]));
    await until(() => expect(letters.messages.map(({ payload }) => payload.length)).toEqual([65_536]));
    expect(headerText(letters.messages[0]?.headers ?? {}, 'x-dead-code')).toBe('PAYLOAD_TOO_LARGE');
    for (const one of [reader, letters]) one.unsubscribe();
  });

  it('goes over TLS to a broker that is trusted, and to no other (SEC-01)', async (context) => {
    if (typeof certificate === 'string') return context.skip(`no certificate was made: ${certificate}`);
    const url = `mqtts://127.0.0.1:${ports.tls}`;
    const tls = { ca: certificate.cert, servername: 'localhost' };
    expect(await thereAndBack({ url, tls })).toEqual(['a', 'b', 'c']);
    for (const wrong of [undefined, { ...tls, servername: 'broker.example' }]) {
      const link = mqttLink({ url, ...(wrong === undefined ? {} : { tls: wrong }) });
      const reader = consume(mqttSource(link, { topics: 'x' }));
      await until(() => expect(reader.error).toMatchObject({ code: 'AUTH_FAILED' }));
    }
  });

  it('goes over TLS with a certificate of its own, and ends where that is not trusted (REC-12, S14)', async (context) => {
    if (typeof certificate === 'string') return context.skip(`no certificate was made: ${certificate}`);
    const url = `mqtts://127.0.0.1:${ports.mutual}`;
    const tls = { ca: certificate.cert, servername: 'localhost' };
    expect(await thereAndBack({ url, tls: { ...tls, ...certificate } })).toEqual(['a', 'b', 'c']);
    for (const wrong of [{}, makeCertificate() as object]) {
      const reader = consume(mqttSource(mqttLink({ url, tls: { ...tls, ...wrong } }), { topics: 'x' }));
      await until(() => expect(reader.error).toMatchObject({ code: 'AUTH_FAILED' }));
    }
  });

  it('shows the certificate that is there when it connects again, and ends with one that is not trusted (S14, REC-12)', async (context) => {
    if (typeof certificate === 'string') return context.skip(`no certificate was made: ${certificate}`);
    const proxy = await faultProxy({ port: ports.mutual });
    const files = { ca: certificate.cert, servername: 'localhost' };
    let asked = 0;
    let current: object = certificate;
    const tls = async (): Promise<object> => {
      asked += 1;
      return { ...files, ...current };
    };
    const link = mqttLink({ url: `mqtts://127.0.0.1:${proxy.port}`, tls, reconnect });
    const topic = fresh('renewed');
    const reader = consume(mqttSource(link, { topics: topic }));
    const send = (text: string): void => void run(fromAsyncIterable([bytes(text)]), mqttSink(plain, { topic }));
    const plain = mqttLink({ url: broker().url });
    await until(() => expect(asked).toBe(1));
    await until(() => {
      send('a');
      expect(reader.messages.length).toBeGreaterThan(0);
    });
    // What is open stays, whatever is there by now.
    current = renewed;
    const before = reader.messages.length;
    await until(() => {
      send('b');
      expect(reader.messages.length).toBeGreaterThan(before);
    });
    expect(asked).toBe(1);
    proxy.rst();
    await until(() => {
      send('c');
      expect(texts(reader.messages)).toContain('c');
    });
    expect(asked).toBe(2);
    current = makeCertificate('unknown.example') as object;
    proxy.rst();
    await until(() => expect(reader.error).toMatchObject({ code: 'AUTH_FAILED' }));
    expect(asked).toBe(3);
    await proxy.close();
  });

  it('is let in with the right password, and ends with a wrong one at the first try (REC-12)', async () => {
    const url = broker().url;
    expect(await thereAndBack({ url, username: 'user', password: () => 'right' })).toEqual(['a', 'b', 'c']);
    for (const protocolVersion of ['5', '3.1.1'] as const) {
      const events: SluiceEvent[] = [];
      const stop = observe((event) => void events.push(event));
      const link = mqttLink({ url, protocolVersion, username: 'user', password: 'wrong-one' });
      const reader = consume(mqttSource(link, { topics: 'x' }));
      await until(() => expect(reader.error).toMatchObject({ code: 'AUTH_FAILED' }));
      stop();
      expect(events.filter(({ type }) => type === 'connect.failed')).toEqual([]);
      expect(JSON.stringify(events)).not.toContain('wrong-one');
    }
  });

  it('gets what the broker retains when its subscription is new, and not again with each connection', async () => {
    const topic = fresh('retained');
    const link = mqttLink({ url: broker().url, clientId: fresh('reader') });
    await run(fromAsyncIterable([bytes('last')]), mqttSink(link, { topic, retain: true })).done;
    const first = consume(mqttSource(link, { topics: topic, closeTimeoutMs: 0 }));
    await until(() => expect(texts(first.messages)).toEqual(['last']));
    expect((first.messages[0]?.meta as MqttMeta).retained).toBe(true);
    first.unsubscribe();
    const again = consume(mqttSource(link, { topics: topic }));
    const always = consume(mqttSource(link, { topics: topic, name: 'always', retained: 'always' }));
    const never = consume(mqttSource(link, { topics: topic, name: 'never', retained: 'never' }));
    await until(() => expect(always.messages).toHaveLength(1));
    await run(fromAsyncIterable([bytes('new')]), mqttSink(link, { topic })).done;
    await until(() => expect([texts(again.messages), texts(never.messages)]).toEqual([['new'], ['new']]));
    for (const { unsubscribe } of [again, always, never]) unsubscribe();
    await run(fromAsyncIterable([new Uint8Array()]), mqttSink(link, { topic, retain: true })).done;
  });

  it('keeps nothing of an old session when it begins anew, and nothing for who has no name', async () => {
    const [topic, clientId] = [fresh('old'), fresh('reader')];
    await keptSession(broker().url, clientId, topic);
    const link = mqttLink({ url: broker().url, clientId });
    await run(fromAsyncIterable([bytes('old')]), mqttSink(link, { topic })).done;
    const clean = consume(mqttSource(link, { topics: topic, cleanStart: true }));
    const nameless = consume(mqttSource(mqttLink({ url: broker().url }), { topics: topic }));
    const kept = consume(mqttSource(link, { topics: topic, name: 'other' }));
    const every = [clean, nameless, kept];
    // Each gets the first message that comes after its subscription.
    await until(async () => {
      await run(fromAsyncIterable([bytes('new')]), mqttSink(link, { topic })).done;
      expect(every.every(({ messages }) => messages.length > 0)).toBe(true);
    });
    for (const { messages, unsubscribe } of every) {
      expect(new Set(texts(messages))).toEqual(new Set(['new']));
      unsubscribe();
    }
  });

  it('fails alone what the broker would hang up over: a line break in a header, an id, a key or a topic (B23)', async () => {
    const topic = fresh('plain');
    const sink = mqttSink(mqttLink({ url: broker().url }));
    const { message, log } = recorder();
    const broken = [{ headers: { a: 'one\ntwo' } }, { id: 'one\ntwo' }, { key: 'a\tb' }, { topic: 'one\ntwo' }];
    for (const fields of [{}, ...broken, {}]) sink.next(message(bytes('x'), { topic, ...fields }));
    sink.complete();
    await sink.closed;
    const outcomes = log.map((line) => line.replace(/^\d+ /, '')).sort();
    expect(outcomes).toEqual(['ack', 'ack', ...Array<string>(3).fill('dead ENCODE_FAILED'), 'dead TOPIC_INVALID']);
  });

  it('loses nothing when the broker sends abbreviated topics or takes them', async () => {
    expect(await thereAndBack({ topicAliases: 10 })).toEqual(['a', 'b', 'c']);
  });

  it('moves what is given up to a topic of dead letters, with the reason in its headers (S3.84, S3.85)', async () => {
    const [topic, dead, clientId] = [fresh('poison'), fresh('dead'), fresh('reader')];
    await keptSession(broker().url, clientId, topic);
    await keptSession(broker().url, `${clientId}.dead`, dead);
    const link = mqttLink({ url: broker().url, clientId });
    const fine: string[] = [];
    const working = run(
      mqttSource(link, { topics: topic, requeueDelayMs: 5, maxAttempts: 3 }).pipe(
        deadLetter(mqttSink(link, { topic: dead })),
        each((payload) => {
          const text = Buffer.from(payload).toString();
          if (text === 'poison') throw new Error('cannot be swallowed');
          fine.push(text);
        }),
      ),
      mqttSink(link, { topic: fresh('none') }),
    );
    const letters = consume(mqttSource(link, { topics: dead, name: 'dead' }));
    await run(fromAsyncIterable(['one', 'poison', 'two'].map(bytes)), mqttSink(link, { topic })).done;
    await until(() => expect(letters.messages).toHaveLength(1));
    await until(() => expect(fine).toEqual(['one', 'two']));
    const [letter] = letters.messages;
    expect(texts(letters.messages)).toEqual(['poison']);
    expect(headerText(letter!.headers, 'x-dead-topic')).toBe(topic);
    expect(headerText(letter!.headers, 'x-dead-code')).toBe('ATTEMPTS_EXHAUSTED');
    expect(headerText(letter!.headers, 'x-dead-reason')).toContain('cannot be swallowed');
    expect(headerText(letter!.headers, 'x-dead-attempt')).toBe('3');
    letters.unsubscribe();
    expect((await working.stop()).clean).toBe(true);
  });
});
