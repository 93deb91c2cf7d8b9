import { describe, expect, it } from 'vitest';
import { memoryBroker, memorySource } from 'sluice';
import { amqpLink, amqpSink, amqpSource } from 'sluice/amqp';
import { fileSource } from 'sluice/file';
import { kafkaLink, kafkaSink, kafkaSource } from 'sluice/kafka';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';
import { webSocketLink, webSocketSource } from 'sluice/websocket';
import { webSocketServer } from 'sluice/websocket-server';

const kafka = kafkaLink({ brokers: ['localhost:9092'] });
const amqp = amqpLink({ url: 'amqp://localhost' });
const mqtt = mqttLink({ url: 'mqtt://localhost', clientId: 'a' });
const ws = webSocketLink({ url: 'ws://localhost', client: 'ws' });

type Make = (options: object) => unknown;
/** What takes options, and names that somebody who comes from another library writes, with what is said to each. */
const TAKERS: Readonly<Record<string, readonly [make: Make, hints: Readonly<Record<string, string>>]>> = {
  kafkaLink: [
    (options) => kafkaLink({ brokers: ['localhost:9092'], ...options }),
    {
      ssl: `did you mean 'tls'?`,
      bootstrapBrokers: `did you mean 'brokers'?`,
      retry: `did you mean 'reconnect'?`,
      connectionTimeout: `did you mean 'connectTimeoutMs'?`,
      allowAutoTopicCreation: `did you mean 'autoCreateTopics'?`,
      groupId: `belongs to kafkaSource, as 'group'`,
      acks: 'belongs to kafkaSink',
    },
  ],
  kafkaSource: [
    (options) => kafkaSource(kafka, { topics: ['a'], group: 'g', ...options }),
    {
      groupId: `did you mean 'group'?`,
      topic: `did you mean 'topics'?`,
      fromBeginning: `write from: 'earliest'`,
      autoCommit: 'by commitEvery and commitIntervalMs',
      sessionTimeout: `did you mean 'sessionTimeoutMs'?`,
      clientId: 'belongs to kafkaLink',
      prefetch: `did you mean 'credit'?`,
      concurrency: 'an option of each',
    },
  ],
  kafkaSink: [
    (options) => kafkaSink(kafka, options),
    {
      maxInFlightRequests: `did you mean 'maxUnconfirmed'?`,
      partitioner: `did you mean 'partition'?`,
      linger: `did you mean 'lingerMs'?`,
    },
  ],
  amqpLink: [
    (options) => amqpLink({ url: 'amqp://localhost', ...options }),
    {
      ssl: `did you mean 'tls'?`,
      hostname: `did you mean 'url'?`,
      user: `did you mean 'username'?`,
      heartbeat: `did you mean 'heartbeatMs'?`,
      queues: `did you mean 'topology'?`,
      prefetch: 'belongs to amqpSource',
    },
  ],
  amqpSource: [
    (options) => amqpSource(amqp, { queue: 'q', ...options }),
    {
      noAck: 'each message is acked when it is settled',
      prefetchCount: `did you mean 'prefetch'?`,
      durable: 'belongs to a queue in the topology',
    },
  ],
  amqpSink: [
    (options) => amqpSink(amqp, { exchange: 'x', ...options }),
    { queue: `write exchange: ''`, deliveryMode: `did you mean 'persistent'?`, confirm: 'everything is confirmed' },
  ],
  mqttLink: [
    (options) => mqttLink({ url: 'mqtt://localhost', ...options }),
    {
      ca: `did you mean 'tls'?`,
      host: `did you mean 'url'?`,
      keepalive: `did you mean 'heartbeatMs'?`,
      reconnectPeriod: `did you mean 'reconnect'?`,
      clean: `belongs to mqttSource, as 'cleanStart'`,
      qos: 'belongs to mqttSource and mqttSink',
    },
  ],
  mqttSource: [
    (options) => mqttSource(mqtt, { topics: 'a', ...options }),
    {
      clean: `did you mean 'cleanStart'?`,
      topic: `did you mean 'topics'?`,
      rh: `did you mean 'retained'?`,
      clientId: 'belongs to mqttLink',
    },
  ],
  mqttSink: [(options) => mqttSink(mqtt, options), { messageExpiryInterval: `did you mean 'messageExpiryMs'?` }],
  webSocketLink: [
    (options) => webSocketLink({ url: 'ws://localhost', ...options }),
    {
      protocol: `did you mean 'protocols'?`,
      maxPayload: `did you mean 'maxBytes'?`,
      rejectUnauthorized: `did you mean 'tls'?`,
      origin: 'write it into headers',
    },
  ],
  memorySource: [
    (options) => memorySource(memoryBroker(), { topic: 't', ...options }),
    { prefetch: `did you mean 'credit'?`, retry: 'work is tried again by each' },
  ],
  fileSource: [(options) => fileSource({ path: 'p', ...options }), { highWaterMark: `did you mean 'credit'?` }],
  webSocketSource: [(options) => webSocketSource(ws, options), { highWaterMark: `did you mean 'credit'?` }],
  webSocketServer: [
    (options) => webSocketServer({ port: 0, ...options }),
    { verifyClient: `did you mean 'authenticate'?`, handleProtocols: `did you mean 'protocol'?` },
  ],
};

describe.each(Object.entries(TAKERS))('the options of %s', (owner, [make, hints]) => {
  it.each(Object.entries(hints))('understand %s, as it is called elsewhere', async (name, hint) => {
    const told = Promise.resolve().then(() => make({ [name]: true }));
    await expect(told).rejects.toMatchObject({ code: 'CONFIG_INVALID', details: { owner } });
    await expect(told).rejects.toThrow(`unknown option '${name}'`);
    await expect(told).rejects.toThrow(hint);
  });
});
