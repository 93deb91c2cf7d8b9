import { beforeEach, expect, it } from 'vitest';
import { backoff, fromAsyncIterable, observe, run, type SluiceEvent } from 'sluice';
import { mqttLink, mqttSink, mqttSource, type MqttLinkOptions, type MqttSinkOptions } from 'sluice/mqtt';
import { faultProxy } from 'sluice/testing-node';
import type { Broker } from '../brokers/broker.js';
import { brokerSuite } from '../brokers/broker-suite.js';
import { freePort } from '../brokers/free-port.js';
import { mosquitto } from '../brokers/mosquitto.js';
import { consume, texts } from '../helpers/consume.js';
import { keptSession } from '../helpers/mqtt-session.js';
import { recorder } from '../helpers/message.js';
import { until } from '../helpers/until.js';

const ports = { plain: 0, unabbreviated: 0 };
let names = 0;
const fresh = (hint: string): string => `${hint}-${process.pid}-${(names += 1)}`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** One that can do little, and says so; over other ports it takes no aliases, and nothing but QoS 0. */
async function limited(): Promise<Broker> {
  ports.plain = await freePort();
  ports.unabbreviated = await freePort();
  return mosquitto([
    'max_inflight_messages 3',
    'max_packet_size 2000',
    'max_keepalive 10',
    'retain_available false',
    'max_topic_alias 2',
    `listener ${ports.unabbreviated} 127.0.0.1`,
    'max_topic_alias 0',
    `listener ${ports.plain} 127.0.0.1`,
    'max_qos 0',
  ]);
}

brokerSuite('MQTT on a Mosquitto with limits', limited, (broker) => {
  beforeEach((context) => {
    if (!broker().isOwn) context.skip(`${broker().how} has other settings`);
  });

  const at = (port: number): string => `mqtt://127.0.0.1:${port}`;

  /** What becomes of messages that go out like this. */
  function sent(url: string, options: MqttSinkOptions, payloads: readonly string[], of: Partial<MqttLinkOptions> = {}) {
    const sink = mqttSink(mqttLink({ url, ...of }), options);
    const { message, log } = recorder();
    for (const payload of payloads) sink.next(message(bytes(payload), { topic: 'any' }));
    return { sink, log };
  }

  it.each([
    ['more topics than it takes aliases', () => broker().port, 5],
    ['one that takes no aliases', () => ports.unabbreviated, 5],
    ['as many topics as it takes aliases', () => broker().port, 2],
  ])('loses and mixes up nothing with %s, over reconnects', async (_, port, topics) => {
    const [prefix, clientId] = [fresh('alias'), fresh('reader')];
    await keptSession(broker().url, clientId, `${prefix}/#`);
    const proxy = await faultProxy({ port: port() });
    const reconnect = backoff({ initialMs: 5, maxMs: 20, minMs: 1 });
    const link = mqttLink({ url: at(proxy.port), topicAliases: 10, reconnect });
    const name = ({ payload }: { readonly payload: Uint8Array }): string =>
      `${prefix}/of-${Number(Buffer.from(payload).toString()) % topics}`;
    const total = 3_000;
    async function* numbers(): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < total; n += 1) {
        if (n % 700 === 699) proxy.rst();
        yield bytes(`${n}`);
      }
    }
    const reader = consume(mqttSource(mqttLink({ url: broker().url, clientId }), { topics: `${prefix}/#` }));
    await run(fromAsyncIterable(numbers(), { credit: 50 }), mqttSink(link, { topic: name })).done;
    await until(() => expect(new Set(texts(reader.messages)).size).toBe(total));
    for (const message of reader.messages) expect(message.topic).toBe(name(message));
    expect(proxy.accepted).toBeGreaterThan(1);
    reader.unsubscribe();
    await proxy.close();
  });

  it('has no more out than the broker takes, and sends all', async () => {
    const events: SluiceEvent[] = [];
    const stop = observe((event) => void events.push(event));
    const { sink, log } = sent(broker().url, { topic: fresh('many') }, Array.from({ length: 2_000 }, String));
    sink.complete();
    await until(() => expect(log).toHaveLength(2_000));
    stop();
    expect(log.filter((line) => !line.includes('ack'))).toEqual([]);
    expect(events.filter(({ type }) => type === 'connect.failed')).toEqual([]);
  });

  it('gives up alone what is larger than the broker takes, and keeps the connection', async () => {
    const events: SluiceEvent[] = [];
    const stop = observe((event) => void events.push(event));
    const large = 'x'.repeat(2_000);
    const { sink, log } = sent(broker().url, { topic: fresh('large') }, ['fine', large, 'x'.repeat(1_880), 'fine']);
    sink.complete();
    await until(() => expect(log).toHaveLength(4));
    stop();
    expect(log.map((line) => /PAYLOAD_TOO_LARGE|ack/.exec(line)?.[0]).sort()).toEqual([
      'PAYLOAD_TOO_LARGE',
      'ack',
      'ack',
      'ack',
    ]);
    expect(events.filter(({ type }) => type === 'connect.failed')).toEqual([]);
  });

  it('ends where the broker retains nothing, or takes and delivers QoS 0 only, and says what to change', async () => {
    const retained = sent(broker().url, { topic: 'any', retain: true }, ['one']);
    await until(() => expect(retained.log[0]).toContain('CONFIG_INVALID'));
    const confirmed = sent(at(ports.plain), { topic: 'any' }, ['one']);
    await until(() => expect(confirmed.log[0]).toContain('CONFIG_INVALID'));
    const willing = sent(at(ports.plain), { topic: 'any', qos: 0 }, ['one'], { will: { topic: 'gone', payload: 'x' } });
    await until(() => expect(willing.log[0]).toContain('CONFIG_INVALID'));
    for (const [{ sink }, option] of [
      [retained, 'retain'],
      [confirmed, 'qos'],
      [willing, 'qos'],
    ] as const)
      expect((sink as unknown as { readonly failure: Error }).failure.message).toContain(option);
    for (const protocolVersion of ['5', '3.1.1'] as const) {
      const reader = consume(mqttSource(mqttLink({ url: at(ports.plain), protocolVersion }), { topics: 'any' }));
      await until(() => expect(reader.error).toMatchObject({ code: 'CONFIG_INVALID' }));
      expect(String(reader.error)).toContain('qos: 0');
    }
  });

  it('takes and delivers QoS 0 where that is all there is', async () => {
    const topic = fresh('plain');
    const reader = consume(mqttSource(mqttLink({ url: at(ports.plain) }), { topics: topic, qos: 0 }));
    const { sink } = sent(at(ports.plain), { topic, qos: 0 }, []);
    const { message } = recorder();
    await until(() => {
      sink.next(message(bytes('here'), { topic: 'any' }));
      expect(reader.messages.length).toBeGreaterThan(0);
    });
    expect(new Set(texts(reader.messages))).toEqual(new Set(['here']));
    reader.unsubscribe();
    sink.complete();
  });
});
