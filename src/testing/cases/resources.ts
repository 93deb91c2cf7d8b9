import type { Flow } from '../../connection/flow.js';
import { ackEach, type CaseContext } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';

const MIB = 1024 * 1024;
/** What a process may grow by whatever it does. */
const SLACK_BYTES = 64 * MIB;

/** Resources: what is held is bounded, and what was used is given back. */
export const RESOURCE_CASES: readonly ConformanceCase[] = [
  {
    id: 'RES-01',
    label: 'R',
    title: 'holds no more than its window, however much waits behind it',
    needs: { flags: ['backlog'], verbs: ['sink', 'proc.hold'] },
    async run(t) {
      // More than all that it may hold, by as much as could not be chance.
      const bytes = Math.min(t.features.maxMessageBytes ?? MIB, MIB);
      const credit = 8;
      const boundBytes = credit * bytes + SLACK_BYTES;
      const total = Math.ceil((boundBytes + SLACK_BYTES / 2) / bytes);
      const channel = t.channel();
      await t.published(channel, total, { bytes, record: false });
      await t.bench.finish?.(channel);
      const holding = t.bench.proc?.hold?.(channel, { credit, forMs: 700 });
      const { grownBytes } = await t.settled('the client has held them', holding ?? { grownBytes: Infinity });
      const [grown, bound] = [grownBytes, boundBytes].map((size) => Math.round(size / MIB));
      t.holds(grownBytes <= boundBytes, `it grew by ${grown} MiB, at most ${bound}`);
    },
  },
  {
    id: 'RES-02',
    label: 'S',
    title: 'does not grow while it works for long',
    needs: { verbs: ['sink'], soak: true },
    async run(t) {
      const host = globalThis as { readonly process?: { memoryUsage(): { readonly rss: number } } };
      const { process } = host;
      const { soakMs = 0 } = t.harness;
      t.holds(process !== undefined, 'the system tells how much memory there is in use');
      if (process === undefined) return;
      const channel = t.channel();
      const endMs = t.clock.elapsed() + soakMs;
      const sizes: number[] = [];
      const consumer = t.consume(channel, { record: false, handler: (message) => void message.ack() });
      await t.up(consumer);
      let sent = 0;
      while (t.clock.elapsed() < endMs) {
        sent += 500;
        const publisher = t.publish(channel, 500, { bytes: 1_024, record: false });
        await t.until('they are delivered', () => consumer.count >= sent && publisher.isDone);
        t.forget(publisher.unsubscribe);
        // The first third warms up.
        if (t.clock.elapsed() > endMs - (soakMs * 2) / 3) sizes.push(process.memoryUsage().rss);
      }
      const half = Math.floor(sizes.length / 2);
      const grownMib = (average(sizes.slice(half)) - average(sizes.slice(0, half))) / MIB;
      t.holds(sizes.length >= 4, 'there was time to measure');
      t.holds(grownMib <= 16, `it grew by ${grownMib.toFixed(1)} MiB over ${sent} messages, at most 16`);
    },
  },
  {
    id: 'RES-03',
    label: 'R',
    title: 'leaves nothing behind when it is opened and closed again and again',
    async run(t) {
      const cycles = t.isVirtual ? t.volume(1_000) : 30;
      const open = await t.bench.peek?.open?.();
      const timers = t.pendingTimers;
      const flows: WeakRef<object>[] = [];
      const channel = t.channel();
      for (let cycle = 0; cycle < cycles; cycle += 1) flows.push(await openAndClose(t, channel));
      await t.answers('no connection is left open', async () => (await t.bench.peek?.open?.()) === open);
      await t.until('no timer is left', () => t.pendingTimers <= timers, 120_000);
      const consumers = await t.bench.peek?.consumers?.(channel);
      t.same(consumers ?? 0, 0, 'readers that the far side still knows of');
      const { gc } = globalThis as { readonly gc?: () => void };
      if (gc === undefined) return;
      const kept = (): number => flows.filter((flow) => flow.deref() !== undefined).length;
      await t.answers('what was used is free again', () => {
        gc();
        // The last of them may still be on some stack.
        return kept() <= 2;
      });
    },
  },
];

/** In a function of its own, so that nothing of it stays on the stack. */
async function openAndClose(t: CaseContext, channel: string): Promise<WeakRef<object>> {
  const flow: Flow<Uint8Array> = t.source(channel, { closeTimeoutMs: 0 });
  const consumer = t.listenOnce(flow, { handler: ackEach });
  await t.up(consumer);
  consumer.end();
  await t.until('it is closed', () => consumer.isClosed);
  return new WeakRef<object>(flow);
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
