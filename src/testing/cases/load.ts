import { isSluiceError } from '../../errors.js';
import type { Message } from '../../message/message.js';
import { batch } from '../../operators/batch.js';
import { hold, type CaseContext } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';

const CREDIT = 8;
/** Who gets nothing through for so long waits. */
const STUCK_MS = 250;
/** Signs of life go on, and say nothing. */
const SIGN_BYTES = 1_024;

/** Load: who is slow makes the others wait, and nobody waits for ever. */
export const LOAD_CASES: readonly ConformanceCase[] = [
  {
    id: 'CRD-10',
    label: 'R',
    title: 'makes a fast producer wait for a slow consumer',
    needs: { verbs: ['sink'] },
    async run(t) {
      const { backlog = false, finite = false } = t.features;
      // What nobody keeps is on its way: there has to be more of it than the network takes.
      const bytes = backlog ? 0 : 256 * 1024;
      const total = t.volume(t.isVirtual ? 6_000 : 200);
      const channel = t.channel();
      if (finite) {
        await t.published(channel, total);
        await t.bench.finish?.(channel);
      }
      const slow = slowConsumer(t, channel);
      await t.up(slow.consumer);
      if (!finite) await isTold(t, channel, total, bytes, slow);
      await t.until('the consumer is through', () => slow.done() === total, total * 100);
      t.holds(slow.most() <= CREDIT, `at most ${CREDIT} wait in the process, there were ${slow.most()}`);
      const most = CREDIT * Math.max(bytes, 100);
      t.holds(slow.mostBytes() <= most, `at most ${most} bytes wait, there were ${slow.mostBytes()}`);
      t.same(slow.consumer.losses, 0, 'connections lost meanwhile');
      const report = t.checked();
      t.same(`${report.lost.length} lost, ${report.duplicates} twice`, '0 lost, 0 twice', 'messages');
    },
  },
  {
    id: 'CRD-12',
    label: 'R',
    title: 'does not stall in a loop of two channels with a credit of 1 each, and tells of one that must',
    needs: { not: ['finite'], verbs: ['sink'] },
    async run(t) {
      const trips = Math.max(1, Math.floor(t.volume(10_000) / 2));
      const [there, back] = [t.channel('there'), t.channel('back')];
      const toThere = t.sink(there, { maxUnconfirmed: 1 });
      const toBack = t.sink(back, { maxUnconfirmed: 1 });
      let round = 0;
      const pass = (sink: typeof toThere) => (message: Message<Uint8Array>) => sink.next(message);
      const out = t.consume(there, { options: { credit: 1 }, record: false, handler: pass(toBack) });
      const home = t.consume(back, {
        options: { credit: 1 },
        record: false,
        handler(message) {
          round += 1;
          if (round < trips) toThere.next(message);
          else message.ack();
        },
      });
      await t.up(out);
      await t.up(home);
      t.publish(there, 1);
      await t.until(`${trips} round trips are made`, () => round >= trips);
      toThere.complete();
      toBack.complete();

      let refusal: unknown;
      try {
        void t.source(there, { credit: 1 }).pipe(batch({ size: 2, maxWaitMs: 1_000 }));
      } catch (error) {
        refusal = error;
      }
      t.holds(isSluiceError(refusal, 'CONFIG_INVALID'), 'a batch of two is refused for a credit of one');
      // Each message waits for the one behind it, which the credit does not let come.
      const { consumer } = await t.start(2, { options: { credit: 1, settleWithinMs: 500 }, handler: hold });
      await t.until('the first is delivered', () => consumer.count === 1);
      await t.soon('the message that holds it is told', 2_000, () =>
        t.events.some((event) => event.type === 'message.overdue'),
      );
      t.same(consumer.count, 1, 'deliveries meanwhile');
    },
  },
];

/** What the producer is made to feel while the consumer is far behind. */
async function isTold(t: CaseContext, channel: string, total: number, bytes: number, slow: Slow): Promise<void> {
  const passed = async (): Promise<number> => (await t.bench.peek?.passed?.(channel)) ?? 0;
  const before = await passed();
  const publisher = t.publish(channel, total, { bytes, sink: { maxUnconfirmed: CREDIT } });
  await t.until('the consumer began', () => slow.done() >= total / 20);
  if (t.features.backlog !== true && t.bench.peek?.passed !== undefined) {
    // However much the whole way takes, its last part takes less than all of it while nobody reads there.
    slow.stop();
    let [sent, now] = [-Infinity, 0];
    while (now > sent + SIGN_BYTES) {
      sent = now;
      await t.pass(STUCK_MS);
      now = (await passed()) - before;
    }
    t.holds(sent < total * bytes, `the far side waits as well, it has sent ${sent} of ${total * bytes} bytes`);
    slow.goOn();
  } else if (t.features.backlog !== true) {
    t.holds(publisher.confirmed < total, `the producer waits as well, it has sent ${publisher.confirmed} of ${total}`);
  } else if (t.bench.store?.fill !== undefined) {
    await t.published(channel, 1);
    await t.bench.store.fill(channel);
    const late = t.publish(channel, 20, { writer: 'late' });
    await t.stays('nothing is confirmed without room', () => late.confirmed === 0, 1_000);
    await t.bench.store.free?.(channel);
    await t.until('it is with room', () => late.isDone);
    await t.until('the late ones are consumed', () => slow.done() >= 21);
    slow.forget(21);
  }
  await t.until('the producer is through', () => publisher.isDone, total * 100);
}

interface Slow {
  readonly consumer: ReturnType<CaseContext['consume']>;
  readonly done: () => number;
  readonly most: () => number;
  readonly mostBytes: () => number;
  /** Begins with no other message until it may go on. */
  readonly stop: () => void;
  readonly goOn: () => void;
  /** So many did not count. */
  readonly forget: (count: number) => void;
}

/** Works on one message at a time, for some milliseconds. */
function slowConsumer(t: CaseContext, channel: string): Slow {
  let [busy, stopped, at, extra, most, mostBytes] = [false, false, 0, 0, 0, 0];
  const work = (): void => {
    const next = stopped ? undefined : consumer.messages[at];
    busy = next !== undefined;
    if (next === undefined) return;
    t.clock.timer(t.isVirtual ? 10 : 5, () => {
      at += 1;
      consumer.ack(next);
      work();
    });
  };
  const consumer = t.consume(channel, {
    options: { credit: CREDIT },
    handler() {
      most = Math.max(most, consumer.handle?.unsettled ?? 0);
      mostBytes = Math.max(mostBytes, consumer.handle?.unsettledBytes ?? 0);
      if (!busy) work();
    },
  });
  return {
    consumer,
    done: () => at - extra,
    most: () => most,
    mostBytes: () => mostBytes,
    stop: () => void (stopped = true),
    goOn() {
      stopped = false;
      if (!busy) work();
    },
    forget: (count) => void (extra += count),
  };
}
