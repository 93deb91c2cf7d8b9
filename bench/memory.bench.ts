// A consumer that has stopped, and a million messages of 1 KiB offered: what is held is what the credit allows.
import { fromAsyncIterable, payload, run, type Message } from 'sluice';
import { defineSource } from 'sluice/connection';
import { thousands, verdict } from './compare.js';
import { settings } from './settings.js';

const OFFERED = 1_000_000;
const CREDIT = 256;
const KIB = 1024;
const BOUND = CREDIT * 3 * KIB + 16 * KIB * KIB;
const CHUNK = 1_000;

let made = 0;
function* offers(): Generator<Uint8Array> {
  for (let at = 0; at < OFFERED; at += 1) {
    made += 1;
    yield new Uint8Array(KIB).fill(at);
  }
}

/** Gives all of them away, a chunk a turn, whatever it is told. */
function push(take: (value: Uint8Array) => void): Promise<void> {
  const iterator = offers();
  return new Promise((resolve) => {
    const chunk = (): void => {
      for (let left = CHUNK; left > 0; left -= 1) {
        const { done, value } = iterator.next();
        if (done === true) {
          resolve();
          return;
        }
        take(value);
      }
      setImmediate(chunk);
    };
    chunk();
  });
}

let allPushed: Promise<void> = Promise.resolve();
const pushing = defineSource<Uint8Array>(
  {
    connector: 'push',
    credit: CREDIT,
    local: true,
    needsOverflow: true,
    open(context) {
      allPushed = push((value) => context.offer({ payload: value, topic: 'push', bytes: KIB }));
      return { resume: () => undefined, settle: () => undefined, close: () => undefined };
    },
  },
  { overflow: 'drop-oldest' },
);

/** After the collector has also given back what it found. */
async function used(): Promise<{ readonly resident: number; readonly heap: number }> {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss, heap: heapUsed + external };
}

// What a million of them, with the newest few hundred kept, leave behind in any program: the engine's room for young objects.
const kept: { readonly payload: Uint8Array }[] = [];
await push((value) => {
  kept.push({ payload: value });
  if (kept.length > 2 * CREDIT) kept.shift();
});

const cases = [
  { title: 'a source that waits', flow: fromAsyncIterable(offers(), { credit: CREDIT }), waits: true },
  { title: 'a transport that cannot wait', flow: pushing, waits: false },
];
for (const { title, flow, waits } of cases) {
  if (settings.only !== undefined && !title.includes(settings.only)) continue;
  made = 0;
  const held: Message<Uint8Array>[] = [];
  const before = await used();
  const running = run(
    flow.pipe(payload((bytes) => bytes)),
    { next: (message) => void held.push(message), error: () => undefined, complete: () => undefined },
    { drainTimeoutMs: 10 },
  );
  // What waits would take all there is in far less time, if it did not wait.
  if (waits) await new Promise((resolve) => setTimeout(resolve, 2_000));
  else await allPushed;
  const after = await used();
  const heap = after.heap - before.heap;
  const resident = after.resident - before.resident;
  console.log(`\n${title}: ${thousands(made)} of ${thousands(OFFERED)} messages taken, ${held.length} held`);
  verdict({
    title: `${title}, credit ${CREDIT}`,
    met: held.length === CREDIT && made === (waits ? CREDIT : OFFERED) && Math.max(heap, resident) <= BOUND,
    seen: `${mib(heap)} heap, ${mib(resident)} resident`,
    wanted: `at most ${mib(BOUND)}`,
  });
  await running.stop();
}

function mib(bytes: number): string {
  return `${(bytes / KIB / KIB).toFixed(1)} MiB`;
}
