import { isSluiceError } from '../../errors.js';
import { idOf, type CaseConsumer } from '../case-consumer.js';
import type { CaseContext } from '../case-context.js';
import type { CasePublisher } from '../case-publisher.js';
import type { ConformanceCase } from '../conformance-case.js';

const CREDIT = 10;
const UNCONFIRMED = 10;

/** Reconnect and peer loss: nothing confirmed gets lost, and what is gone is noticed. */
export const RECONNECT_CASES: readonly ConformanceCase[] = [
  {
    id: 'REC-01',
    label: 'R',
    title: 'waits for a broker that is absent at the start',
    needs: { flags: ['reconnects'], verbs: ['broker.stop', 'broker.start'] },
    async run(t) {
      await t.bench.broker?.stop?.();
      const channel = t.channel();
      const consumer = t.consume(channel);
      await t.stays('it is not connected', () => !consumer.isUp && consumer.error === undefined, 5_000, 5_000);
      await t.bench.broker?.start?.();
      await t.soon('the source is connected', t.reconnectMaxMs + 1_000, () => consumer.isUp);
      const { walk } = consumer;
      t.same([walk[0], walk[1], walk.at(-1)].join(), 'idle,connecting,connected', 'the first and the last status');
      t.same(walk.filter((status) => status === 'connected').length, 1, 'times it came up');
      const publisher = t.publish(channel, 5);
      await t.until('messages flow', () => consumer.count >= 5 && publisher.isDone);
    },
  },
  {
    id: 'REC-02',
    label: 'R',
    title: 'loses nothing when the broker restarts under load',
    needs: { ack: 'manual', flags: ['reconnects'], verbs: ['sink', 'broker.restart'] },
    async run(t) {
      const load = await underLoad(t, t.volume(10_000), 100);
      for (const share of [1 / 3, 1 / 2]) {
        await load.reached(share);
        await t.bench.broker?.restart?.();
      }
      await load.drained(2);
    },
  },
  {
    id: 'REC-03',
    label: 'R',
    title: 'loses nothing when the broker is killed under load',
    needs: { ack: 'manual', flags: ['reconnects', 'persistent'], verbs: ['sink', 'broker.kill', 'broker.start'] },
    async run(t) {
      const load = await underLoad(t, t.volume(3_000), 10, true);
      const kills = 3;
      for (let at = 1; at <= kills; at += 1) {
        await load.reached(at / (kills + 1));
        const forgotten = load.forgotten();
        await t.bench.broker?.kill?.();
        forgotten();
        await t.bench.broker?.start?.();
      }
      await load.drained(kills);
    },
  },
  {
    id: 'REC-04',
    label: 'R',
    title: 'loses nothing over resets, orderly ends and refusals at any moment',
    needs: { ack: 'manual', flags: ['reconnects'], verbs: ['sink', 'net.cut', 'net.refuse', 'net.heal'] },
    async run(t) {
      const { net } = t.bench;
      const total = t.volume(2_000);
      const load = await underLoad(t, total, 5);
      const { consumer } = load;
      const cuts = Math.min(60, Math.floor(total / 10));
      for (let at = 1; at <= cuts; at += 1) {
        await load.reached((at - t.random() / 2) / (cuts + 1));
        if (at % 3 === 0) await net?.refuse?.();
        // Somewhere in the middle of what is on its way, where the bench can.
        if (at % 3 === 2 && net?.limit !== undefined) await net.limit(1 + Math.floor(t.random() * 4_000));
        else await net?.cut?.(at % 3 === 1 ? 'fin' : 'rst');
        if (at % 3 === 0) await net?.heal?.();
      }
      await load.drained(cuts);
      const { counts } = consumer.handle ?? {};
      t.holds((counts?.reconnects ?? 0) <= cuts, `${counts?.reconnects} reconnects for ${cuts} cuts`);
      // Each loss is told once, however long it takes to come back, and a loss at the very end has still to come back.
      const isEven = (): boolean => consumer.losses === consumer.handle?.counts.reconnects;
      await t.until('there were as many changes to reconnecting as reconnects', isEven);
      t.holds(consumer.losses > 0, 'the source had to reconnect');
    },
  },
  {
    id: 'REC-06',
    label: 'R',
    title: 'gives up a connection that lives and moves nothing, and sends again what was not confirmed',
    needs: { flags: ['reconnects'], verbs: ['sink', 'net.stall', 'net.heal'] },
    async run(t) {
      t.holds(t.features.confirms !== 'none', 'the connector confirms');
      const channel = t.channel();
      const consumer = t.consume(channel);
      await t.up(consumer);
      await t.bench.net?.stall?.();
      const from = t.events.length;
      const publisher = t.publish(channel, 20, { sink: { confirmTimeoutMs: 500 } });
      const noticed = (): boolean => t.events.slice(from).some((event) => 'reason' in event && isStalled(event.reason));
      await t.until('the stall is noticed', noticed);
      t.same(publisher.confirmed, 0, 'confirmed while nothing moves');
      const { stallDetectMs } = t.features;
      if (stallDetectMs !== undefined) {
        const isReported = (): boolean =>
          t.events.slice(from).some((event) => 'reason' in event && isSluiceError(event.reason, 'STALLED'));
        await t.until('the source notices as well', isReported, stallDetectMs);
        t.same(consumer.count, 0, 'delivered while nothing moves');
      }
      await t.bench.net?.heal?.();
      await t.until('all are confirmed', () => publisher.isDone);
      await t.until('all are delivered', () => consumer.distinct.size >= 20);
      t.same(t.checked().lost.length, 0, 'lost messages');
    },
  },
];

/** What {@link underLoad} gives. */
export interface Load {
  readonly channel: string;
  readonly consumer: CaseConsumer;
  /** Waits until this share of the messages was delivered. */
  reached(share: number): Promise<void>;
  /** Called before the far side is killed; what it returns, after: counts what a late one may have forgotten. */
  forgotten(): () => void;
  /** Waits for the rest and checks that nothing was lost and little came twice. */
  drained(breaks: number): Promise<void>;
}

/** Writers and one reader at work on one channel, which outlives a kill where it is told that the far side will be. */
export async function underLoad(t: CaseContext, total: number, writers: number, kills = false): Promise<Load> {
  const channel = t.channel();
  const { lateSettlementsMs } = t.features;
  const settledMs: number[] = [];
  let forgotten = 0;
  const consumer = t.consume(channel, {
    options: { credit: CREDIT, maxAttempts: 1_000 },
    handler(message, one) {
      one.ack(message);
      if (lateSettlementsMs !== undefined) settledMs.push(t.clock.elapsed());
    },
  });
  await t.up(consumer);
  if (kills && t.bench.broker?.written !== undefined) {
    await t.bench.broker.written();
    await t.up(consumer);
  }
  const each = Math.ceil(total / writers);
  const publishers: CasePublisher[] = Array.from({ length: writers }, (_, at) =>
    t.publish(channel, each, { writer: `w${at}`, sink: { maxUnconfirmed: UNCONFIRMED } }),
  );
  return {
    channel,
    consumer,
    reached: (share) => t.until(`${Math.floor(share * total)} are delivered`, () => consumer.count >= share * total),
    forgotten() {
      const fromMs = t.clock.elapsed() - (lateSettlementsMs ?? 0);
      return () => void (forgotten += settledMs.filter((ms) => ms >= fromMs).length);
    },
    async drained(breaks) {
      await t.until('all are confirmed', () => publishers.every((publisher) => publisher.isDone));
      await t.until('all are delivered', () => consumer.distinct.size >= each * writers);
      await t.stays('nothing else is', () => consumer.distinct.size === each * writers);
      const report = t.checked();
      t.same(report.lost.join(), '', 'lost messages');
      const { overruns = false } = t.bench;
      const bound = breaks * ((overruns ? 0 : CREDIT) + UNCONFIRMED * writers) + forgotten;
      const duplicates = overruns ? sentTwice(consumer) : report.duplicates;
      t.holds(duplicates <= bound, `${duplicates} duplicates, at most ${bound} for ${breaks} breaks`);
    },
  };
}

/** Copies that the far side has not brought before. */
function sentTwice({ messages }: CaseConsumer): number {
  const first = messages.filter(({ attempt }) => attempt === 1);
  return first.length - new Set(first.map(idOf)).size;
}

function isStalled(reason: unknown): boolean {
  return isSluiceError(reason, 'CONFIRM_TIMEOUT') || isSluiceError(reason, 'STALLED');
}
