import { hold } from '../case-context.js';
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
    title: 'drains: stops intake, settles what is in flight and completes, so that nothing comes twice',
    async run(t) {
      const total = 40;
      const { channel, consumer } = await t.start(total, { options: { credit: 10 }, handler: hold });
      await t.until('the window is full', () => consumer.count >= 10);
      t.holds(consumer.handle !== undefined, 'the source makes itself known to the runtime');
      consumer.handle?.drain();
      const atDrain = consumer.count;
      const work = (): void => {
        consumer.ackOpen();
        if (consumer.completed === 0) t.clock.timer(5, work);
      };
      t.clock.timer(20, work);
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
        const payloads = await t.settled('the client dies', crash);
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
