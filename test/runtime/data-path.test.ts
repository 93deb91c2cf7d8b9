import { expect, it } from 'vitest';
import {
  decode,
  encode,
  field,
  greaterThan,
  json,
  memoryBroker,
  memorySink,
  memorySource,
  payload,
  route,
  run,
  type Mapper,
  type Sink,
  type Stage,
} from 'sluice';
import { virtualClock } from 'sluice/testing';
import { texts } from '../helpers/consume.js';
import { collect } from '../helpers/collect.js';

interface Order {
  readonly id: string;
  readonly amount: number;
}

it('goes from the source through a mapper, the rules and a mapper to the sink, and is acked behind it (S2.5)', async () => {
  const clock = virtualClock();
  const broker = memoryBroker({ clock });
  const trace: string[] = [];
  const traced = <T>(mapper: Mapper<T>): Mapper<T> => ({
    ...mapper,
    decode: (bytes) => (trace.push('decode'), mapper.decode(bytes)),
    encode: (value) => (trace.push('encode'), mapper.encode(value)),
  });
  const classed = (priority: string): Stage<Order, object> =>
    payload(({ id }) => (trace.push(`rule ${priority}`), { id, priority }));
  const done = memorySink<Uint8Array>(broker, { topic: 'done', clock });
  const sink: Sink<Uint8Array> = {
    next(message) {
      trace.push(`sink, ${broker.peek.unsettled('orders')} unsettled`);
      done.next(message);
    },
    error: (reason) => done.error(reason),
    complete: () => done.complete(),
  };
  const orders = [1_500, 500, 50].map((amount, at): Order => ({ id: `o${at}`, amount }));
  for (const order of orders) broker.publish({ topic: 'orders', payload: json<Order>().encode(order) });
  const running = run(
    memorySource<Uint8Array>(broker, { topic: 'orders', credit: 1, clock }).pipe(
      decode(traced(json<Order>())),
      route(
        [
          { name: 'high', when: field('amount', greaterThan(1_000)), to: classed('HIGH') },
          { name: 'medium', when: field('amount', greaterThan(100)), to: classed('MEDIUM') },
        ],
        { otherwise: 'drop', clock },
      ),
      encode(traced(json<object>())),
    ),
    sink,
    { clock },
  );
  await clock.run(1);
  expect(trace).toEqual([
    ...['decode', 'rule HIGH', 'encode', 'sink, 1 unsettled'],
    ...['decode', 'rule MEDIUM', 'encode', 'sink, 1 unsettled'],
    'decode',
  ]);
  expect(broker.peek.unsettled('orders')).toBe(0);
  const out = collect(memorySource<Uint8Array>(broker, { topic: 'done', clock }));
  const stopped = running.stop();
  await clock.run(1);
  expect((await stopped).clean).toBe(true);
  expect(texts(out.messages)).toEqual(['{"id":"o0","priority":"HIGH"}', '{"id":"o1","priority":"MEDIUM"}']);
});
