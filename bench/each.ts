import { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fastq from 'fastq';
import pMap from 'p-map';
import { from, mergeMap, of } from 'rxjs';
import { each, fromAsyncIterable } from 'sluice';
import { compare, type Contender } from './compare.js';
import { acked, counted } from './counted.js';

/** Runs `work` on so many numbers, one, 16 and 256 at a time, with ours and with what else limits concurrency. */
export async function compareEach(kind: string, count: number, work: (n: number) => unknown): Promise<void> {
  const inputs = Array.from({ length: count }, (_, at) => at);
  const isValue = kind === 'value';
  for (const concurrency of [1, 16, 256]) {
    const rivals: Contender[] = [
      {
        name: 'RxJS mergeMap',
        run: () =>
          counted(
            from(inputs).pipe(
              mergeMap((n) => (isValue ? of(work(n)) : from(work(n) as Promise<unknown>)), concurrency),
            ),
          ),
      },
      { name: 'p-map', run: async () => (await pMap(inputs, (n) => work(n), { concurrency })).length },
      { name: 'fastq', run: () => queued(inputs, work, isValue, concurrency) },
      { name: 'Node parallel transform', run: () => streamed(inputs, work, concurrency) },
    ];
    await compare(
      `${kind}, ${concurrency} at a time`,
      count,
      {
        name: 'sluice each, acked',
        run: () => {
          const credit = Math.max(128, concurrency * 2);
          return acked(fromAsyncIterable(inputs, { credit }).pipe(each((n) => work(n), { concurrency })));
        },
      },
      rivals,
      { atLeast: 0.9 },
    );
  }
}

function queued(
  inputs: readonly number[],
  work: (n: number) => unknown,
  isValue: boolean,
  concurrency: number,
): Promise<number> {
  return new Promise((resolve) => {
    let done = 0;
    // Its promise interface is slower than this one.
    const queue = fastq<undefined, number>((n, next) => {
      if (isValue) next(null, work(n));
      else void (work(n) as Promise<unknown>).then((result) => next(null, result));
    }, concurrency);
    // Not its drain event: with work that is done at once it comes after every item.
    const finished = (): void => {
      done += 1;
      if (done === inputs.length) resolve(done);
    };
    for (const n of inputs) queue.push(n, finished);
  });
}

async function streamed(inputs: readonly number[], work: (n: number) => unknown, concurrency: number): Promise<number> {
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
}

function parallel(work: (n: number) => unknown, concurrency: number): Transform {
  let active = 0;
  let waiting: (() => void) | undefined;
  let flushed: (() => void) | undefined;
  return new Transform({
    objectMode: true,
    highWaterMark: Math.max(16, concurrency),
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
