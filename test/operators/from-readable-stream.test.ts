import { describe, expect, it } from 'vitest';
import { fromAsyncIterable, fromReadableStream, toAsyncIterable, toReadableStream, type Message } from 'sluice';
import { codeOf } from '../helpers/stage.js';

describe('fromReadableStream', () => {
  it('reads only while there is credit and cancels the stream on unsubscribe', async () => {
    let pulls = 0;
    let cancelled = false;
    const stream = new ReadableStream<number>(
      {
        pull: (controller) => controller.enqueue((pulls += 1)),
        cancel: () => void (cancelled = true),
      },
      { highWaterMark: 0 },
    );
    const held: Message<number>[] = [];
    const subscription = fromReadableStream(stream, { credit: 3 }).subscribe((message) => held.push(message));
    await expect.poll(() => held.length).toBe(3);
    expect(pulls).toBe(3);
    subscription.unsubscribe();
    expect(cancelled).toBe(true);
    for (const message of held) message.ack();
  });

  it('completes with the stream, errors with SOURCE_FAILED when it errors, and can be read once', async () => {
    const ends: string[] = [];
    const read = (stream: ReadableStream<number>): Promise<void> =>
      new Promise((resolve) => {
        fromReadableStream(stream).subscribe({
          next: (message) => void message.ack(),
          error: (error: unknown) => resolve(void ends.push(codeOf(error))),
          complete: () => resolve(void ends.push('complete')),
        });
      });
    const stream = new ReadableStream<number>({ start: (controller) => controller.close() });
    await read(stream);
    await read(new ReadableStream<number>({ start: (controller) => controller.error(new Error('no')) }));
    const locked = new ReadableStream<number>();
    locked.getReader();
    await read(locked);
    expect(ends).toEqual(['complete', 'SOURCE_FAILED', 'SOURCE_FAILED']);
  });

  it('carries credit through a stream and back: what went in comes out', async () => {
    const seen: number[] = [];
    const there = toReadableStream(fromAsyncIterable([1, 2, 3, 4, 5], { credit: 2 }));
    const back = fromReadableStream(there, { credit: 2 });
    for await (const message of toAsyncIterable(back)) seen.push(message.payload.payload);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });
});
