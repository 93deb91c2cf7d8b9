// The same pipeline with an object spread against what else has backpressure.
import { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Effect, Stream } from 'effect';
import { from as ix } from 'ix/asynciterable';
import { filter as ixFilter, map as ixMap } from 'ix/asynciterable/operators';
import { fromAsyncIterable, payload, where } from 'sluice';
import { compare } from './compare.js';
import { acked } from './counted.js';
import { sized } from './settings.js';

interface Row {
  readonly id: number;
  readonly price: number;
  readonly quantity: number;
}
const rows: Row[] = Array.from({ length: sized(200_000) }, (_, id) => ({
  id,
  price: id % 100,
  quantity: 1 + (id % 7),
}));
const total = (row: Row): Row & { total: number } => ({ ...row, total: row.price * row.quantity });
const keep = (row: Row): boolean => row.price >= 0;

async function* mapped<I, O>(source: AsyncIterable<I>, change: (value: I) => O): AsyncGenerator<O> {
  for await (const value of source) yield change(value);
}
async function* filtered<T>(source: AsyncIterable<T>, test: (value: T) => boolean): AsyncGenerator<T> {
  for await (const value of source) if (test(value)) yield value;
}
async function* all(): AsyncGenerator<Row> {
  yield* rows;
}
async function countOf(source: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const value of source) if (value !== undefined) count += 1;
  return count;
}

await compare(
  'pipelines with backpressure',
  rows.length,
  { name: 'sluice, acked', run: () => acked(fromAsyncIterable(rows).pipe(where(keep), payload(total))) },
  [
    {
      name: 'Node object streams',
      async run() {
        let count = 0;
        const objectMode = { objectMode: true } as const;
        await pipeline(
          Readable.from(rows, { highWaterMark: 64 }),
          new Transform({ ...objectMode, transform: (row: Row, _e, done) => (keep(row) ? done(null, row) : done()) }),
          new Transform({ ...objectMode, transform: (row: Row, _e, done) => done(null, total(row)) }),
          new Writable({
            ...objectMode,
            write(_row, _e, done) {
              count += 1;
              done();
            },
          }),
        );
        return count;
      },
    },
    {
      name: 'WHATWG streams',
      async run() {
        let at = 0;
        let count = 0;
        await new ReadableStream<Row>({
          pull(controller) {
            if (at < rows.length) controller.enqueue(rows[at++] as Row);
            else controller.close();
          },
        })
          .pipeThrough(new TransformStream({ transform: (row, c) => (keep(row) ? c.enqueue(row) : undefined) }))
          .pipeThrough(new TransformStream<Row, Row>({ transform: (row, c) => c.enqueue(total(row)) }))
          .pipeTo(new WritableStream({ write: () => void (count += 1) }));
        return count;
      },
    },
    { name: 'async generators', run: () => countOf(mapped(filtered(all(), keep), total)) },
    { name: 'IxJS', run: () => countOf(ix(rows).pipe(ixFilter(keep), ixMap(total))) },
    {
      name: 'Effect Stream',
      async run() {
        let count = 0;
        const stream = Stream.fromIterable(rows).pipe(Stream.filter(keep), Stream.map(total));
        await Effect.runPromise(Stream.runForEach(stream, () => Effect.sync(() => void (count += 1))));
        return count;
      },
    },
    {
      name: 'Effect Stream, consumed in chunks',
      async run() {
        let count = 0;
        // Its own `runCount` adds up the lengths of chunks: here each message is seen at the far end, as with all others.
        const see = (chunk: Iterable<Row>): void => {
          for (const row of chunk) if (row !== undefined) count += 1;
        };
        const stream = Stream.fromIterable(rows).pipe(Stream.filter(keep), Stream.map(total));
        await Effect.runPromise(Stream.runForEachChunk(stream, (chunk) => Effect.sync(() => see(chunk))));
        return count;
      },
    },
  ],
  { atLeast: 1 },
);
