import { Consumer, stringDeserializers } from '@platformatic/kafka';
import { ConfigResourceTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import { expect, it } from 'vitest';
import { faultProxy } from 'sluice/testing-node';
import { kafkaAdmin, makeTopic } from '../helpers/kafka-admin.js';
import { brokerSuite } from './broker-suite.js';
import { findBroker } from './find-broker.js';
import { kafkaMock } from './kafka-mock.js';
import { kafkaReady } from './kafka-ready.js';
import { kafka, type KafkaBroker } from './kafka.js';

const client = (url: string): Kafka => new Kafka({ brokers: [url], logLevel: logLevel.NOTHING });

async function publish(url: string, topic: string, text: string): Promise<void> {
  const producer = client(url).producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: [{ value: text }] });
  await producer.disconnect();
}

async function first(url: string, topic: string): Promise<string> {
  const consumer = client(url).consumer({ groupId: `${topic}-readers`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const came = new Promise<string>((resolve) => {
    void consumer.run({ eachMessage: async ({ message }) => resolve(String(message.value)) });
  });
  const text = await came;
  await consumer.disconnect();
  return text;
}

brokerSuite('Kafka', kafka, (broker) => {
  it('gives what was published to a group', async () => {
    await publish(broker().url, 'plain', 'one');
    expect(await first(broker().url, 'plain')).toBe('one');
  });

  it('has what was published again after it was killed and started', async (context) => {
    if (!broker().isOwn || !broker().isReal) context.skip(`${broker().how}: not to be killed and started`);
    await publish(broker().url, 'kept', 'one');
    await broker().kill();
    await expect(kafkaReady(broker().port)).rejects.toThrow('ECONNREFUSED');
    await broker().start();
    expect(await first(broker().url, 'kept')).toBe('one');
  });

  it('throws nothing away, however old it says it is, neither of topics of a test nor of those made on demand', async (context) => {
    if (!broker().isReal) context.skip(`${broker().how}: it has no settings of topics`);
    await makeTopic(broker(), 'made', 1);
    const names = ['made'];
    if (broker().isOwn) {
      await publish(broker().url, 'on-demand', 'one');
      names.push('on-demand');
    }
    const { resources } = await kafkaAdmin(broker(), (admin) =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: ['retention.ms'] })),
      }),
    );
    const told = resources.flatMap(({ configEntries }) => configEntries.map(({ configValue }) => configValue));
    expect(told).toEqual(names.map(() => '-1'));
  });

  it('is served to a client of the current protocol', async (context) => {
    if (!broker().isReal) context.skip(`${broker().how}: it does not speak to this client`);
    await publish(broker().url, 'current', 'one');
    const options = { clientId: 'current', groupId: 'current', bootstrapBrokers: [broker().url] };
    const consumer = new Consumer({ ...options, deserializers: stringDeserializers });
    const stream = await consumer.consume({ topics: ['current'], mode: 'earliest' });
    for await (const message of stream) {
      expect(message.value).toBe('one');
      break; // that closes it
    }
    await consumer.close();
  });

  it('sends clients that come through a proxy back to the proxy', async (context) => {
    const behind = broker().behindProxy;
    if (behind === undefined) context.skip(`${broker().how}: it has no listener for a proxy`);
    const proxy = await faultProxy({ port: behind!.port, listenPort: behind!.advertisedPort });
    const admin = client(`127.0.0.1:${proxy.port}`).admin();
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    await admin.disconnect();
    await proxy.close();
    expect(brokers.map(({ port }) => port)).toEqual([proxy.port]);
  });
});

async function mock(): Promise<KafkaBroker> {
  return (await findBroker('mock cluster', [kafkaMock])).open();
}

brokerSuite('The mock cluster of kcat', mock, (broker) => {
  it('gives what was published to a group', async () => {
    await publish(broker().url, 'plain', 'one');
    expect(await first(broker().url, 'plain')).toBe('one');
  });

  it('is gone when it was killed, and says so', async () => {
    expect(broker().isReal).toBe(false);
    await broker().kill();
    await expect(kafkaReady(broker().port)).rejects.toThrow('ECONNREFUSED');
    await expect(broker().start()).rejects.toThrow('cannot be started again');
  });
});
