// Services that know topics and nothing of each other: orders become trades, trades become a ledger. Needs nothing.
import { take } from 'rxjs';
import { each, memoryBroker, memorySink, memorySource, run, toAsyncIterable } from 'sluice';

interface Order {
  readonly id: string;
  readonly quantity: number;
  readonly price: number;
}

interface Trade {
  readonly order: string;
  readonly value: number;
}

const broker = memoryBroker();
const submit = (order: Order): void => broker.publish({ topic: 'order.submitted.v1', payload: order });

// Submitting waits for nobody: the engine is not even there yet.
submit({ id: 'a', quantity: 10, price: 4 });
submit({ id: 'b', quantity: 5, price: 20 });
console.log(`${broker.peek.depth('order.submitted.v1')} orders wait`);

// The engine: an order is acked once its trade is with the broker.
const engine = run(
  memorySource<Order>(broker, { topic: 'order.submitted.v1', group: 'engine' }).pipe(
    each(async ({ id, quantity, price }): Promise<Trade> => ({ order: id, value: quantity * price })),
  ),
  memorySink(broker, { topic: 'trade.done.v1' }),
);

// The ledger: whoever wants trades reads them, under a name of its own.
const trades = memorySource<Trade>(broker, { topic: 'trade.done.v1', group: 'ledger' }).pipe(take(3));
for await (const { payload } of toAsyncIterable(trades)) {
  console.log(`order ${payload.order} traded for ${payload.value}`);
  if (payload.order === 'b') submit({ id: 'c', quantity: 1, price: 7 });
}
const { clean } = await engine.stop();
console.log(`clean: ${clean}, waiting: ${broker.peek.depth('order.submitted.v1')}`);

// Output:
// 2 orders wait
// order a traded for 40
// order b traded for 100
// order c traded for 7
// clean: true, waiting: 0
