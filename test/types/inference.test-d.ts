import { debounceTime, filter, map, mergeMap, of, pipe, retry } from 'rxjs';
import { describe, expectTypeOf, it } from 'vitest';
import {
  batch,
  bytes,
  deadLetter,
  decode,
  dedupe,
  deliver,
  each,
  encode,
  fanout,
  flow,
  json,
  latest,
  loopGuard,
  lossy,
  payload,
  route,
  tapMessage,
  text,
  through,
  topic,
  unbatch,
  where,
  type Flow,
  type Message,
  type Rule,
  type Sink,
  type Stage,
} from 'sluice';
import { csv } from 'sluice/csv';

interface Order {
  readonly id: number;
  readonly symbol: string;
}

declare const raw: Flow<Uint8Array>;
declare const frames: Flow<string | Uint8Array>;
declare const orders: Flow<Order>;
declare const sink: Sink<Order>;
declare const anySink: Sink<unknown>;
declare const textSink: Sink<string>;

describe('fanout', () => {
  it('gives the union of what its stages give, knows the payload in each, and takes sinks among them', () => {
    const out = orders.pipe(
      fanout([
        payload((order) => order.id),
        each((order) => Promise.resolve(order.symbol)),
        (source) => source.pipe(payload((order) => [order.id])),
        sink,
        anySink,
      ]),
    );
    expectTypeOf(out).toEqualTypeOf<Flow<number | string | number[]>>();
  });

  it('gives nothing when all branches are sinks', () => {
    expectTypeOf(orders.pipe(fanout([sink, anySink]))).toEqualTypeOf<Flow<never>>();
    expectTypeOf(orders.pipe(fanout([sink, anySink], { settle: 'any' }))).toEqualTypeOf<Flow<never>>();
  });

  it('takes the payload from its branches where no flow says it', () => {
    const stage = fanout([payload((order: Order) => order.id), each((order: Order) => order.symbol)]);
    expectTypeOf(stage).toEqualTypeOf<Stage<Order, number | string>>();
  });

  it('takes branches that were put together elsewhere', () => {
    const branches: Stage<Order, number>[] = [];
    expectTypeOf(orders.pipe(fanout(branches))).toEqualTypeOf<Flow<number>>();
  });

  it('refuses stages and sinks for another payload', () => {
    // @ts-expect-error -- orders are no texts
    void orders.pipe(fanout([payload((value: string) => value)]));
    // @ts-expect-error -- orders are no texts
    void orders.pipe(fanout([textSink]));
    // @ts-expect-error -- no such way to settle
    void orders.pipe(fanout([sink], { settle: 'most' }));
  });
});

describe('lossy and latest', () => {
  it('keep the payload of operators that pass messages on', () => {
    expectTypeOf(orders.pipe(lossy(debounceTime(10)))).toEqualTypeOf<Flow<Order>>();
    expectTypeOf(orders.pipe(lossy((source) => source.pipe(filter((m) => m.payload.id > 1)), 'sync'))).toEqualTypeOf<
      Flow<Order>
    >();
    expectTypeOf(
      orders.pipe(
        lossy(
          filter((message) => message.payload.id > 1),
          'sync',
        ),
      ),
    ).toEqualTypeOf<Flow<Order>>();
  });

  it('know what an operator made of the payload', () => {
    const ids = orders.pipe(lossy((source) => source.pipe(map((message) => message.with(message.payload.id)))));
    expectTypeOf(ids).toEqualTypeOf<Flow<number>>();
    expectTypeOf(orders.pipe(latest((order) => of(order.id)))).toEqualTypeOf<Flow<number>>();
  });

  it('refuse an operator on payloads: it would lose the settlement', () => {
    // @ts-expect-error -- a number is no message
    void orders.pipe(lossy(map((message: Message<Order>) => message.payload.id)));
    // @ts-expect-error -- no such mode
    void orders.pipe(lossy(debounceTime(10), 'first'));
  });
});

describe('through', () => {
  it('knows the payload and what comes out of a chain', () => {
    const out = orders.pipe(
      through((order$) =>
        order$.pipe(
          mergeMap((order) => of(order.symbol, order.id)),
          retry(2),
        ),
      ),
    );
    expectTypeOf(out).toEqualTypeOf<Flow<string | number>>();
    expectTypeOf(
      orders.pipe(through((order$, message) => order$.pipe(map(() => message.payload.id)), { concurrency: 2 })),
    ).toEqualTypeOf<Flow<number>>();
    expectTypeOf(orders.pipe(through(pipe(map((order: Order) => order.id))))).toEqualTypeOf<Flow<number>>();
  });

  it('refuses a chain for another payload', () => {
    // @ts-expect-error -- orders are no texts
    void orders.pipe(through(pipe(map((value: string) => value.length))));
  });
});

describe('batch and unbatch', () => {
  it('go there and back', () => {
    expectTypeOf(orders.pipe(batch({ size: 2, maxWaitMs: 1 }))).toEqualTypeOf<Flow<Order[]>>();
    expectTypeOf(orders.pipe(batch({ size: 2, maxWaitMs: 1 }), unbatch())).toEqualTypeOf<Flow<Order>>();
    const rows = orders.pipe(
      batch({ size: 2, maxWaitMs: 1 }),
      each(async (all) => all.map((order) => order.symbol)),
      unbatch(),
    );
    expectTypeOf(rows).toEqualTypeOf<Flow<string>>();
    expectTypeOf(
      orders.pipe(
        payload((order) => [order.id, order.symbol] as const),
        unbatch(),
      ),
    ).toEqualTypeOf<Flow<number | string>>();
  });

  it('refuse to take apart what is no list', () => {
    // @ts-expect-error -- an order is no list
    void orders.pipe(unbatch());
  });
});

describe('decode and encode', () => {
  it('give what the mapper reads, and bytes', () => {
    expectTypeOf(raw.pipe(decode(json<Order>()))).toEqualTypeOf<Flow<Order>>();
    expectTypeOf(raw.pipe(decode(json()))).toEqualTypeOf<Flow<unknown>>();
    expectTypeOf(frames.pipe(decode(json<Order>()))).toEqualTypeOf<Flow<Order>>();
    expectTypeOf(raw.pipe(decode(text()))).toEqualTypeOf<Flow<string>>();
    expectTypeOf(raw.pipe(decode(csv({ columns: { id: 'number' } })))).toExtend<Flow<{ id: number }>>();
    expectTypeOf(orders.pipe(encode(json()))).toEqualTypeOf<Flow<Uint8Array>>();
    expectTypeOf(raw.pipe(decode(bytes()), encode(bytes()))).toEqualTypeOf<Flow<Uint8Array>>();
  });

  it('refuse payloads that the mapper does not take', () => {
    // @ts-expect-error -- orders are no bytes
    void orders.pipe(decode(json()));
    // @ts-expect-error -- an order is no text
    void orders.pipe(encode(text()));
    // @ts-expect-error -- an order is no number
    void orders.pipe(encode(json<number>()));
  });
});

describe('stages that keep the payload', () => {
  it('keep its type wherever they stand', () => {
    const kept = orders.pipe(
      deadLetter(anySink),
      where((order) => order.id > 0),
      dedupe({ by: (message) => message.payload.symbol, maxKeys: 10 }),
      tapMessage((message) => void message.payload.id),
      loopGuard(),
      deliver(sink),
    );
    expectTypeOf(kept).toEqualTypeOf<Flow<Order>>();
    // @ts-expect-error -- orders are no texts
    void orders.pipe(deliver(textSink));
    // @ts-expect-error -- orders are no texts
    void orders.pipe(deadLetter(textSink));
  });
});

describe('flow', () => {
  it('infers from stage to stage as pipe does, over route and fanout', () => {
    const out = flow(
      raw,
      decode(json<Order>()),
      where((order) => order.id > 0),
      route([
        { name: 'a', when: topic('a'), to: payload((order) => order.id) },
        { name: 'b', when: topic('b'), to: (source) => source },
      ]),
      payload((value) => value),
      fanout([each((value) => (typeof value === 'number' ? value : value.symbol)), anySink]),
      batch({ size: 2, maxWaitMs: 1 }),
      unbatch(),
    );
    expectTypeOf(out).toEqualTypeOf<Flow<number | string>>();
  });

  it('does not know what comes out of more than nine stages', () => {
    const same = payload((order: Order) => order);
    const nine = flow(orders, same, same, same, same, same, same, same, same, same);
    expectTypeOf(nine).toEqualTypeOf<Flow<Order>>();
    const ten = flow(orders, same, same, same, same, same, same, same, same, same, same);
    expectTypeOf(ten).toEqualTypeOf<Flow<unknown>>();
  });

  it('refuses a stage that does not fit the one before', () => {
    const length = payload((value: string) => value.length);
    // @ts-expect-error -- orders are no texts
    void flow(orders, length);
  });
});

describe('what an application puts together itself', () => {
  it('is inferred where rules are made from data, or kept in a variable', () => {
    const bill = (order: Order): number => order.id;
    const made = ['a', 'b'].map((name) => ({ name, when: topic(name), to: each(bill) }));
    expectTypeOf(orders.pipe(route(made))).toEqualTypeOf<Flow<number>>();
    const rules = [
      { name: 'a', when: topic('a'), to: payload((order: Order) => order.symbol) },
      { name: 'b', when: topic('b'), to: sink },
    ] satisfies Rule<Order>[];
    expectTypeOf(orders.pipe(route(rules))).toEqualTypeOf<Flow<string>>();
  });

  it('is inferred in stages of its own, whatever the payload', () => {
    const stored =
      <T>(to: Sink<T>): Stage<T, T> =>
      (source) =>
        source.pipe(deliver(to));
    expectTypeOf(orders.pipe(stored(sink))).toEqualTypeOf<Flow<Order>>();
    const marked = <T extends { readonly id: number }>(): Stage<T, T & { readonly isMarked: true }> =>
      payload((value) => ({ ...value, isMarked: true as const }));
    expectTypeOf(orders.pipe(marked())).toEqualTypeOf<Flow<Order & { readonly isMarked: true }>>();
  });

  it('needs no types written out in a chain, nor a guard where the compiler sees one', () => {
    expectTypeOf(orders.pipe(through(pipe(map((order) => order.id))))).toEqualTypeOf<Flow<number>>();
    const known = orders.pipe(
      payload((order) => (order.id > 0 ? order.symbol : undefined)),
      where((symbol) => symbol !== undefined),
    );
    expectTypeOf(known).toEqualTypeOf<Flow<string>>();
  });
});
