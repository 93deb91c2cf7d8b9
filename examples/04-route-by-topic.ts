// Rules are data: where a message goes by its topic and its content, and what becomes of the rest. Needs nothing.
import { merge, take } from 'rxjs';
import { and, field, greaterThan, memoryBroker, memorySink, memorySource, payload, route, run, topic } from 'sluice';

interface Order {
  readonly item: string;
  readonly total: number;
}

const broker = memoryBroker();
const topics = ['orders/eu/created', 'orders/us/created', 'orders/eu/cancelled', 'stock/moved'];
broker.publish({ topic: 'orders/eu/created', payload: { item: 'tea', total: 4 } });
broker.publish({ topic: 'orders/us/created', payload: { item: 'ship', total: 90_000 } });
broker.publish({ topic: 'orders/eu/cancelled', payload: { item: 'rice', total: 7 } });
broker.publish({ topic: 'stock/moved', payload: { item: 'salt', total: 1 } });

const reviews = memorySink<Order>(broker, { topic: 'reviews' });
const routing = run(
  merge(...topics.map((name) => memorySource<Order>(broker, { topic: name }))).pipe(
    take(topics.length),
    route(
      [
        // The first rule that matches takes the message.
        { name: 'large', when: and(topic('orders/#'), field('total', greaterThan(10_000))), to: reviews, budget: 8 },
        { name: 'bills', when: topic('orders/+/created'), to: payload(({ item, total }) => `bill ${item}: ${total}`) },
        { name: 'refunds', when: topic('orders/+/cancelled'), to: payload(({ item }) => `refund ${item}`) },
      ],
      { otherwise: 'drop' }, // left out: dead, with UNROUTED
    ),
  ),
  {
    next(message) {
      console.log(message.payload);
      message.ack();
    },
    error: console.error,
    complete: () => console.log(`${broker.peek.depth('reviews')} to review`),
  },
);
const { clean } = await routing.done;
console.log(`all settled: ${clean}`);

// Output:
// bill tea: 4
// refund rice
// 1 to review
// all settled: true
