// A sink that has stopped, and a million messages of 1 KiB offered: what is held is what the credit allows.
import { fromAsyncIterable, payload, run, type Message } from 'sluice';
import { verdict } from './compare.js';

const OFFERED = 1_000_000;
const CREDIT = 256;
const BOUND = CREDIT * 3 * 1024 + 16 * 1024 * 1024;

let made = 0;
function* offers(): Generator<Uint8Array> {
  for (let at = 0; at < OFFERED; at += 1) {
    made += 1;
    yield new Uint8Array(1024).fill(at);
  }
}

function used(): number {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return Math.max(rss, heapUsed + external);
}

const held: Message<Uint8Array>[] = [];
const before = used();
const running = run(
  fromAsyncIterable(offers(), { credit: CREDIT }).pipe(payload((bytes) => bytes)),
  { next: (message) => void held.push(message), error: () => undefined, complete: () => undefined },
  { drainTimeoutMs: 10 },
);
let most = 0;
for (let second = 0; second < 50; second += 1) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  most = Math.max(most, used() - before);
}
console.log(`\nstopped sink: ${made} of ${OFFERED} messages made, ${held.length} held, credit ${CREDIT}`);
console.log(`growth ${(most / 1024 / 1024).toFixed(1)} MiB, bound ${(BOUND / 1024 / 1024).toFixed(1)} MiB`);
verdict('memory of a stopped sink', held.length === CREDIT && made <= CREDIT + 1 && most <= BOUND, `${most} bytes`, 1);
await running.stop();
