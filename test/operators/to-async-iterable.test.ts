import { defer, NEVER, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { fromAsyncIterable, memoryBroker, memorySource, toAsyncIterable, type Message } from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';

function brokerWith(...values: number[]): ReturnType<typeof memoryBroker> {
  const broker = memoryBroker();
  for (const value of values) broker.publish({ topic: 'in', payload: value });
  return broker;
}

async function rest(broker: ReturnType<typeof memoryBroker>, count: number): Promise<Message<number>[]> {
  const left: Message<number>[] = [];
  const subscription = memorySource<number>(broker, { topic: 'in' }).subscribe((message) => left.push(message));
  await expect.poll(() => left.length).toBe(count);
  subscription.unsubscribe();
  return left;
}

describe('toAsyncIterable', () => {
  it('acks a message when the loop asks for the next, and ends when the flow completes', async () => {
    const settled: string[] = [];
    const source = fromAsyncIterable([1, 2, 3], { credit: 1 });
    const seen: number[] = [];
    for await (const message of toAsyncIterable(source)) {
      seen.push(message.payload);
      if (message.payload === 2) message.ack();
      settled.push(`${message.payload} ${message.signal.aborted}`);
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(settled).toEqual(['1 false', '2 true', '3 false']);
  });

  it('gives the message in hand and what waits back when the loop is left', async () => {
    const broker = brokerWith(1, 2, 3, 4);
    for await (const message of toAsyncIterable(memorySource<number>(broker, { topic: 'in', credit: 3 }))) {
      if (message.payload === 2) break;
    }
    const left = await rest(broker, 3);
    expect(left.map(({ payload: value, attempt }) => [value, attempt])).toEqual([
      [2, 1],
      [3, 1],
      [4, 1],
    ]);
  });

  it('leaves a message alone that the loop body settled itself', async () => {
    const broker = brokerWith(1, 2);
    let seen = 0;
    for await (const message of toAsyncIterable(memorySource<number>(broker, { topic: 'in', credit: 1 }))) {
      seen += 1;
      if (seen === 1) message.nack('again');
      if (seen === 3) break;
    }
    expect(seen).toBe(3);
  });

  it('throws in the loop when the flow errors', async () => {
    const iterator = toAsyncIterable(throwError(() => new Error('gone')))[Symbol.asyncIterator]();
    await expect(iterator.next()).rejects.toThrow('gone');
    await expect(iterator.next()).resolves.toEqual({ done: true, value: undefined });
  });

  it('answers an open question with the end when it is returned', async () => {
    const iterator = toAsyncIterable(NEVER)[Symbol.asyncIterator]();
    const open = iterator.next();
    await iterator.return?.();
    await expect(open).resolves.toEqual({ done: true, value: undefined });
  });

  it('subscribes when it is first asked, and never when it is left before', async () => {
    let subscriptions = 0;
    const counted = defer(() => {
      subscriptions += 1;
      return fromAsyncIterable([1]);
    });
    const left = toAsyncIterable(counted)[Symbol.asyncIterator]();
    await left.return?.();
    await expect(left.next()).resolves.toEqual({ done: true, value: undefined });
    const asked = toAsyncIterable(counted)[Symbol.asyncIterator]();
    expect(subscriptions).toBe(0);
    await asked.next();
    expect(subscriptions).toBe(1);
    await asked.return?.();
  });

  it('acks what somebody who asks ahead has got, when the next one is there', async () => {
    const clock = virtualClock();
    const source = testSource<number>({ clock, credit: 4 });
    const acked: number[] = [];
    source.acks$.subscribe((value) => acked.push(value));
    const iterator = toAsyncIterable(source.flow)[Symbol.asyncIterator]();
    const both = Promise.all([iterator.next(), iterator.next()]);
    source.offer(1);
    source.offer(2);
    clock.advance(0);
    const got = await both;
    expect(got.map(({ value }) => (value as Message<number>).payload)).toEqual([1, 2]);
    expect([acked, source.unsettled.map(({ value }) => value)]).toEqual([[1], [2]]);
    await iterator.return?.();
  });

  it('answers who asks ahead of the credit, and past the end', async () => {
    const iterator = toAsyncIterable(fromAsyncIterable([1, 2], { credit: 1 }))[Symbol.asyncIterator]();
    const got = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
    expect(got.map(({ done, value }) => (done === true ? 'done' : value.payload))).toEqual([1, 2, 'done', 'done']);
  });

  it('gives nothing to the loop that its source took back while it waited', async () => {
    const clock = virtualClock();
    const source = testSource<number>({ clock, credit: 4 });
    const iterator = toAsyncIterable(source.flow)[Symbol.asyncIterator]();
    const first = iterator.next();
    for (const value of [1, 2, 3]) source.offer(value);
    clock.advance(0);
    await first;
    source.lose(new Error('cut'));
    clock.advance(60_000);
    const seen: string[] = [];
    for (let at = 0; at < 3; at += 1) {
      const { value } = (await iterator.next()) as IteratorYieldResult<Message<number>>;
      seen.push(`${value.payload} ${value.attempt}`);
    }
    expect(seen).toEqual(['1 2', '2 2', '3 2']);
    await iterator.return?.();
  });
});
