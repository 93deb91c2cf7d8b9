import { map, merge } from 'rxjs';
import { expect, it, type TestContext } from 'vitest';
import {
  decode,
  each,
  encode,
  fromAsyncIterable,
  json,
  run,
  type Flow,
  type Message,
  type Running,
  type Sink,
} from 'sluice';
import { amqpLink, amqpSink, amqpSource, type AmqpLink } from 'sluice/amqp';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaLink } from 'sluice/kafka';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';
import { webSocketLink, webSocketSource } from 'sluice/websocket';
import { CLOUD_EVENTS, fromBinary, shown, toBinary, type CloudEvent } from '../../src/testing/cloud-events.js';
import { brokerSuite } from '../brokers/broker-suite.js';
import { kafka, type KafkaBroker } from '../brokers/kafka.js';
import { mosquitto } from '../brokers/mosquitto.js';
import { rabbitmq } from '../brokers/rabbitmq.js';
import { consume } from '../helpers/consume.js';
import { makeTopic } from '../helpers/kafka-admin.js';
import { keptSession } from '../helpers/mqtt-session.js';
import { until } from '../helpers/until.js';
import { bareServer } from '../helpers/websocket.js';

const CREDIT = 64;
const texts = { encode: new TextEncoder(), decode: new TextDecoder() };

function needsReal({ isReal, how }: KafkaBroker, context: TestContext): void {
  if (!isReal) context.skip(`${how} makes no topics on demand`);
}

/** As many events as asked for, of every kind, each with an id of its own. */
function events(count: number): CloudEvent[] {
  return Array.from({ length: count }, (_, at) => {
    const kind = CLOUD_EVENTS[at % CLOUD_EVENTS.length] as CloudEvent;
    const id = `${kind.id}-${at}`;
    return { ...kind, id, attributes: { ...kind.attributes, id } };
  });
}

brokerSuite('From one system to another: RabbitMQ', rabbitmq, (rabbit) => {
  brokerSuite('Kafka', kafka, (cluster) => {
    brokerSuite('Mosquitto', mosquitto, (mosquittos) => {
      const amqp = (...queues: readonly string[]): AmqpLink =>
        amqpLink({ url: rabbit().url, topology: { queues: queues.map((name) => ({ name })) } });
      const kafkas = (): KafkaLink => kafkaLink({ brokers: [cluster().url] });

      it('feeds one flow from RabbitMQ, WebSocket and Kafka, and publishes what it made of that to MQTT (S2.1, S2.6, S2.7, S2.13)', async (context) => {
        needsReal(cluster(), context);
        const from = (name: string): { id: string }[] =>
          Array.from({ length: 100 }, (_, at) => ({ id: `${name} ${at}` }));
        await makeTopic(cluster(), 'feed', 2);
        await keptSession(mosquittos().url, 'all', 'all');
        await using server = await bareServer((socket) => {
          for (const value of from('websocket')) socket.send(JSON.stringify(value));
        });
        const link = amqp('feed');
        for (const [name, sink] of [
          ['rabbitmq', amqpSink(link, { exchange: '', routingKey: 'feed' })],
          ['kafka', kafkaSink(kafkas(), { topic: 'feed' })],
        ] as const)
          await run(fromAsyncIterable(from(name)).pipe(encode(json())), sink).done;

        const frames = webSocketSource(webSocketLink({ url: server.url, client: 'ws' }));
        const fed = merge(
          amqpSource(link, { queue: 'feed', credit: CREDIT }),
          kafkaSource(kafkas(), { topics: ['feed'], group: 'feed', credit: CREDIT }),
          frames.pipe(each((frame) => (typeof frame === 'string' ? texts.encode.encode(frame) : frame))),
        );
        await using running = run(
          fed.pipe(
            decode(json<{ id: string }>()),
            each(async ({ id }) => ({ id, seen: true })),
            encode(json()),
          ),
          mqttSink(mqttLink({ url: mosquittos().url }), { topic: 'all' }),
        );
        const out = consume(mqttSource(mqttLink({ url: mosquittos().url, clientId: 'all' }), { topics: 'all' }));
        await until(() => expect(out.messages.length).toBeGreaterThanOrEqual(300));
        out.unsubscribe();
        expect(await running.stop()).toMatchObject({ clean: true });
        const expected = ['rabbitmq', 'websocket', 'kafka'].flatMap(from).map(({ id }) => `{"id":"${id}","seen":true}`);
        expect(out.messages.map(({ payload }) => texts.decode.decode(payload)).sort()).toEqual(expected.sort());
      });

      it('carries 3,000 CloudEvents over RabbitMQ, Kafka, MQTT and RabbitMQ: attribute for attribute, none lost, no buffer above its credit (S0.33, S0.52, S0.53, S0.54)', async (context) => {
        needsReal(cluster(), context);
        const all = events(3_000);
        await makeTopic(cluster(), 'hop', 3);
        await keptSession(mosquittos().url, 'hop', 'hop');
        const link = amqp('in', 'out');
        const put = fromAsyncIterable(all).pipe(
          map((message) => {
            const { payload, headers } = toBinary(message.payload);
            return message.with(payload, { headers });
          }),
        );
        // All of it waits before the first hop begins, so that only credit keeps the hops from taking everything at once.
        await run(put, amqpSink(link, { exchange: '', routingKey: 'in' })).done;

        const most = { atWork: 0, unsettled: 0, waiting: 0 };
        const hops: Running[] = [];
        /** The forwarding of one system to the next, many at a time. */
        const hop = (source: Flow<Uint8Array>, sink: Sink<Uint8Array>): void => {
          let atWork = 0;
          const forward = async (payload: Uint8Array): Promise<Uint8Array> => {
            most.atWork = Math.max(most.atWork, (atWork += 1));
            const { sources, sinks } = running.health();
            for (const { unsettled } of sources) most.unsettled = Math.max(most.unsettled, unsettled);
            for (const { unconfirmed, queued } of sinks) most.waiting = Math.max(most.waiting, unconfirmed + queued);
            await new Promise((resolve) => void setImmediate(resolve));
            atWork -= 1;
            return payload;
          };
          const running = run(source.pipe(each(forward, { concurrency: 16 })), sink);
          hops.push(running);
        };
        const mqtt = mqttLink({ url: mosquittos().url, clientId: 'hop' });
        hop(amqpSource(link, { queue: 'in', credit: CREDIT }), kafkaSink(kafkas(), { topic: 'hop' }));
        hop(kafkaSource(kafkas(), { topics: ['hop'], group: 'hop', credit: CREDIT }), mqttSink(mqtt, { topic: 'hop' }));
        hop(mqttSource(mqtt, { topics: 'hop', credit: CREDIT }), amqpSink(link, { exchange: '', routingKey: 'out' }));
        const arrived: string[] = [];
        const out = consume(amqpSource(link, { queue: 'out' }), (message: Message<Uint8Array>) => {
          arrived.push(shown(fromBinary(message.payload, message.headers)));
          message.ack();
        });
        await until(() => expect(arrived.length).toBeGreaterThanOrEqual(all.length), 120_000);
        out.unsubscribe();
        for (const running of hops) expect(await running.stop()).toMatchObject({ clean: true });
        expect(arrived.sort()).toEqual(all.map(shown).sort());
        expect(most.unsettled).toBe(CREDIT);
        expect(most.waiting).toBeLessThanOrEqual(CREDIT);
        expect(most.atWork).toBe(16);
      });
    });
  });
});
