import { describe, expect, it } from 'vitest';
import { flow, fromAsyncIterable, memoryBroker, memorySource, payload, toAsyncIterable } from 'sluice';
import { virtualClock } from 'sluice/testing';

describe('flow', () => {
  it('applies stages one after the other, as pipe would', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    broker.publish({ topic: 'n', payload: 3 });
    const seen: number[] = [];
    const source = memorySource<number>(broker, { topic: 'n', clock });
    const double = payload((n: number) => n * 2);
    const increment = payload((n: number) => n + 1);
    flow(source, double, increment).subscribe((message) => {
      seen.push(message.payload);
      message.ack();
    });
    clock.advance(0);
    expect(seen).toEqual([7]);
    expect(broker.peek.unsettled('n')).toBe(0);
  });

  it('takes more stages than it can infer the types of', async () => {
    const plus = payload((n: number) => n + 1);
    const long = flow(fromAsyncIterable([1]), plus, plus, plus, plus, plus, plus, plus, plus, plus, plus, plus);
    const seen: unknown[] = [];
    for await (const message of toAsyncIterable(long)) seen.push(message.payload);
    expect(seen).toEqual([12]);
  });

  it('is the source itself without stages', () => {
    const source = memorySource(memoryBroker(), { topic: 'n' });
    expect(flow(source)).toBe(source);
  });
});
