// Orders become bills over RabbitMQ: needs one at AMQP_URL and amqplib, and takes the broker in memory where there is none.
import { take } from 'rxjs';
import { decode, each, encode, fromAsyncIterable, json, memoryBroker, memorySink, memorySource } from 'sluice';
import { run, toAsyncIterable, type Flow, type Sink } from 'sluice';
import { amqpLink, amqpSink, amqpSource } from 'sluice/amqp';

interface Ends {
  from(queue: string): Flow<Uint8Array>;
  to(queue: string): Sink<Uint8Array>;
}

function overRabbitMq(url: string): Ends {
  const queues = ['example-orders', 'example-bills'].map((name) => ({ name }));
  const link = amqpLink({ url, topology: { queues } }); // declared on every open, so also after the broker came back empty
  return {
    from: (queue) => amqpSource(link, { queue, credit: 16 }),
    to: (routingKey) => amqpSink(link, { exchange: '', routingKey }), // acks what the broker confirmed
  };
}

function inMemory(): Ends {
  const broker = memoryBroker();
  return { from: (topic) => memorySource(broker, { topic }), to: (topic) => memorySink(broker, { topic }) };
}

const url = process.env['AMQP_URL'];
const { from, to } = url === undefined ? inMemory() : overRabbitMq(url);

// An order is acked once its bill is safe with the broker: a kill at any moment loses none.
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

// Stops after two, so that this program ends. What else the broker had handed out goes back to it.
const bills = from('example-bills').pipe(take(2), decode(json<{ readonly order: string; readonly total: number }>()));
for await (const { payload } of toAsyncIterable(bills)) console.log(`order ${payload.order}: ${payload.total}`);
const { clean } = await billing.stop();
console.log(`clean: ${clean}`);

// Output:
// order a: 12
// order b: 24
// clean: true
