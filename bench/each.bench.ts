// Work per message: values, resolved promises and a turn of the event loop, one, 16 and 256 at a time.
import { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fastq from 'fastq';
import pMap from 'p-map';
import { from, mergeMap, of } from 'rxjs';
import { each, fromAsyncIterable } from 'sluice';
import { compare, counted, type Contender } from './compare.js';

const kinds = {
  value: { count: 200_000, work: (n: number): unknown => n + 1 },
  promise: { count: 200_000, work: (n: number): unknown => Promise.resolve(n + 1) },
  setImmediate: { count: 50_000, work: (n: number): unknown => new Promise((done) => setImmediate(done, n + 1)) },
};

function parallel(work: (n: number) => unknown, concurrency: number): Transform {
  let active = 0;
  let waiting: (() => void) | undefined;
  let flushed: (() => void) | undefined;
  return new Transform({
    objectMode: true,
    highWaterMark: concurrency,
    transform(n: number, _encoding, done) {
      active += 1;
      if (active < concurrency) done();
      else waiting = done;
      void Promise.resolve(work(n)).then((result) => {
        active -= 1;
        this.push(result);
        const go = waiting;
        waiting = undefined;
        go?.();
        if (active === 0) flushed?.();
      });
    },
    flush(done) {
      if (active === 0) done();
      else flushed = done;
    },
  });
}

for (const [kind, { count, work }] of Object.entries(kinds)) {
  const inputs = Array.from({ length: count }, (_, at) => at);
  for (const concurrency of [1, 16, 256]) {
    const rivals: Contender[] = [
      {
        name: 'RxJS mergeMap',
        run: () =>
          counted(
            from(inputs).pipe(
              mergeMap((n) => (kind === 'value' ? of(work(n)) : from(work(n) as Promise<unknown>)), concurrency),
            ) as never,
          ),
      },
      { name: 'p-map', run: async () => (await pMap(inputs, (n) => work(n), { concurrency })).length },
      {
        name: 'fastq',
        async run() {
          let done = 0;
          const queue = fastq.promise(async (n: number) => {
            await work(n);
            done += 1;
          }, concurrency);
          for (const n of inputs) void queue.push(n);
          await queue.drained();
          return done;
        },
      },
      {
        name: 'Node parallel transform',
        async run() {
          let seen = 0;
          await pipeline(
            Readable.from(inputs),
            parallel(work, concurrency),
            new Writable({
              objectMode: true,
              write(_result, _encoding, next) {
                seen += 1;
                next();
              },
            }),
          );
          return seen;
        },
      },
    ];
    await compare(
      `each: ${kind}, ${concurrency} at a time`,
      count,
      {
        name: 'sluice each, acked',
        run: () =>
          counted(fromAsyncIterable(inputs, { credit: Math.max(512, concurrency) }).pipe(each(work, { concurrency }))),
      },
      rivals,
      { atLeast: 0.9 },
    );
  }
}
