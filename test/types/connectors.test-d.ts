import { describe, expectTypeOf, it } from 'vitest';
import { each, run, type Flow, type MemoryBroker, memorySink, memorySource, type Running, type Sink } from 'sluice';
import { amqpLink, amqpSink, amqpSource, type AmqpLink } from 'sluice/amqp';
import { defineLink, defineSink, defineSource, type Reader, type Writer } from 'sluice/connection';
import { fileSink, fileSource } from 'sluice/file';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaLink } from 'sluice/kafka';
import { mqttLink, mqttSink, mqttSource, type MqttLink } from 'sluice/mqtt';
import {
  webSocketLink,
  webSocketSink,
  webSocketSource,
  type PausingWebSocketLink,
  type WebSocketData,
} from 'sluice/websocket';

declare const broker: MemoryBroker;
declare const amqp: AmqpLink;
declare const kafka: KafkaLink;
declare const mqtt: MqttLink;
declare const webSocket: PausingWebSocketLink;
interface Shelf {
  take(): string | undefined;
  put(item: string): void;
}

describe('every connector', () => {
  it('has one kind of source: a function that gives a flow (S0.26)', () => {
    expectTypeOf(memorySource<Uint8Array>(broker, { topic: 'a' })).toEqualTypeOf<Flow<Uint8Array>>();
    expectTypeOf(fileSource({ path: 'a' })).toEqualTypeOf<Flow<Uint8Array>>();
    expectTypeOf(amqpSource(amqp, { queue: 'a' })).toEqualTypeOf<Flow<Uint8Array>>();
    expectTypeOf(kafkaSource(kafka, { topics: ['a'], group: 'g' })).toEqualTypeOf<Flow<Uint8Array>>();
    const [options, some] = [{ topics: ['a'], group: 'g' }, {} as { tombstones?: boolean }];
    expectTypeOf(kafkaSource(kafka, { ...options, tombstones: false })).toEqualTypeOf<Flow<Uint8Array>>();
    expectTypeOf(kafkaSource(kafka, { ...options, tombstones: true })).toEqualTypeOf<Flow<Uint8Array | null>>();
    expectTypeOf(kafkaSource(kafka, { ...options, ...some })).toEqualTypeOf<Flow<Uint8Array | null>>();
    expectTypeOf(mqttSource(mqtt, { topics: 'a' })).toEqualTypeOf<Flow<Uint8Array>>();
    expectTypeOf(webSocketSource(webSocket)).toEqualTypeOf<Flow<WebSocketData>>();
  });

  it('has one kind of sink: an Observer of messages (S0.30)', () => {
    expectTypeOf(memorySink<Uint8Array>(broker, { topic: 'a' })).toEqualTypeOf<Sink<Uint8Array>>();
    expectTypeOf(fileSink({ path: 'a' })).toExtend<Sink<Uint8Array>>();
    expectTypeOf(amqpSink(amqp, { exchange: 'a' })).toEqualTypeOf<Sink<Uint8Array>>();
    expectTypeOf(kafkaSink(kafka)).toExtend<Sink<Uint8Array>>();
    expectTypeOf(mqttSink(mqtt)).toEqualTypeOf<Sink<Uint8Array>>();
    expectTypeOf(webSocketSink(webSocket)).toExtend<Sink<Uint8Array>>();
  });

  it('has options of its own, and none of another one (S0.39)', () => {
    amqpLink({ url: 'amqp://a', topology: { queues: [{ name: 'q', type: 'quorum' }] } });
    kafkaLink({ brokers: ['a:1'], sasl: { mechanism: 'plain', username: 'u', password: 'p' } });
    mqttLink({ url: 'mqtt://a', protocolVersion: '3.1.1', will: { topic: 'gone', payload: 'bye' } });
    webSocketLink({ url: 'ws://a', client: 'ws', headers: { authorization: 'a' } });
    // @ts-expect-error a topology is of AMQP alone
    kafkaLink({ brokers: ['a:1'], topology: {} });
    // @ts-expect-error brokers are of Kafka alone
    amqpLink({ url: 'amqp://a', brokers: ['a:1'] });
    // @ts-expect-error a will is of MQTT alone
    webSocketLink({ url: 'ws://a', client: 'ws', will: { topic: 'a', payload: 'b' } });
    // @ts-expect-error headers of the upgrade are of a WebSocket alone
    mqttLink({ url: 'mqtt://a', headers: { authorization: 'a' } });
    // @ts-expect-error a queue has one of two types
    amqpLink({ url: 'amqp://a', topology: { queues: [{ name: 'q', type: 'stream' }] } });
    // @ts-expect-error a group is of Kafka alone
    void amqpSource(amqp, { queue: 'a', group: 'g' });
  });
});

describe('a connector of your own', () => {
  const link = defineLink<Shelf>({
    connector: 'shelf',
    connect: (): Shelf => ({ take: () => undefined, put: () => undefined }),
    disconnect: () => undefined,
  });

  it('compiles only when it has everything that one needs (S0.46)', () => {
    expectTypeOf<{ resume(): void; settle(): void; close(): void }>().toExtend<Reader>();
    expectTypeOf<{ resume(): void; close(): void }>().not.toExtend<Reader>();
    expectTypeOf<{ settle(): void; close(): void }>().not.toExtend<Reader>();
    expectTypeOf<{ resume(): void; settle(): void }>().not.toExtend<Reader>();
    expectTypeOf<{ send(): void; close(): void }>().toExtend<Writer<string>>();
    expectTypeOf<{ send(): void }>().not.toExtend<Writer<string>>();
    expectTypeOf<{ close(): void }>().not.toExtend<Writer<string>>();
    // @ts-expect-error nobody would disconnect it
    defineLink<Shelf>({ connector: 'shelf', connect: () => ({ take: () => undefined, put: () => undefined }) });
    const deaf = { connector: 'shelf', link, credit: 1, open: () => ({ resume() {}, close() {} }) };
    // @ts-expect-error settlements would be lost
    void defineSource<string, Shelf>(deaf);
    // @ts-expect-error nothing would be sent
    defineSink<string, Shelf>({ connector: 'shelf', link, maxUnconfirmed: 1, open: () => ({ close() {} }) });
  });

  it('is of the same types as those that are there, under a name that no type lists (S0.50)', () => {
    const source = defineSource<string, Shelf>({
      connector: 'a name that nobody has heard of',
      link,
      credit: 1,
      open: () => ({ resume() {}, settle() {}, close() {} }),
    });
    const sink = defineSink<string, Shelf>({
      connector: 'a name that nobody has heard of',
      link,
      maxUnconfirmed: 1,
      open: (_context, shelf) => ({ send: ({ message }) => shelf.put(message.payload), close() {} }),
    });
    expectTypeOf(source).toEqualTypeOf<ReturnType<typeof memorySource<string>>>();
    expectTypeOf(sink).toEqualTypeOf<ReturnType<typeof memorySink<string>>>();
    expectTypeOf(run(source.pipe(each((item) => `${item}!`)), memorySink(broker))).toEqualTypeOf<Running>();
    expectTypeOf(run(memorySource<string>(broker, { topic: 'a' }), sink)).toEqualTypeOf<Running>();
  });
});
