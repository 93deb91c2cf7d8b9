import { describe, expect, it } from 'vitest';
import { fromAsyncIterable, memoryBroker, memorySource, toReadableStream, type Message } from 'sluice';

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

describe('toReadableStream', () => {
  it('takes a message out only when it is read, and acks it with the next read', async () => {
    const broker = brokerWith(1, 2, 3);
    const stream = toReadableStream(memorySource<number>(broker, { topic: 'in', credit: 2 }));
    const reader = stream.getReader();
    const first = await reader.read();
    const second = await reader.read();
    expect([first.value?.payload, second.value?.payload]).toEqual([1, 2]);
    expect(first.value?.ack()).toBe(false);
    await reader.cancel();
    expect((await rest(broker, 2)).map(({ payload: value }) => value)).toEqual([2, 3]);
  });

  it('closes when the flow completes', async () => {
    const seen: number[] = [];
    await toReadableStream(fromAsyncIterable([1, 2])).pipeTo(
      new WritableStream({ write: (message: Message<number>) => void seen.push(message.payload) }),
    );
    expect(seen).toEqual([1, 2]);
  });
});
