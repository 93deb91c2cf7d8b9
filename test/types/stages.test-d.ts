import { firstValueFrom, map, merge, of, pipe } from 'rxjs';
import { describe, expectTypeOf, it } from 'vitest';
import { batch, each, type Flow, messages, payload, type Stage, through, unbatch, where } from 'sluice';

interface Order {
  readonly id: number;
  readonly key: string;
}
declare const orders: Flow<Order>;

describe('stages', () => {
  it('infer payloads through a pipe of many', () => {
    const flow = orders.pipe(
      where((order) => order.id > 0),
      payload((order) => ({ ...order, total: order.id * 2 })),
      each(async (order) => order.total.toFixed(2), { concurrency: 2, lane: (message) => message.payload.key }),
      where((text) => text.length > 1),
      payload((text, message) => [text, message.topic] as const),
      each(([text]) => of(text.length, text)),
    );
    expectTypeOf(flow).toEqualTypeOf<Flow<number | string>>();
  });

  it('each gives what its work gives, without undefined', () => {
    expectTypeOf(each((n: number) => n > 0)).toEqualTypeOf<Stage<number, boolean>>();
    expectTypeOf(each((n: number) => [n])).toEqualTypeOf<Stage<number, number[]>>();
    expectTypeOf(each((n: number) => (n > 0 ? n : undefined))).toEqualTypeOf<Stage<number, number>>();
    expectTypeOf(each(async (n: number) => (n > 0 ? 'a' : undefined))).toEqualTypeOf<Stage<number, 'a'>>();
    expectTypeOf(each((n: number) => (n > 0 ? of('a') : firstValueFrom(of(n))))).toEqualTypeOf<
      Stage<number, number | string>
    >();
    expectTypeOf(each<number, undefined>(() => undefined)).toEqualTypeOf<Stage<number, never>>();
    expectTypeOf(each<number, void>(() => {})).toEqualTypeOf<Stage<number, never>>();
    expectTypeOf(each<number, Promise<void>>(async () => {})).toEqualTypeOf<Stage<number, never>>();
  });

  it('take what merge makes of different payloads once they are named', () => {
    const all: Flow<Order | string> = merge(orders, orders.pipe(payload((order) => order.key)));
    const flow = all.pipe(each((value) => (typeof value === 'string' ? value : value.id)));
    expectTypeOf(flow).toEqualTypeOf<Flow<number | string>>();
  });

  it('where narrows by a guard', () => {
    const texts = where((value: number | string): value is string => typeof value === 'string');
    expectTypeOf(texts).toEqualTypeOf<Stage<number | string, string>>();
  });

  it('batch and unbatch go there and back, and both options are required', () => {
    const flow = orders.pipe(
      batch({ size: 10, maxWaitMs: 100 }),
      payload((all) => all.map((order) => order.id)),
      unbatch(),
      through(pipe(map((id: number) => String(id)))),
    );
    expectTypeOf(flow).toEqualTypeOf<Flow<string>>();
    // @ts-expect-error a batch that never fills would wait for ever
    batch({ size: 10 });
    // @ts-expect-error a batch without an end
    batch({ maxWaitMs: 10 });
  });

  it('messages cannot be made without saying what to give up', () => {
    // @ts-expect-error an Observable cannot be asked to wait
    messages({});
  });
});
