import { take } from 'rxjs';
import { isSluiceError } from '../../errors.js';
import type { Message } from '../../message/message.js';
import { run } from '../../runtime/run.js';
import { idOf } from '../case-consumer.js';
import { hold, type CaseContext } from '../case-context.js';
import { inspected } from '../inspected.js';
import type { ConformanceCase } from '../conformance-case.js';

const utf8 = new TextDecoder();

/** Shutdown: intake stops at once, and nothing is lost by it. */
export const SHUTDOWN_CASES: readonly ConformanceCase[] = [
  {
    id: 'SHU-01',
    label: 'R',
    title: 'emits nothing after an unsubscribe, and hands back what was not settled',
    async run(t) {
      const total = 40;
      const options = { credit: 10, closeTimeoutMs: 100 };
      const { channel, consumer } = await t.start(total, { options, handler: hold });
      await t.until('the window is full', () => consumer.count >= 10);
      consumer.unsubscribe();
      consumer.unsubscribe();
      await t.stays('nothing more is emitted', () => consumer.count === 10);
      if (t.features.ack !== 'manual' || t.features.backlog !== true) return;
      const next = t.consume(channel);
      await t.until('the next subscriber gets all', () => next.distinct.size >= total);
      t.same(t.checked().lost.length, 0, 'lost messages');
    },
  },
  {
    id: 'SHU-02',
    label: 'R',
    title: 'drains: stops intake at once, settles what is in flight and completes, so that nothing comes twice',
    async run(t) {
      const total = 40;
      const credit = 10;
      const { channel, consumer } = await t.start(total, { options: { credit }, handler: hold });
      await t.until('the window is full', () => consumer.count >= credit);
      t.holds(consumer.handle !== undefined, 'the source makes itself known to the runtime');
      consumer.drain();
      const atDrain = consumer.count;
      // As long as handlers take.
      await t.stays('the flow waits for them', () => consumer.completed === 0, 2_000, 100);
      const work = (): void => {
        consumer.ackOpen();
        if (consumer.completed === 0) t.clock.timer(5, work);
      };
      work();
      await t.until('the flow completes', () => consumer.completed === 1);
      t.same(consumer.openNow(), 0, 'unsettled messages after the drain');
      const taken = new Set(consumer.ids);
      if (t.features.ack !== 'manual') return;
      t.same(consumer.count, atDrain, 'deliveries after the drain began');
      if (t.features.backlog !== true) return;
      const next = t.consume(channel);
      await t.until('the next subscriber gets the rest', () => next.count >= total - taken.size);
      await t.stays('and nothing twice', () => next.ids.every((id) => !taken.has(id)));
      const report = t.checked();
      t.same(`${report.lost.length} lost, ${report.duplicates} twice`, '0 lost, 0 twice', 'messages over a restart');
      await processDrains(t);
    },
  },
  {
    id: 'SHU-03',
    label: 'R',
    title: 'gives the messages after the first ten to the next subscriber when it takes no more than those',
    needs: { ack: 'manual', flags: ['backlog'] },
    async run(t) {
      const total = t.volume(1_000);
      const channel = t.channel();
      await t.published(channel, total);
      await t.bench.finish?.(channel);
      const open = await t.bench.peek?.open?.();
      const first = t.consume(channel, { options: { credit: 20 }, stage: (flow) => flow.pipe(take(10)) });
      await t.until('it completes', () => first.completed === 1);
      await t.until('its source is closed', () => first.isClosed);
      await t.answers('its connection is closed', async () => ((await t.bench.peek?.open?.()) ?? 0) <= (open ?? 0));
      const next = t.consume(channel, { options: { credit: 20 } });
      await t.until('the others come to the next', () => next.distinct.size >= total - 10);
      await t.stays('and only those', () => next.distinct.size === total - 10);
      const report = t.checked();
      t.same(`${report.lost.length} lost, ${report.duplicates} twice`, '0 lost, 0 twice', 'messages');
    },
  },
  {
    id: 'SHU-04',
    label: 'O',
    title: 'gives out a large batch completely in five sittings',
    needs: { ack: 'manual', flags: ['persistent', 'backlog'] },
    async run(t) {
      const total = t.volume(5_000);
      const channel = t.channel();
      await t.published(channel, total);
      await t.bench.finish?.(channel);
      for (let sitting = 0; sitting < 5; sitting += 1) {
        const share = sitting < 4 ? Math.floor(total / 5) : total - 4 * Math.floor(total / 5);
        const sitter = t.consume(channel, { options: { credit: 16 }, stage: (flow) => flow.pipe(take(share)) });
        await t.until(`sitting ${sitting + 1} is over`, () => sitter.completed === 1);
        await t.until('its source is closed', () => sitter.isClosed);
      }
      const report = t.checked();
      t.same(report.delivered, total, 'different messages in all sittings');
      t.same(`${report.lost.length} lost, ${report.duplicates} twice`, '0 lost, 0 twice', 'messages');
    },
  },
  {
    id: 'SHU-05',
    label: 'R',
    title: 'opens and closes many at once, and works afterwards',
    async run(t) {
      const rounds = t.isVirtual ? 20 : 5;
      const channels = Array.from({ length: 10 }, () => t.channel());
      const open = await t.bench.peek?.open?.();
      const timers = t.pendingTimers;
      for (let round = 0; round < rounds; round += 1) {
        const consumers = channels.map((channel) => t.consume(channel, { options: { closeTimeoutMs: 0 } }));
        // Some are up by then, others are not.
        await t.pass(t.random() * 10);
        for (const consumer of consumers) consumer.unsubscribe();
        await t.until('all are closed', () => consumers.every((consumer) => consumer.isClosed));
      }
      await t.answers('connections open afterwards', async () => ((await t.bench.peek?.open?.()) ?? 0) <= (open ?? 0));
      await t.until('no timer is left', () => t.pendingTimers <= timers, 120_000);
      const { consumer } = await t.start(20);
      await t.until('a clean run passes', () => consumer.count >= 20);
    },
  },
  {
    id: 'SHU-06',
    label: 'R',
    title: 'ends by force at the deadline of a drain, and says how many messages were open',
    async run(t) {
      const channel = t.channel();
      const held: Message<Uint8Array>[] = [];
      const drainTimeoutMs = t.isVirtual ? 5_000 : 100;
      const running = await t.around(channel, 5, {}, () =>
        run(
          t.source(channel),
          { next: (message) => void held.push(message), error: () => undefined, complete: () => undefined },
          { drainTimeoutMs },
        ),
      );
      await t.until('all are held', () => held.length >= 5);
      const startMs = t.clock.elapsed();
      const report = await t.settled('the stop ends', running.stop());
      t.holds(t.clock.elapsed() - startMs >= drainTimeoutMs - 2, 'it waited until the deadline');
      t.same(report.clean, false, 'whether the stop was clean');
      t.holds(isSluiceError(report.error, 'DRAIN_TIMEOUT'), 'the report says why');
      t.same(report.unfinished.length, 5, 'unfinished messages');
      t.holds(report.error?.message.includes('5 messages') === true, 'the error says how many');
      // The ids of a case are its payloads.
      t.holds(!inspected([report.error?.message, report.error?.details]).includes('run.w.'), 'it shows no payload');
      t.same(
        held.some((message) => message.ack()),
        false,
        'settlements that took effect after the deadline',
      );
      if (t.bench.proc?.terminate === undefined) return;
      const options = { credit: 4, deliveries: 2, workMs: Infinity, drainTimeoutMs: 200 };
      const other = t.channel();
      await t.published(other, 10, { writer: 'child' });
      const ended = await t.settled('the process ends', t.bench.proc.terminate(other, options));
      t.holds(ended.exitCode !== 0, 'its exit code says that it was not clean');
      t.holds(ended.said.includes('DRAIN_TIMEOUT'), 'it says why');
    },
  },
  {
    id: 'SHU-07',
    label: 'R',
    title: 'leaves nothing open when it is closed while it connects, at whatever point',
    needs: { verbs: ['peek.open'] },
    async run(t) {
      const channel = t.channel();
      const open = await t.bench.peek?.open?.();
      const points = t.isVirtual ? 60 : 25;
      for (let point = 0; point < points; point += 1) {
        const consumer = t.consume(channel, { options: { closeTimeoutMs: 0 } });
        // As many turns as it takes to be past the last of them; in real time they are as long as they are.
        for (let turn = 0; turn < point && !consumer.isUp; turn += 1) await turnOf(t);
        consumer.unsubscribe();
        await t.until('it is closed', () => consumer.isClosed);
      }
      await t.answers('nothing is left open', async () => ((await t.bench.peek?.open?.()) ?? 0) <= (open ?? 0));
    },
  },
  {
    id: 'SHU-08',
    label: 'R',
    title: 'loses nothing when the client dies in the middle of its work',
    needs: { ack: 'manual', flags: ['backlog'], verbs: ['proc.crash'] },
    async run(t) {
      const credit = 10;
      const crashes = Math.min(50, Math.max(3, Math.floor(t.volume(1_000) / 20)));
      const total = crashes * credit;
      const channel = t.channel();
      await t.published(channel, total);
      const acked = new Set<string>();
      for (let at = 0; at < crashes; at += 1) {
        const deliveries = 1 + Math.floor(t.random() * credit);
        const crash = t.bench.proc?.crash?.(channel, { credit, deliveries });
        const payloads = await t.settled(`client ${at + 1} dies`, crash);
        for (const payload of payloads ?? []) acked.add(utf8.decode(payload));
      }
      t.same(acked.size > 0, true, 'the clients acked something');
      await t.bench.finish?.(channel);
      const consumer = t.consume(channel);
      await t.until('the rest is delivered', () => new Set([...consumer.ids, ...acked]).size >= total);
      await t.stays('it ends', () => true, 1_000);
      const twice = consumer.ids.filter((id) => acked.has(id)).length;
      t.holds(twice <= crashes * credit, `${twice} acked ones came again, at most ${crashes * credit}`);
    },
  },
];

/** A client in a process of its own ends in order, with work of a while in hand, and leaves nothing to come twice. */
async function processDrains(t: CaseContext): Promise<void> {
  const { proc } = t.bench;
  if (proc?.terminate === undefined) return;
  const total = 40;
  const channel = t.channel();
  await t.published(channel, total, { writer: 'child' });
  const options = { credit: 10, deliveries: 12, workMs: t.isVirtual ? 2_000 : 200, drainTimeoutMs: 10_000 };
  const { exitCode, acked } = await t.settled('the process ends', proc.terminate(channel, options));
  t.same(exitCode, 0, 'its exit code');
  const done = new Set(acked.map((payload) => idOf({ payload })));
  t.holds(done.size >= options.deliveries && done.size < total, `it did its share, ${done.size} messages`);
  await t.bench.finish?.(channel);
  const next = t.consume(channel);
  await t.until('the next gets the rest', () => next.distinct.size >= total - done.size);
  await t.stays('and nothing that the process did', () => next.ids.every((id) => !done.has(id)), 1_000);
}

/** A turn of the event loop, without time in virtual time. */
function turnOf(t: CaseContext): Promise<void> {
  return t.isVirtual ? t.pass(0).then(() => undefined) : new Promise((resolve) => t.clock.yield(resolve));
}
