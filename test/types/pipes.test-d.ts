import { of, retry } from 'rxjs';
import { describe, expectTypeOf, it } from 'vitest';
import { each, memoryBroker, memorySink, memorySource, payload, route, run, where } from 'sluice';
import type { Flow, Message, Running, Sink } from 'sluice';

interface Order {
  readonly id: number;
  readonly note?: string;
}

const broker = memoryBroker();
const orders = memorySource<Order>(broker, { topic: 'orders' });

describe('a pipe of stages', () => {
  it('carries the type of the payload from stage to stage', () => {
    const amounts = orders.pipe(
      each((order) => Promise.resolve(order.id)),
      payload((id, message) => ({ id, topic: message.topic })),
    );
    expectTypeOf(amounts).toEqualTypeOf<Flow<{ id: number; topic: string }>>();
  });

  it('leaves out what acks without a result', () => {
    const some = orders.pipe(each((order) => (order.id > 1 ? order.note : undefined)));
    expectTypeOf(some).toEqualTypeOf<Flow<string>>();
  });

  it('takes values, promises and Observables as the result of work', () => {
    expectTypeOf(orders.pipe(each(() => 1))).toEqualTypeOf<Flow<number>>();
    expectTypeOf(orders.pipe(each(async () => 1))).toEqualTypeOf<Flow<number>>();
    expectTypeOf(orders.pipe(each(() => of(1)))).toEqualTypeOf<Flow<number>>();
  });

  it('is narrowed by a guard', () => {
    const isNoted = (order: Order): order is Order & { note: string } => order.note !== undefined;
    expectTypeOf(
      orders.pipe(
        where(isNoted),
        payload((order) => order.note),
      ),
    ).toEqualTypeOf<Flow<string>>();
  });

  it('fits its sink or does not compile', () => {
    run(orders, memorySink<Order>(broker));
    // @ts-expect-error -- numbers into a sink of orders
    run(orders.pipe(payload((order) => order.id)), memorySink<Order>(broker));
  });

  it('needs a sink unless nothing comes out of it', () => {
    const stored = orders.pipe(each((order) => void order.id));
    expectTypeOf(stored).toEqualTypeOf<Flow<never>>();
    run(stored);
    run(
      orders.pipe(
        retry(3),
        each(async (order) => void order.id),
        retry(2),
      ),
      { name: 'store' },
    );
    run(orders.pipe(route([{ name: 'all', when: () => true, to: memorySink<Order>(broker) }], { otherwise: 'drop' })));
    const wrapped = <T>(flow: Flow<T>, sink: Sink<T>): Running => run(flow, sink, { name: 'wrapped' });
    expectTypeOf(wrapped(orders, memorySink(broker))).toEqualTypeOf<Running>();
    // @ts-expect-error -- nobody takes the numbers
    run(orders.pipe(each((order) => order.id)));
    // @ts-expect-error -- nobody takes the orders
    run(orders, { name: 'orders' });
  });
});

describe('options', () => {
  it('that are missing, unknown or of another type do not compile', () => {
    // @ts-expect-error -- the topic is missing
    void memorySource(broker, {});
    // @ts-expect-error -- an unknown option
    void memorySource(broker, { topic: 'orders', prefetch: 1 });
    // @ts-expect-error -- a text, not a number
    each(() => 1, { concurrency: '4' });
    // @ts-expect-error -- none of the words it knows
    each(() => 1, { onError: 'ignore' });
  });
});

describe('a message', () => {
  it('is read-only and keeps its type in a copy', () => {
    const message = {} as Message<Order>;
    expectTypeOf(message.with('text')).toEqualTypeOf<Message<string>>();
    expectTypeOf(message.ack).returns.toEqualTypeOf<boolean>();
    // @ts-expect-error -- it is read-only
    message.topic = 'other';
  });
});
