import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { each } from 'sluice';
import { recorder } from '../helpers/message.js';
import { collect } from '../helpers/collect.js';
import { until } from '../helpers/until.js';

const THREADS = 2;

/** Computes without a pause: its thread does nothing else until `go` is set. */
const COMPUTING = `
const { parentPort, threadId, workerData: { begun, go } } = require('node:worker_threads');
parentPort.on('message', (n) => {
  Atomics.add(begun, 0, 1);
  Atomics.wait(go, 0, 0);
  parentPort.postMessage({ square: n * n, threadId });
});
`;

interface Done {
  readonly square: number;
  readonly threadId: number;
}

/** Threads that take a job each. Who asks for more at once than there are gets an error. */
function pool(size: number) {
  const begun = new Int32Array(new SharedArrayBuffer(4));
  const go = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: size }, () => new Worker(COMPUTING, { eval: true, workerData: { begun, go } }));
  onTestFinished(async () => void (await Promise.all(workers.map((worker) => worker.terminate()))));
  const idle = [...workers];
  return {
    begun: () => Atomics.load(begun, 0),
    letGo(): void {
      Atomics.store(go, 0, 1);
      Atomics.notify(go, 0);
    },
    run: (n: number): Promise<Done> =>
      new Promise((resolve, reject) => {
        const worker = idle.pop();
        if (worker === undefined) throw new Error('no thread is idle');
        worker.once('error', reject);
        worker.once('message', (done: Done) => {
          worker.off('error', reject);
          idle.push(worker);
          resolve(done);
        });
        worker.postMessage(n);
      }),
  };
}

it('has work that computes for long done by a pool of threads, no more at once than there are (S4.78)', async () => {
  const { flow, open, log } = recorder();
  const threads = pool(THREADS);
  const seen = collect(flow([1, 2, 3, 4, 5, 6]).pipe(each((n) => threads.run(n), { concurrency: THREADS })), (m) =>
    m.ack(),
  );
  // All threads stand still in their work, and this one does not.
  await until(() => expect(threads.begun()).toBe(THREADS));
  expect([seen.payloads, open]).toEqual([[], [1, 2, 3, 4, 5, 6]]);
  threads.letGo();
  await until(() => expect(seen.completed).toBe(true));
  expect(seen.payloads.map(({ square }) => square).toSorted((a, b) => a - b)).toEqual([1, 4, 9, 16, 25, 36]);
  expect(new Set(seen.payloads.map(({ threadId }) => threadId)).size).toBe(THREADS);
  expect([log.toSorted(), open]).toEqual([[1, 2, 3, 4, 5, 6].map((n) => `${n} ack`), []]);
});
