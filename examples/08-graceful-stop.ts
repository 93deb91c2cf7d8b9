// A stop loses nothing: what was begun is finished, what was not stays with the broker. Needs nothing.
import { each, memoryBroker, memorySink, memorySource, run } from 'sluice';

const broker = memoryBroker();
for (let payload = 1; payload <= 10; payload += 1) broker.publish({ topic: 'jobs', payload });

let finish = (): void => undefined;
const gate = new Promise<void>((resolve) => (finish = resolve));
const work = (job: number): Promise<string> => gate.then(() => `job ${job}`);
const aMoment = (): Promise<unknown> => new Promise((passed) => setTimeout(passed, 1));

// At most 3 jobs are anywhere between source and sink.
const running = run(
  memorySource<number>(broker, { topic: 'jobs', credit: 3 }).pipe(each(work, { concurrency: 3 })),
  memorySink(broker, { topic: 'done' }),
);
await aMoment();
console.log(`${running.health().sources[0]?.unsettled ?? 0} at work`);

const stopping = running.stop();
finish();
const { clean } = await stopping;
console.log(`clean: ${clean}, done: ${broker.peek.depth('done')}, left: ${broker.peek.depth('jobs')}`);

// Work that never ends: at the deadline its messages are given back, and the report says who held them.
const hanging = run(
  memorySource<number>(broker, { topic: 'jobs' }).pipe(
    each(() => new Promise<never>(() => undefined), { name: 'hang' }),
  ),
  { drainTimeoutMs: 10 }, // nothing comes out, so that there is no sink
);
await aMoment();
const { error, unfinished } = await hanging.stop();
console.log(`${error?.code}: ${unfinished.length} held by ${unfinished[0]?.stage}, left: ${broker.peek.depth('jobs')}`);

// Output:
// 3 at work
// clean: true, done: 3, left: 7
// DRAIN_TIMEOUT: 7 held by hang, left: 7
