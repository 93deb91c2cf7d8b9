import { isLegalStep } from '../../observability/status.js';
import type { Message } from '../../message/message.js';
import { each } from '../../operators/each.js';
import { run } from '../../runtime/run.js';
import { hold, type CaseContext } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';

/** Observation: what a connector says of itself is what happened. */
export const OBSERVATION_CASES: readonly ConformanceCase[] = [
  {
    id: 'OBS-01',
    label: 'R',
    title: 'counts what happened: emitted, settled, late, taken back, reconnects',
    async run(t) {
      const { ack, nackRequeue = false } = t.features;
      const { consumer } = await t.start(20, { options: { credit: 20, maxAttempts: 3 }, handler: hold });
      await t.until('all are delivered', () => consumer.count >= 20);
      const [first, second, third, ...rest] = [...consumer.messages] as Message<Uint8Array>[];
      consumer.ack(first as Message<Uint8Array>);
      first?.ack();
      consumer.nack(second as Message<Uint8Array>, 'drop');
      second?.nack(new Error('late'));
      consumer.nack(third as Message<Uint8Array>, 'dead');
      const [again, ...others] = rest;
      if (nackRequeue) {
        consumer.nack(again as Message<Uint8Array>);
        await t.until('it comes again', () => consumer.count >= 21);
      }
      const canBreak = ack === 'manual' && t.features.reconnects === true && t.bench.net?.cut !== undefined;
      let late = 2;
      let released = 0;
      if (canBreak) {
        const before = consumer.count;
        released = consumer.openNow();
        await t.bench.net.cut?.('rst');
        await t.until('what was open comes again', () => consumer.count >= before + released);
        others[0]?.ack();
        late += 1;
      }
      consumer.ackOpen();
      const counts = consumer.handle?.counts;
      if (counts === undefined) return;
      const { took } = consumer;
      const said = { ...counts };
      const seen = {
        emitted: consumer.count,
        acked: took.ack,
        requeued: took.requeue,
        dead: took.dead,
        dropped: took.drop,
        late,
        released,
        reconnects: canBreak ? 1 : 0,
      };
      for (const [name, value] of Object.entries(seen))
        t.same(said[name as keyof typeof said], value, `counted as ${name}`);
      const reports = t.events.filter((event) => event.type === 'message.late').length;
      t.same(reports, late, 'reports of late settlements');
      t.same(consumer.losses, seen.reconnects, 'changes to reconnecting');
    },
  },
  {
    id: 'OBS-02',
    label: 'R',
    title: 'walks its status legally from idle to closed, and tells each step',
    async run(t) {
      const from = t.events.length;
      const { consumer } = await t.start(3);
      await t.until('all are delivered', () => consumer.count >= 3);
      if (t.features.finite !== true && t.features.reconnects === true && t.bench.net?.cut !== undefined) {
        await t.bench.net.cut('fin');
        await t.until('it lost its connection', () => consumer.losses === 1);
        await t.up(consumer);
      }
      consumer.unsubscribe();
      await t.until('it is closed', () => consumer.isClosed);
      const { walk } = consumer;
      const steps = walk.slice(1).map((status, at) => [walk[at] ?? 'idle', status] as const);
      t.same(steps.filter(([before, after]) => !isLegalStep(before, after)).join(' '), '', 'steps off the walk');
      t.same(`${walk[0]} ${walk[1]}`, 'idle connecting', 'how it begins');
      t.same(walk.slice(-2).join(' '), 'closing closed', 'how it ends');
      t.same(walk.filter((status) => status === 'closed').length, 1, 'times it closed');
      const told = t.events.slice(from).filter((event) => event.type === 'status.changed');
      const illegal = told.filter((event) => !isLegalStep(event.from, event.to));
      t.same(illegal.length, 0, 'reports of steps off the walk');
      // Of a step that was taken twice there are two reports; those of a link are of others.
      const left = told.filter(({ connector }) => connector === consumer.handle?.connector);
      const untold = steps.filter(([before, after]) => {
        const at = left.findIndex((one) => one.from === before && one.to === after);
        return at === -1 || left.splice(at, 1).length === 0;
      });
      t.same(untold.join(' '), '', 'steps not reported');
    },
  },
  {
    id: 'OBS-03',
    label: 'R',
    title: 'is not ready, and says why, while it has no connection, moves nothing or has no room',
    needs: { anyVerb: ['net.refuse', 'net.stall', 'store.fill'] },
    async run(t) {
      const { net, store } = t.bench;
      const [channel, out] = [t.channel(), t.channel('out')];
      const sink = t.bench.sink === undefined ? undefined : t.sink(out, { maxUnconfirmed: 4 });
      const taking = { next: (message: Message<Uint8Array>) => void message.ack(), error: none, complete: none };
      let held: (() => void)[] | undefined;
      const work = (bytes: Uint8Array): Uint8Array | Promise<Uint8Array> =>
        held === undefined ? bytes : new Promise((resolve) => void held?.push(() => resolve(bytes)));
      const running = await t.around(channel, 4, {}, () =>
        run(t.source(channel, { maxAttempts: 1_000 }).pipe(each(work)), sink ?? taking),
      );
      t.onEnd(() => void running.stop());
      const said = (): string => running.health().reasons.join('; ');
      await t.until('it is ready', () => running.health().ready && said() === '');
      const notReady = async (what: string, limitMs: number): Promise<void> => {
        await t.soon(`health says ${what}`, limitMs, () => !running.health().ready);
        t.holds(said().length > 0, 'it gives a reason');
      };
      if (net?.refuse !== undefined && net.cut !== undefined) {
        await net.refuse();
        await net.cut('rst');
        await notReady('that there is no connection', 5_000);
        await net.heal?.();
        await t.until('it recovers', () => running.health().ready);
      }
      if (store?.fill !== undefined && sink !== undefined && t.features.finite !== true) {
        held = [];
        const publisher = t.publish(channel, 4, { writer: 'blocked' });
        await t.until('there is something to write', () => publisher.isDone && (held?.length ?? 0) > 0);
        await store.fill(out);
        const from = t.events.length;
        const goOn = held;
        held = undefined;
        for (const one of goOn) one();
        // A far side that refuses each message leaves it to the message to say so.
        const isRefused = (): boolean =>
          t.events.slice(from).some((event) => event.type === 'message.nacked' && event.then === 'requeue');
        await t.until('it says that there is no room', () => !running.health().ready || isRefused());
        t.holds(isRefused() || said().length > 0, 'it gives a reason');
        await store.free?.(out);
        await t.until('all are written', () => (running.health().sinks[0]?.confirmed ?? 8) >= 8);
        await t.until('it recovers', () => running.health().ready);
      }
      const { stallDetectMs } = t.features;
      if (net?.stall === undefined || stallDetectMs === undefined || sink === undefined) return;
      await net.stall();
      t.publish(channel, 4, { writer: 'stalled', sink: { confirmTimeoutMs: 0 } });
      await notReady('that nothing moves', stallDetectMs);
      await net.heal?.();
      await t.until('it recovers', () => running.health().ready);
    },
  },
  {
    id: 'OBS-04',
    label: 'R',
    title: 'keeps its connection while a handler keeps the event loop busy, and that is told',
    needs: { realTime: true },
    async run(t) {
      const busyMs = Math.max(BUSY_MS, 0.6 * t.beats(1));
      const channel = t.channel();
      let isBusy = true;
      const running = await t.around(channel, 10, {}, () =>
        run(t.source(channel, { credit: 4 }), {
          next(message) {
            if (isBusy) keepBusy(t, busyMs);
            isBusy = false;
            message.ack();
          },
          error: none,
          complete: none,
        }),
      );
      t.onEnd(() => void running.stop());
      await t.until('all are handled', () => running.health().sources[0]?.counts.acked === 10);
      await t.until('it is told that the loop was kept busy', () =>
        t.events.some((event) => event.type === 'loop.blocked' && event.lateMs > BUSY_MS / 2),
      );
      await t.stays(
        'the connection is kept',
        () => running.health().sources[0]?.counts.reconnects === 0,
        0,
        t.beats(1),
      );
    },
  },
];

/** Long enough to be told. */
const BUSY_MS = 700;

const none = (): void => undefined;

function keepBusy(t: CaseContext, ms: number): void {
  const endMs = t.clock.elapsed() + ms;
  while (t.clock.elapsed() < endMs);
}
