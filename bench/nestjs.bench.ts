// NestJS microservices over the same brokers: JSON, each publish confirmed, each message acknowledged after its handler.
import 'reflect-metadata';
import {
  ClientKafka,
  ClientMqtt,
  ClientRMQ,
  MqttRecordBuilder,
  type RmqContext,
  ServerKafka,
  ServerMqtt,
  ServerRMQ,
} from '@nestjs/microservices';
import { Logger } from '@nestjs/common';
import { Kafka, logLevel } from 'kafkajs';
import { lastValueFrom, type Observable } from 'rxjs';
import { decode, encode, json, run, type Flow, type Sink } from 'sluice';
import { amqpLink, amqpSink, amqpSource } from 'sluice/amqp';
import { kafkaLink, kafkaSink, kafkaSource } from 'sluice/kafka';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';
import { benchBroker } from './broker.js';
import { compare, type Contender } from './compare.js';
import { feed } from './feed.js';
import { sized } from './settings.js';

interface Order {
  readonly id: number;
  readonly note: string;
}

const COUNT = sized(12_000);
const WINDOW = 500;
const NAME = 'orders';
const orderOf = (id: number): Order => ({ id, note: 'x'.repeat(230) });
Logger.overrideLogger(false);

/** Both ends, open. Resolves once so many are confirmed. */
type Publish = (count: number) => Promise<void>;

/** Opens both ends once; a run is over when all is confirmed and handled. */
function endToEnd(name: string, open: (handled: () => void) => Promise<Publish>): Contender {
  let publish: Publish | undefined;
  let count = 0;
  let done: () => void = () => undefined;
  return {
    name,
    async before() {
      publish ??= await open(() => {
        count += 1;
        if (count === COUNT) done();
      });
    },
    async run() {
      count = 0;
      const all = new Promise<void>((resolve) => (done = resolve));
      await Promise.all([publish?.(COUNT), all]);
      return count;
    },
  };
}

function sluice(sink: Sink<Uint8Array>, flow: Flow<Uint8Array>, handled: () => void): Publish {
  const fed = feed<Order>(WINDOW * 2);
  run(fed.flow.pipe(encode(json())), sink).done.catch(fail);
  flow.pipe(decode(json<Order>())).subscribe({
    next(message) {
      if (message.payload.note.length > 0) handled();
      message.ack();
    },
    error: fail,
  });
  return (count) => fed.give(count, (at) => ({ payload: orderOf(at), topic: NAME, id: `m${at}` }));
}

function fail(error: unknown): void {
  console.error(error);
  process.exit(1);
}

/** A window of them at a time. */
function emitting(emit: (order: Order) => Observable<unknown>): Publish {
  return async (count) => {
    let sent = 0;
    async function next(): Promise<void> {
      while (sent < count) await lastValueFrom(emit(orderOf((sent += 1))), { defaultValue: undefined });
    }
    await Promise.all(Array.from({ length: WINDOW }, next));
  };
}

/** Reads each order, as a handler does, and counts it. */
const counting =
  (handled: () => void) =>
  async (order: Order): Promise<void> => {
    if (order.note.length > 0) handled();
  };

const listening = (server: { listen(callback: (error?: unknown) => void): unknown }): Promise<void> =>
  new Promise((resolve, reject) => {
    server.listen((error) => (error === undefined || error === null ? resolve() : reject(error as Error)));
  });

// --- RabbitMQ ---------------------------------------------------------------------------------------------------------

{
  const broker = await benchBroker('rabbitmq');
  const { url } = broker;
  await compare(
    'RabbitMQ, end to end',
    COUNT,
    endToEnd('sluice', async (handled) => {
      const link = amqpLink({ url, topology: { queues: [{ name: 'sluice', type: 'classic' }] } });
      const sink = amqpSink(link, { exchange: '', routingKey: 'sluice', maxUnconfirmed: WINDOW });
      return sluice(sink, amqpSource(link, { queue: 'sluice', credit: WINDOW }), handled);
    }),
    [
      endToEnd(`NestJS, noAck: false, prefetchCount: ${WINDOW}`, async (handled) => {
        const options = { urls: [url], queue: 'nest', queueOptions: { durable: true }, persistent: true };
        const server = new ServerRMQ({ ...options, noAck: false, prefetchCount: WINDOW });
        const handler = async (order: Order, context: RmqContext): Promise<void> => {
          if (order.note.length > 0) handled();
          (context.getChannelRef() as { ack(message: unknown): void }).ack(context.getMessage());
        };
        server.addHandler(NAME, handler, true);
        await listening(server);
        const client = new ClientRMQ(options);
        await client.connect();
        return emitting((order) => client.emit(NAME, order));
      }),
    ],
    { atLeast: 1 },
  );
  await broker.close();
}

// --- Kafka ------------------------------------------------------------------------------------------------------------

{
  const broker = await benchBroker('kafka');
  const brokers = [broker.url];
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const topics = ['sluice', NAME].map((topic) => ({ topic, numPartitions: 4 }));
  await admin.createTopics({ waitForLeaders: false, topics });
  while ((await admin.fetchTopicOffsets(NAME).catch(() => [])).length < 4);
  await admin.disconnect();
  await compare(
    'Kafka, end to end',
    COUNT,
    endToEnd('sluice', async (handled) => {
      const link = kafkaLink({ brokers });
      const sink = kafkaSink(link, { topic: 'sluice', maxUnconfirmed: WINDOW });
      return sluice(sink, kafkaSource(link, { topics: ['sluice'], group: 'sluice', credit: WINDOW }), handled);
    }),
    [
      endToEnd('NestJS, idempotent, commits of its own', async (handled) => {
        const client = { brokers, logLevel: logLevel.NOTHING };
        const server = new ServerKafka({
          client,
          consumer: { groupId: 'nest' },
          subscribe: { fromBeginning: true },
          run: { partitionsConsumedConcurrently: 4 },
        });
        server.addHandler(NAME, counting(handled), true);
        await listening(server);
        const publisher = new ClientKafka({ client, producer: { idempotent: true }, producerOnlyMode: true });
        await publisher.connect();
        return emitting((order) => publisher.emit(NAME, order));
      }),
    ],
    { atLeast: 1 },
  );
  await broker.close();
}

// --- MQTT -------------------------------------------------------------------------------------------------------------

{
  const broker = await benchBroker('mosquitto', ['autosave_on_changes false', `max_inflight_messages ${WINDOW}`]);
  const { url } = broker;
  for (const qos of [0, 1] as const) {
    if (qos === 1) {
      console.log(
        '\nMQTT with QoS 1: NestJS acknowledges a message before its handler has it, and loses it with the process;',
      );
      console.log('there is no option for more. So this one is not at the same guarantee, and only shown.');
    }
    await compare(
      `MQTT, QoS ${qos}, end to end`,
      COUNT,
      endToEnd('sluice', async (handled) => {
        const [writing, reading] = [mqttLink({ url }), mqttLink({ url, clientId: `sluice-${qos}` })];
        const topic = `sluice-${qos}`;
        const sink = mqttSink(writing, { topic, qos, maxUnconfirmed: WINDOW });
        const flow = mqttSource(reading, { topics: topic, qos, credit: WINDOW, receiveMaximum: WINDOW });
        return sluice(sink, flow, handled);
      }),
      [
        {
          ...endToEnd(qos === 0 ? 'NestJS' : 'NestJS, acknowledged before it is handled', async (handled) => {
            const options = { url, protocolVersion: 5 } as const;
            const server = new ServerMqtt({ ...options, subscribeOptions: { qos } });
            const pattern = `nest-${qos}`;
            server.addHandler(pattern, counting(handled), true);
            await listening(server);
            const client = new ClientMqtt(options);
            await client.connect();
            return emitting((order) => client.emit(pattern, new MqttRecordBuilder(order).setQoS(qos).build()));
          }),
          informs: qos === 1,
        },
      ],
      qos === 0 ? { atLeast: 1 } : {},
    );
  }
  await broker.close();
}

process.exit();
