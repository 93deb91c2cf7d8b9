import { BehaviorSubject } from 'rxjs';
import type { Sink } from '../../connection/flow.js';
import type { SinkHandle } from '../../connection/scope.js';
import { isSluiceError } from '../../errors.js';
import type { SluiceEvent } from '../../observability/events.js';
import { hold } from '../case-context.js';
import type { CaseOffers } from '../case-offers.js';
import type { ConformanceCase } from '../conformance-case.js';

const UNCONFIRMED = 8;

type Bytes = Sink<Uint8Array>;

/** Sinks: what they say of a message is true, whatever happens to it, and what they hold is bounded. */
export const SINK_CASES: readonly ConformanceCase[] = [
  {
    id: 'SNK-01',
    label: 'R',
    title: 'has what it confirmed, even if the far side dies in that moment',
    needs: { flags: ['confirms', 'backlog'], verbs: ['sink'] },
    async run(t) {
      const { broker, net } = t.bench;
      const { persistent = false, confirms } = t.features;
      const channel = t.channel();
      const rounds = t.isVirtual ? 20 : 3;
      if (persistent && broker?.written !== undefined) {
        const first = t.sink(channel);
        const offer = t.offer(channel, 1, first, { writer: 'first' });
        await t.until('the channel is there', () => offer.count('ack') === 1);
        await broker.written();
        first.complete();
      }
      for (let round = 0; round < rounds; round += 1) {
        const sink = t.sink(channel);
        const offers = t.offer(channel, 5, sink, { writer: `r${round}` });
        await t.until('one is confirmed', () => offers.count('ack') >= 1);
        if (persistent && broker?.kill !== undefined) {
          await broker.kill();
          await broker.start?.();
        } else if (confirms !== 'local') await net?.cut?.('rst');
        await t.until('the others are settled', () => offers.isSettled);
        sink.complete();
        for (const { item, outcome } of offers.fates) if (outcome === 'ack') t.history.confirmed(item.id ?? '');
      }
      await t.bench.finish?.(channel);
      const confirmed = t.history.events.filter((event) => event.type === 'confirmed').length;
      t.holds(confirmed >= rounds, 'some were confirmed');
      const reader = t.consume(channel);
      await t.until('all that was confirmed is there', () => reader.distinct.size >= confirmed);
      await t.stays('the far side has time for more', () => true, 1_000);
      t.same(t.checked().lost.join(), '', 'confirmed and lost');
    },
  },
  {
    id: 'SNK-02',
    label: 'R',
    title: 'never calls a message failed that arrives, when its connection breaks before the confirmation',
    needs: { flags: ['reconnects', 'backlog'], verbs: ['sink', 'net.cut'] },
    async run(t) {
      const { net } = t.bench;
      const channel = t.channel();
      const total = t.volume(t.isVirtual ? 400 : 40);
      const rounds = Math.floor(total / 8);
      const all: CaseOffers[] = [];
      const sink = t.sink(channel, { maxUnconfirmed: UNCONFIRMED });
      for (let round = 0; round < rounds; round += 1) {
        if (net?.blackhole !== undefined) await net.blackhole('down');
        else await net?.stall?.();
        all.push(t.offer(channel, 8, sink, { writer: `r${round}` }));
        await t.pass(t.isVirtual ? Math.floor(t.random() * 5) : 2);
        await net?.cut?.(round % 2 === 0 ? 'rst' : 'fin');
        await net?.heal?.();
      }
      await t.until('each message has an end', () => all.every((offers) => offers.isSettled));
      const fates = all.flatMap((offers) => offers.fates);
      const reader = t.consume(channel);
      const acked = fates.filter(({ outcome }) => outcome === 'ack');
      await t.until('all that was confirmed arrives', () =>
        acked.every(({ item }) => reader.distinct.has(item.id ?? '')),
      );
      await t.stays('the far side has time for more', () => true, 1_000);
      const failed = fates.filter(({ outcome }) => outcome === 'dead' || outcome === 'drop');
      const lies = failed.filter(({ item }) => reader.distinct.has(item.id ?? ''));
      t.same(lies.length, 0, 'called failed and delivered all the same');
      t.holds(acked.length >= total - failed.length - UNCONFIRMED * rounds, 'what was in doubt was sent again');
      sink.complete();
    },
  },
  {
    id: 'SNK-03',
    label: 'R',
    title: 'sends no more than its window while nothing is confirmed',
    needs: { flags: ['confirms'], verbs: ['sink', 'net.heal'], anyVerb: ['net.stall', 'net.blackhole'] },
    async run(t) {
      const { net } = t.bench;
      const channel = t.channel();
      if (t.features.backlog !== true) await t.up(t.consume(channel));
      const sink = t.sink(channel, {
        maxUnconfirmed: UNCONFIRMED,
        confirmTimeoutMs: t.isVirtual ? 60_000 : 2_000,
      });
      const first = t.offer(channel, 1, sink, { writer: 'first' });
      await t.until('the way is open', () => first.count('ack') === 1);
      if (net?.stall !== undefined) await net.stall();
      else await net?.blackhole?.('down');
      const offers = t.offer(channel, 10 * UNCONFIRMED, sink);
      const { isFull, seen } = windowOf(sink, UNCONFIRMED, 10 * UNCONFIRMED);
      if (t.features.confirms !== 'local' || net?.stall !== undefined) {
        await t.until('its window is full', isFull);
        // As long as the connection is not given up, which sends the same ones again.
        await t.stays('exactly the window is sent', isFull, Math.min(10_000, t.beats(1)), 0);
        t.same(offers.fates.length, 0, 'settled without a confirmation');
      }
      await net?.heal?.();
      await t.until('all are confirmed', () => offers.count('ack') === offers.total);
      t.holds(seen() <= UNCONFIRMED, `at most ${UNCONFIRMED} were unconfirmed, there were ${seen()}`);
      sink.complete();
    },
  },
  {
    id: 'SNK-04',
    label: 'R',
    title: 'loses nothing and keeps the order while the other end stops reading and goes on',
    needs: { anyOf: ['ordered', 'orderedSingleConsumer', 'orderedPerKey'], not: ['finite'], verbs: ['sink'] },
    async run(t) {
      const total = t.volume(100_000);
      const channel = t.channel();
      const credit = new BehaviorSubject(4);
      const consumer = t.consume(channel, { options: { credit } });
      await t.up(consumer);
      const publisher = t.publish(channel, total, { bytes: 512, key: () => 'one' });
      for (let stop = 1; stop <= 5; stop += 1) {
        await t.until('it goes on', () => consumer.count >= (stop * total) / 6);
        credit.next(0);
        await t.stays('the reader pauses', () => true, 50, 10);
        credit.next(64);
      }
      await t.until('all are delivered', () => consumer.count >= total);
      await t.until('all are confirmed', () => publisher.isDone);
      const report = t.checked();
      const { lost, duplicates, disordered } = report;
      const found = `${lost.length} lost, ${duplicates} twice, ${disordered.length} out of order`;
      t.same(found, '0 lost, 0 twice, 0 out of order', 'messages');
    },
  },
  {
    id: 'SNK-05',
    label: 'R',
    title: 'settles every message when it is closed in the middle of them, and has what it confirmed',
    needs: { flags: ['confirms', 'backlog'], verbs: ['sink'] },
    async run(t) {
      const total = t.volume(10_000);
      const channel = t.channel();
      const sink = t.sink(channel, { maxUnconfirmed: UNCONFIRMED });
      const offers = t.offer(channel, total / 2, sink);
      await t.until('it is at work', () => offers.count('ack') >= total / 4);
      sink.complete();
      const late = t.offer(channel, total / 2, sink, { writer: 'late' });
      await t.until('every message has an end', () => offers.isSettled && late.isSettled);
      await t.settled('it is closed', sink.closed);
      const confirmed = [...offers.fates, ...late.fates].filter(({ outcome }) => outcome === 'ack');
      t.holds(confirmed.length >= total / 4, 'some were confirmed');
      t.same(late.count('ack'), 0, 'taken after its end');
      await t.bench.finish?.(channel);
      const reader = t.consume(channel);
      await t.until('what was confirmed is there', () => reader.distinct.size >= confirmed.length);
      await t.stays('and nothing else', () => reader.count === confirmed.length, 1_000);
      t.holds(
        confirmed.every(({ item }) => reader.distinct.has(item.id ?? '')),
        'it is the same messages',
      );
    },
  },
  {
    id: 'SNK-06',
    label: 'O',
    title: 'says that nobody takes a message, instead of confirming it',
    needs: { flags: ['routingReport'], verbs: ['sink', 'unbound'] },
    async run(t) {
      const channel = t.bench.unbound?.() ?? '';
      const sink = t.sink(channel);
      const offers = t.offer(channel, 3, sink);
      await t.until('all are settled', () => offers.isSettled);
      t.same(offers.count('dead'), 3, 'messages given up');
      t.holds(
        offers.fates.every(({ reason }) => isSluiceError(reason, 'UNROUTABLE')),
        'the reason is UNROUTABLE',
      );
      sink.complete();
    },
  },
  {
    id: 'SNK-07',
    label: 'R',
    title: 'waits, or hands back, while the far side has no room, and goes on when it has',
    needs: { flags: ['backlog'], verbs: ['sink', 'store.fill', 'store.free'] },
    async run(t) {
      const channel = t.channel();
      await t.published(channel, 1, { writer: 'first' });
      await t.bench.store?.fill?.(channel);
      const from = t.events.length;
      const publisher = t.publish(channel, 50, { sink: { maxUnconfirmed: UNCONFIRMED } });
      const refused = (): boolean =>
        t.events
          .slice(from)
          .some(
            (event) =>
              (event.type === 'status.changed' && event.to === 'degraded') ||
              event.type === 'connect.failed' ||
              (event.type === 'message.nacked' && event.then === 'requeue'),
          );
      await t.until('it says that there is no room', refused);
      await t.stays('nothing is confirmed', () => publisher.confirmed === 0, 15_000);
      t.same(publisher.refused.length, 0, 'given up although room may come');
      await t.bench.store?.free?.(channel);
      await t.until('all are confirmed', () => publisher.isDone);
      await t.bench.finish?.(channel);
      const reader = t.consume(channel);
      await t.until('all are there', () => reader.distinct.size >= 51);
      t.same(t.checked().lost.join(), '', 'lost messages');
    },
  },
  {
    id: 'SNK-08',
    label: 'R',
    title: 'refuses a message that is too large before it is sent, and keeps its connection',
    needs: { flags: ['maxMessageBytes'], verbs: ['sink'] },
    async run(t) {
      const { maxMessageBytes = 0 } = t.features;
      const channel = t.channel();
      const reader = t.features.backlog === true ? undefined : t.consume(channel);
      if (reader !== undefined) await t.up(reader);
      const sink = t.sink(channel);
      const before = t.offer(channel, 1, sink, { writer: 'before' });
      await t.until('one is confirmed', () => before.count('ack') === 1);
      const opened = await t.bench.peek?.opened?.();
      const large = t.offer(channel, 1, sink, { writer: 'large', bytes: maxMessageBytes + 1 });
      await t.until('the large one is settled', () => large.isSettled);
      t.holds(isSluiceError(large.fates[0]?.reason, 'PAYLOAD_TOO_LARGE'), 'it is refused as too large');
      t.same(large.fates[0]?.outcome, 'dead', 'what becomes of it');
      const after = t.offer(channel, 1, sink, { writer: 'after' });
      await t.until('the next one is confirmed', () => after.count('ack') === 1);
      t.same(await t.bench.peek?.opened?.(), opened, 'connections opened for it');
      sink.complete();
      await t.bench.finish?.(channel);
      const heard = reader ?? t.consume(channel);
      await t.until('both others arrive', () => heard.count >= 2);
      await t.stays('the large one does not', () => heard.count === 2, 1_000);
    },
  },
  {
    id: 'SNK-09',
    label: 'R',
    title: 'flushes and closes on complete and on error, and takes nothing after it',
    needs: { verbs: ['sink'] },
    async run(t) {
      for (const end of ['complete', 'error'] as const) {
        const channel = t.channel();
        const reader = t.features.backlog === true ? undefined : t.consume(channel, { handler: hold });
        if (reader !== undefined) await t.up(reader);
        const sink = t.sink(channel);
        const offers = t.offer(channel, 50, sink, { writer: `until-${end}` });
        await t.until('they are with the sink', () => offers.count('ack') > 0);
        if (end === 'complete') sink.complete();
        else sink.error(new Error('upstream failed'));
        await t.settled('it closes', sink.closed);
        await t.until('each has an end', () => offers.isSettled);
        t.same(offers.count('ack'), 50, `confirmed before it closed on ${end}`);
        const from = t.events.length;
        const late = t.offer(channel, 3, sink, { writer: `after-${end}` });
        const told = (): SluiceEvent[] => t.events.slice(from).filter((event) => event.type === 'stage.failed');
        await t.until('it says that it was closed', () => told().length > 0);
        // Some of them wait for a while, so that nothing comes round and round.
        if (t.isVirtual) await t.until('late ones are handed back', () => late.count('release') === 3);
        t.same(told().length, 1, 'reports of it');
        const [report] = told();
        t.holds(report?.type === 'stage.failed' && isSluiceError(report.reason, 'SINK_CLOSED'), 'with the reason');
        t.same(late.count('ack'), 0, 'late ones that were taken');
        await t.bench.finish?.(channel);
        const heard = reader ?? t.consume(channel, { options: { credit: 100 }, handler: hold });
        await t.until(
          'those before it arrive',
          () => heard.count >= Math.min(50, t.features.backlog === true ? 50 : 1),
        );
        await t.stays('late ones do not', () => !heard.ids.some((id) => id.includes('after')), 1_000);
      }
    },
  },
];

/** What a sink says of its window, and the most that was ever in it. */
function windowOf(sink: Bytes, window: number, offered: number): { isFull: () => boolean; seen: () => number } {
  const handle = sink as Partial<SinkHandle>;
  let most = 0;
  const look = (): number => {
    most = Math.max(most, handle.unconfirmed ?? window);
    return handle.unconfirmed ?? window;
  };
  return {
    isFull: () => look() === window && (handle.queued ?? offered - window) === offered - window,
    seen: () => {
      look();
      return most;
    },
  };
}
