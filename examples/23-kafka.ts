// Orders become bills over Kafka: needs one at KAFKA_BROKERS and kafkajs, and takes the broker in memory where there is none.
import { take } from 'rxjs';
import { decode, each, encode, fromAsyncIterable, json, memoryBroker, memorySink, memorySource } from 'sluice';
import { run, toAsyncIterable, type Flow, type Sink } from 'sluice';
import { kafkaLink, kafkaSink, kafkaSource } from 'sluice/kafka';

interface Ends {
  from(topic: string): Flow<Uint8Array>;
  to(topic: string): Sink<Uint8Array>;
}

function overKafka(brokers: readonly string[]): Ends {
  const link = kafkaLink({ brokers, autoCreateTopics: true });
  return {
    // Committed is only what is settled, in order: whoever takes over goes on from there.
    from: (topic) => kafkaSource(link, { topics: [topic], group: 'example', credit: 16 }),
    to: (topic) => kafkaSink(link, { topic }), // acks what all replicas in sync have
  };
}

function inMemory(): Ends {
  const broker = memoryBroker();
  return { from: (topic) => memorySource(broker, { topic }), to: (topic) => memorySink(broker, { topic }) };
}

const brokers = process.env['KAFKA_BROKERS'];
const { from, to } = brokers === undefined ? inMemory() : overKafka(brokers.split(','));

// An order is acked once its bill is safe with the brokers: a kill at any moment loses none.
const billing = run(
  from('example-orders').pipe(
    decode(json<{ readonly id: string; readonly amount: number }>()),
    each(({ id, amount }) => ({ order: id, total: amount * 1.2 })),
    encode(json()),
  ),
  to('example-bills'),
);

const orders = [
  { id: 'a', amount: 10 },
  { id: 'b', amount: 20 },
];
await run(fromAsyncIterable(orders).pipe(encode(json())), to('example-orders')).done;

// Stops after two, so that this program ends.
const bills = from('example-bills').pipe(take(2), decode(json<{ readonly order: string; readonly total: number }>()));
for await (const { payload } of toAsyncIterable(bills)) console.log(`order ${payload.order}: ${payload.total}`);
const { clean } = await billing.stop();
console.log(`clean: ${clean}`);

// Output:
// order a: 12
// order b: 24
// clean: true
