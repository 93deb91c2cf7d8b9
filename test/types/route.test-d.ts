import { describe, expectTypeOf, it } from 'vitest';
import {
  and,
  each,
  fanout,
  field,
  payload,
  route,
  sequence,
  topic,
  where,
  type Flow,
  type Message,
  type Rule,
  type Sink,
  type Stage,
} from 'sluice';

interface Order {
  readonly total: number;
  readonly symbol: string;
}

declare const orders: Flow<Order>;
declare const sink: Sink<Order>;
declare const textSink: Sink<string>;
declare const anySink: Sink<unknown>;
declare const when: Rule['when'];

describe('route', () => {
  it('gives the union of what its branches give, and knows the payload in each', () => {
    const flow = orders.pipe(
      route([
        { name: 'a', when: topic('a'), to: payload((order) => order.total) },
        { name: 'b', when: (m) => m.payload.total > 5, to: each((order) => Promise.resolve(order.symbol)) },
        { name: 'c', when: and(topic('c'), (m) => m.payload.total > 5), to: (source) => source },
        { name: 'd', when: topic('d'), to: (source) => source.pipe(payload((order) => [order.total])) },
        { name: 'e', when, to: sink, budget: 5, overflow: 'conflate' },
        { name: 'f', when, to: anySink },
        { name: 'g', when: sequence(topic('g'), (m) => m.payload.total > 1, { withinMs: 5 }), to: where(() => true) },
      ]),
    );
    expectTypeOf(flow).toEqualTypeOf<Flow<number | string | number[] | Order>>();
  });

  it('gives what otherwise gives, too', () => {
    const rules = [{ name: 'a', when, to: payload((order: Order) => order.total) }] as const;
    expectTypeOf(orders.pipe(route(rules, { otherwise: payload((order) => order.symbol) }))).toEqualTypeOf<
      Flow<number | string>
    >();
    expectTypeOf(orders.pipe(route(rules, { otherwise: sink }))).toEqualTypeOf<Flow<number>>();
    expectTypeOf(orders.pipe(route(rules, { otherwise: 'drop', match: 'all' }))).toEqualTypeOf<Flow<number>>();
  });

  it('gives nothing when all branches are sinks', () => {
    expectTypeOf(orders.pipe(route([{ name: 'a', when, to: sink }]))).toEqualTypeOf<Flow<never>>();
  });

  it('takes the payload from its rules where no flow says it', () => {
    const stage = route([
      { name: 'a', when, to: payload((order: Order) => order.total) },
      { name: 'b', when: (m: Message<Order>) => m.payload.total > 5, to: payload((order: Order) => order.symbol) },
    ]);
    expectTypeOf(stage).toEqualTypeOf<Stage<Order, number | string>>();
  });

  it('knows what comes out of one inside of another, and of a fan-out', () => {
    const inner = orders.pipe(
      route([
        {
          name: 'a',
          when,
          to: route([{ name: 'b', when, to: payload((order) => order.total) }], {
            otherwise: payload((order) => [order.symbol]),
          }),
        },
        { name: 'c', when, to: fanout([route([{ name: 'd', when, to: payload((order) => order.symbol) }])]) },
        { name: 'e', when, to: route([{ name: 'f', when, to: sink }]) },
      ]),
    );
    expectTypeOf(inner).toEqualTypeOf<Flow<number | string | string[]>>();
  });

  it('takes rules that were put together elsewhere', () => {
    const rules: Rule<Order, number>[] = [];
    expectTypeOf(orders.pipe(route(rules))).toEqualTypeOf<Flow<number>>();
  });

  it('refuses stages, functions and sinks for another payload', () => {
    // @ts-expect-error -- orders are no texts
    void orders.pipe(route([{ name: 'a', when, to: payload((text: string) => text) }]));
    // @ts-expect-error -- orders are no texts
    void orders.pipe(route([{ name: 'a', when: (m: Message<string>) => m.payload === '', to: sink }]));
    // @ts-expect-error -- orders are no texts
    void orders.pipe(route([{ name: 'a', when, to: textSink }]));
    // @ts-expect-error -- no such policy
    void orders.pipe(route([{ name: 'a', when, to: sink, budget: 1, overflow: 'drop' }]));
    // @ts-expect-error -- a field is compared with values
    void orders.pipe(route([{ name: 'a', when: field('total', () => true), to: sink }]));
  });
});
