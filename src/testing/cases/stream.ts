import { BehaviorSubject } from 'rxjs';
import { backoff } from '../../connection/backoff.js';
import { isSluiceError } from '../../errors.js';
import { hold, type CaseContext, type Started } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';

/** The stream protocol: when signals come, and when none does. */
export const STREAM_CASES: readonly ConformanceCase[] = [
  {
    id: 'SRC-01',
    label: 'R',
    title: 'stays cold until it is subscribed',
    needs: { verbs: ['peek.opened'] },
    async run(t) {
      const channel = t.channel();
      const before = await t.bench.peek?.opened?.();
      const timers = t.pendingTimers;
      const flow = t.source(channel);
      if (t.bench.sink !== undefined) t.sink(channel);
      await t.stays('no timer was set', () => t.pendingTimers <= timers, 60_000, t.beats(2));
      t.same(await t.bench.peek?.opened?.(), before, 'connections opened without a subscriber');
      const consumer = t.listen(flow);
      await t.up(consumer);
      // The far side of a proxy hears of a connection after the client has it.
      await t.answers('a subscriber opens it', async () => ((await t.bench.peek?.opened?.()) ?? 0) > (before ?? 0));
    },
  },
  {
    id: 'SRC-02',
    label: 'R',
    title: 'calls next serially, also when it acks inside',
    async run(t) {
      const count = t.volume(10_000);
      const { consumer } = await t.start(count);
      await t.until(`${count} messages are delivered`, () => consumer.count >= count);
      t.same(consumer.depth, 1, 'nesting of next');
    },
  },
  {
    id: 'SRC-03',
    label: 'R',
    title: 'says nothing after its end, whether it completed or failed, while the far side goes on',
    async run(t) {
      const { channel, consumer } = await t.start(3);
      await t.until('what there was is delivered', () => consumer.count >= 3);
      if (t.features.finite !== true) consumer.drain();
      t.holds(
        t.features.finite === true || consumer.handle !== undefined,
        'the source makes itself known to the runtime',
      );
      await t.until('the flow completes', () => consumer.completed === 1);
      const seen = consumer.count;
      t.publish(channel, 5, { writer: 'later' });
      await t.stays('nothing is delivered after the end', () => consumer.count === seen && consumer.completed === 1);

      const credit = new BehaviorSubject(2);
      const failed = await t.start(4, { options: { credit }, handler: hold });
      await t.until('two are delivered', () => failed.consumer.count >= 2);
      credit.error(new Error('nobody gives credit any more'));
      await saysNothingMore(t, failed);
      if (t.bench.net?.cut === undefined) return;
      const lost = await t.start(2, { options: { reconnect: backoff({ tries: 1 }) }, handler: hold });
      await t.until('they are delivered', () => lost.consumer.count >= 2);
      await t.bench.net.cut('rst');
      await saysNothingMore(t, lost);
    },
  },
  {
    id: 'SRC-04',
    label: 'O',
    title: 'completes once, after the last message was settled, also while its credit is 0',
    needs: { flags: ['finite'] },
    async run(t) {
      const total = 20;
      const { consumer } = await t.start(total, { options: { credit: 4 }, handler: hold });
      for (;;) {
        await t.until('more is delivered', () => consumer.openNow() > 0);
        t.same(consumer.completed, 0, 'completions while something is unsettled');
        if (consumer.count >= total) break;
        consumer.ackOpen();
      }
      const last = consumer.messages.at(-1);
      await t.stays('it does not complete before the last settlement', () => consumer.completed === 0);
      consumer.ackOpen();
      await t.until('it completes', () => consumer.completed === 1);
      t.same(consumer.count, total, 'deliveries');
      t.same(last?.ack(), false, 'a settlement after the end');
      const credit = new BehaviorSubject(total);
      const paused = (await t.start(total, { options: { credit }, handler: hold })).consumer;
      await t.until('all are delivered', () => paused.count >= total);
      credit.next(0);
      paused.ackOpen();
      await t.until('it completes with a credit of 0', () => paused.completed === 1);
    },
  },
  {
    id: 'SRC-05',
    label: 'R',
    title: 'refuses bad options when it is made, and never throws on subscribe',
    async run(t) {
      const channel = t.channel();
      for (const bad of [{ maxAttempts: 0 }, { closeTimeoutMs: -1 }, { settleWithinMs: NaN }, { creditBytes: 0.5 }]) {
        refusedByName(t, bad, () => t.source(channel, bad));
      }
      for (const bad of [{ maxUnconfirmed: 0 }, { confirmTimeoutMs: -1 }, { closeTimeoutMs: NaN }]) {
        if (t.bench.sink !== undefined) refusedByName(t, bad, () => t.sink(channel, bad));
      }
      if (t.bench.net?.refuse !== undefined) {
        await t.bench.net.refuse();
        const consumer = t.consume(channel);
        await t.until(
          'it says that it cannot connect',
          () => consumer.error !== undefined || isTrying(consumer.handle?.status),
        );
        await t.bench.net.heal?.();
        if (consumer.error === undefined) await t.up(consumer);
        consumer.unsubscribe();
        await t.until('it is closed', () => consumer.isClosed);
      }
      if (t.bench.auth?.deny === undefined) return;
      const other = t.channel();
      await t.bench.auth.deny();
      const denied = t.consume(other);
      await t.until(
        'it says that it is not let in',
        () => denied.error !== undefined || isTrying(denied.handle?.status),
      );
      await t.bench.auth.grant?.();
    },
  },
  {
    id: 'SRC-06',
    label: 'R',
    title: 'gives a second subscriber all messages or its share, as declared',
    async run(t) {
      const count = 100;
      const channel = t.channel();
      const flow = t.source(channel, { credit: 8 });
      const fill = async (): Promise<void> => {
        await t.published(channel, count);
        await t.bench.finish?.(channel);
      };
      if (t.features.finite === true) await fill();
      const first = t.listen(flow, { options: { credit: 8 } });
      const second = t.listen(flow, { options: { credit: 8 } });
      await t.up(first);
      await t.up(second);
      if (t.features.finite !== true) t.publish(channel, count);
      const expected = t.features.broadcast === true ? 2 * count : count;
      await t.until(`${expected} deliveries`, () => first.count + second.count >= expected);
      await t.stays('there are no more', () => first.count + second.count === expected);
      t.same(new Set([...first.ids, ...second.ids]).size, count, 'different messages');
      if (t.features.broadcast === true) t.same(first.count, count, 'deliveries to the first');
    },
  },
];

/** Brings messages to a flow that has failed, and gives back what it held. */
async function saysNothingMore(t: CaseContext, { channel, consumer }: Started): Promise<void> {
  await t.until('the flow fails', () => consumer.error !== undefined);
  const seen = consumer.count;
  t.publish(channel, 5, { writer: 'later' });
  const ended = (): boolean => consumer.count === seen && consumer.completed === 0;
  await t.stays('nothing is delivered after the failure', ended);
  t.same(
    consumer.messages.some((message) => message.ack()),
    false,
    'settlements that took effect after the failure',
  );
}

function refusedByName(t: CaseContext, bad: object, make: () => unknown): void {
  const [name = ''] = Object.keys(bad);
  let error: unknown;
  try {
    make();
  } catch (thrown) {
    error = thrown;
  }
  t.holds(isSluiceError(error, 'CONFIG_INVALID') && error.message.includes(name), `${name} is refused by name`);
}

function isTrying(status: string | undefined): boolean {
  return status === 'reconnecting' || status === 'connecting' || status === 'degraded';
}
