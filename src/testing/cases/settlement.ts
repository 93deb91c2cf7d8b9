import { BehaviorSubject } from 'rxjs';
import type { Stage } from '../../connection/flow.js';
import { isSluiceError, type SluiceError } from '../../errors.js';
import type { Message } from '../../message/message.js';
import type { SluiceEvent } from '../../observability/events.js';
import { each } from '../../operators/each.js';
import { payload } from '../../operators/payload.js';
import { tapMessage } from '../../operators/tap-message.js';
import { run } from '../../runtime/run.js';
import { idOf } from '../case-consumer.js';
import { hold, type CaseContext } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';

type Bytes = Message<Uint8Array>;

/** Settlement: each message once, by whoever holds it, and never to a connection that is gone. */
export const SETTLEMENT_CASES: readonly ConformanceCase[] = [
  {
    id: 'ACK-01',
    label: 'R',
    title: 'does not deliver again what was acked',
    needs: { ack: 'manual', flags: ['backlog'] },
    async run(t) {
      const { channel, consumer } = await t.start(100);
      await t.until('all are acked', () => consumer.count >= 100);
      consumer.unsubscribe();
      // Only then has it passed on what was acked: how long that takes is not for a case to guess.
      await t.until('the source is closed', () => consumer.isClosed);
      await t.stays('the far side has time to hear of it', () => true, 1_000);
      const next = t.consume(channel);
      await t.up(next);
      await t.stays('nothing is delivered again', () => next.count === 0);
      t.same(t.checked().lost.length, 0, 'lost messages');
    },
  },
  {
    id: 'ACK-02',
    label: 'R',
    title: 'delivers again what was requeued, and only that',
    needs: { flags: ['nackRequeue'] },
    async run(t) {
      const refused = new Set(['run.w.10', 'run.w.60']);
      const { consumer } = await t.start(100, {
        handler(message, self) {
          if (refused.has(idOf(message)) && self.ids.filter((id) => id === idOf(message)).length === 1)
            self.nack(message);
          else self.ack(message);
        },
      });
      await t.until('the two come again', () => consumer.count >= 102);
      await t.stays('no other does', () => consumer.count === 102);
      const again = consumer.messages.filter((message) => refused.has(idOf(message)));
      if (t.features.deliveryCount === true) {
        t.same(
          again
            .map((message) => message.attempt)
            .sort()
            .join(),
          '1,1,2,2',
          'attempts of the two',
        );
      }
      const report = t.checked();
      t.same(report.lost.length, 0, 'lost messages');
      t.same(report.duplicates, 0, 'duplicates');
    },
  },
  {
    id: 'ACK-03',
    label: 'R',
    title: 'takes a late settlement as a counted no-op that never throws',
    async run(t) {
      const { consumer } = await t.start(4, { options: { credit: 4, closeTimeoutMs: 20 }, handler: hold });
      await t.until('four are delivered', () => consumer.count >= 4);
      const [a, b, c, d] = consumer.messages as [Bytes, Bytes, Bytes, Bytes];
      const late = t.events.length;
      t.same([a.ack(), a.ack(), a.nack(new Error('no'))].join(), 'true,false,false', 'ack, ack, nack of one');
      t.same([b.nack(new Error('no'), 'drop'), b.ack()].join(), 'true,false', 'nack and ack of one');
      consumer.unsubscribe();
      t.same(c.ack(), true, 'an ack in time after the unsubscribe');
      await t.until('the rest is taken back', () => d.signal.aborted);
      t.same([c.ack(), d.ack(), d.nack(new Error('no'))].join(), 'false,false,false', 'settlements after the close');
      const counted = t.events.slice(late).filter((event) => event.type === 'message.late').length;
      t.same(counted, 6, 'reports of late settlements');
      t.same(consumer.handle?.counts.late ?? 6, 6, 'late settlements as the source counts them');

      const credit = new BehaviorSubject(2);
      const failed = (await t.start(2, { options: { credit }, handler: hold })).consumer;
      await t.until('two are delivered', () => failed.count >= 2);
      const [e, f] = failed.messages as [Bytes, Bytes];
      const afterFailure = t.events.length;
      t.same(failed.ack(e), true, 'an ack before the failure');
      credit.error(new Error('nobody gives credit any more'));
      await t.until('the flow fails', () => failed.error !== undefined);
      t.same([e.ack(), f.ack(), f.nack(new Error('no'))].join(), 'false,false,false', 'settlements after the failure');
      t.holds(isSluiceError(f.signal.reason, 'SETTLE_LOST') || f.signal.aborted, 'its signal has ended');
      const reported = t.events.slice(afterFailure).filter((event) => event.type === 'message.late').length;
      t.same(reported, 3, 'reports of late settlements after the failure');
    },
  },
  {
    id: 'ACK-04',
    label: 'R',
    title: 'sends nothing for messages from before a reconnect',
    needs: { ack: 'manual', flags: ['reconnects', 'backlog'], verbs: ['net.cut'] },
    async run(t) {
      const { channel, consumer } = await t.start(3, { options: { credit: 3, closeTimeoutMs: 0 }, handler: hold });
      await t.until('three are delivered', () => consumer.count >= 3);
      await t.bench.net?.cut?.('rst');
      await t.until('they are delivered again', () => consumer.count >= 6);
      for (const message of consumer.messages.slice(0, 3)) {
        t.same(message.ack(), false, 'an ack of what was delivered before');
        t.same(message.signal.aborted, true, 'its signal');
        t.holds(isSluiceError(message.signal.reason, 'SETTLE_LOST'), 'its signal says why');
      }
      await t.stays('nothing is settled by it', () => consumer.count === 6);
      consumer.unsubscribe();
      const next = t.consume(channel);
      await t.until('all three come to the next subscriber', () => next.count >= 3);
      t.same(t.checked().lost.length, 0, 'lost messages');
    },
  },
  {
    id: 'ACK-05',
    label: 'R',
    title: 'keeps what is unsettled when others around it are settled in any order and the client ends',
    needs: { ack: 'manual', flags: ['backlog'] },
    async run(t) {
      const total = 100;
      const { channel, consumer } = await t.start(total, {
        options: { credit: total, closeTimeoutMs: 0 },
        handler: hold,
      });
      await t.until('all are delivered', () => consumer.count >= total);
      const settled = anyOf(t, total).map((at) => consumer.messages[at] as Bytes);
      for (const message of settled) consumer.ack(message);
      await t.stays('the far side has time to hear of it', () => true, 1_000);
      const kept = new Set(consumer.ids);
      for (const message of settled) kept.delete(idOf(message));
      consumer.unsubscribe();
      const next = t.consume(channel);
      await t.until(`${kept.size} unsettled ones come again`, () => [...kept].every((id) => next.distinct.has(id)));
      if (t.features.cumulativeAck !== true) {
        await t.stays('no settled one does', () => next.ids.every((id) => kept.has(id)));
      }
      t.same(t.checked().lost.length, 0, 'lost messages');

      if (t.bench.proc?.crash === undefined) return;
      const other = t.channel();
      await t.published(other, total, { writer: 'crash' });
      const deliveries = 2 + Math.floor(t.random() * (total - 2));
      const crash = t.bench.proc.crash(other, { credit: total, deliveries, settles: anyOf(t, deliveries) });
      const acked = new Set((await t.settled('the client dies', crash)).map((payload) => idOf({ payload })));
      await t.bench.finish?.(other);
      const heir = t.consume(other);
      await t.until('all it had not acked come', () => new Set([...acked, ...heir.ids]).size >= total);
    },
  },
  {
    id: 'ACK-06',
    label: 'R',
    title: 'nacks the message of code that throws or rejects, says so once, and goes on',
    async run(t) {
      const isBad = (bytes: Uint8Array): boolean => bytes.at(-1) === 51;
      const broken = (bytes: Uint8Array): Uint8Array => {
        if (isBad(bytes)) throw new Error('broken');
        return bytes;
      };
      const rejects = async (bytes: Uint8Array): Promise<Uint8Array> => broken(bytes);
      const stages: Record<string, Stage<Uint8Array, Uint8Array>> = {
        'a mapper': payload(broken),
        'a middleware': tapMessage(({ payload: bytes }) => void broken(bytes)),
        'a handler that throws': each(broken, { onError: 'dead' }),
        'a handler that rejects': each(rejects, { onError: 'dead' }),
      };
      for (const [name, stage] of Object.entries(stages)) {
        const from = t.events.length;
        const writer = name.replaceAll(' ', '-');
        const { consumer } = await t.start(10, { writer, stage, options: { maxAttempts: 1 } });
        await t.until(`the others pass ${name}`, () => consumer.count >= 9);
        await t.until('the nack is reported', () => nacksSince(t, from).length >= 1);
        await t.stays('once', () => nacksSince(t, from).length === 1 && consumer.count === 9);
        t.same(consumer.error, undefined, 'the error of the flow');
        const [nack] = nacksSince(t, from);
        t.holds(isSluiceError(nack?.reason), 'the nack says what happened');
        t.same(nack?.then, 'dead', 'the strategy');
        const { acked, dead } = consumer.handle?.counts ?? { acked: 9, dead: 1 };
        t.same(`${acked} acked, ${dead} dead`, '9 acked, 1 dead', `counts with ${name}`);
        consumer.unsubscribe();
      }

      const channel = t.channel();
      const from = t.events.length;
      const sunk: string[] = [];
      const running = await t.around(channel, 3, { writer: 'second' }, () =>
        run(t.source(channel, { maxAttempts: 1 }), {
          next(message) {
            if (sunk.push(idOf(message)) === 2) throw new Error('broken');
            message.ack();
          },
          error: () => undefined,
          complete: () => undefined,
        }),
      );
      t.onEnd(() => void running.stop());
      await t.until('a sink that throws gets the next one', () => sunk.length >= 3);
      t.same(nacksSince(t, from).length, 1, 'nacks of the sink');
    },
  },
  {
    id: 'ACK-07',
    label: 'O',
    title: 'bears many nacks without losing a message or delivering in a hot loop',
    needs: { ack: 'manual', flags: ['nackRequeue', 'backlog'] },
    async run(t) {
      const { nackDelay = 0 } = t.features;
      t.holds(nackDelay > 0, 'the connector says how long a requeued message stays away (nackDelay)');
      const options = { maxAttempts: 1_000, credit: 10, closeTimeoutMs: 0 };
      const { channel, consumer } = await t.start(50, { options, handler: hold });
      consumer.unsubscribe();
      let tooSoon = 0;
      for (let turn = 0; turn < 3; turn += 1) {
        // By subscriber: what one of them gives back unsettled is there for the next at once.
        const lastMs = new Map<string, number>();
        let nacks = 0;
        const refusing = t.consume(channel, {
          options,
          handler(message, self) {
            const beforeMs = lastMs.get(idOf(message));
            // A timer of the host may be a millisecond early.
            const nowMs = t.clock.elapsed();
            if (beforeMs !== undefined && nowMs - beforeMs < nackDelay - 1) tooSoon += 1;
            if (nacks >= 100) return;
            nacks += 1;
            lastMs.set(idOf(message), nowMs);
            self.nack(message);
          },
        });
        await t.until('a hundred are refused', () => nacks >= 100);
        refusing.unsubscribe();
      }
      const good = t.consume(channel, { options });
      await t.until('all are consumed in the end', () => good.distinct.size >= 50);
      t.same(tooSoon, 0, 'redeliveries sooner than nackDelay');
      t.same(t.checked().lost.length, 0, 'lost messages');
    },
  },
  {
    id: 'ACK-11',
    label: 'R',
    title: 'aborts the signal of a message once, when it ends in whatever way',
    async run(t) {
      const options = { credit: 3, closeTimeoutMs: 20, maxAttempts: 1 };
      const { consumer } = await t.start(3, { options, handler: hold });
      await t.until('three are delivered', () => consumer.count >= 3);
      const aborts = consumer.messages.map((message) => {
        let times = 0;
        message.signal.addEventListener('abort', () => (times += 1));
        return () => times;
      });
      const [acked, nacked, open] = consumer.messages as [Bytes, Bytes, Bytes];
      t.same(
        consumer.messages.some((message) => message.signal.aborted),
        false,
        'aborted while open',
      );
      acked.ack();
      nacked.nack(new Error('no'), 'drop');
      acked.ack();
      consumer.unsubscribe();
      t.same(open.signal.aborted, false, 'aborted by the unsubscribe already');
      await t.until('the open one is taken back', () => open.signal.aborted);
      t.same(aborts.map((times) => times()).join(), '1,1,1', 'aborts');
      const codes = consumer.messages.map((message) => (message.signal.reason as SluiceError).code);
      t.same(codes.join(), 'MESSAGE_SETTLED,MESSAGE_SETTLED,SETTLE_LOST', 'reasons');

      if (t.bench.net?.cut === undefined || t.features.ack !== 'manual' || t.features.reconnects !== true) return;
      const lost = (await t.start(1, { handler: hold })).consumer;
      await t.until('one is delivered', () => lost.count >= 1);
      const { signal } = lost.messages[0] as Bytes;
      let times = 0;
      signal.addEventListener('abort', () => (times += 1));
      await t.bench.net.cut('rst');
      await t.until('it is taken back with its connection', () => signal.aborted);
      t.same((signal.reason as SluiceError).code, 'SETTLE_LOST', 'the reason');
      await t.until('it comes again', () => lost.count >= 2);
      lost.ackOpen();
      t.same(times, 1, 'aborts of the one that was lost');
    },
  },
  {
    id: 'ACK-12',
    label: 'R',
    title: 'never commits past an unsettled message',
    needs: { ack: 'manual', verbs: ['peek.committed'] },
    async run(t) {
      const { channel, consumer } = await t.start(20, {
        options: { credit: 20, settleWithinMs: t.isVirtual ? 1_000 : 200 },
        handler: hold,
      });
      await t.until('all are delivered', () => consumer.count >= 20);
      const start = (await t.bench.peek?.committed?.(channel)) ?? 0;
      const held = 7;
      for (const [at, message] of consumer.messages.entries()) if (at !== held) consumer.ack(message);
      await t.stays('the far side has time to hear of it', () => true, 5_000);
      const committed = (await t.bench.peek?.committed?.(channel)) ?? 0;
      t.holds(committed <= start + held, `committed ${committed - start} with number ${held} unsettled`);
      await t.until('the message that holds it is reported', () =>
        t.events.some((event) => event.type === 'message.overdue'),
      );
      if (t.isVirtual) await healthIsDegraded(t);
      consumer.ackOpen();
      await t.answers(
        'it commits the rest',
        async () => ((await t.bench.peek?.committed?.(channel)) ?? 0) >= start + 20,
      );
    },
  },
];

/** Some of the numbers below `count`, at least one and never all, in any order. */
function anyOf(t: CaseContext, count: number): number[] {
  const numbers = Array.from({ length: count }, (_, at) => at);
  for (let at = count - 1; at > 0; at -= 1) {
    const other = Math.floor(t.random() * (at + 1));
    [numbers[at], numbers[other]] = [numbers[other] as number, numbers[at] as number];
  }
  return numbers.slice(0, 1 + Math.floor(t.random() * (count - 2)));
}

function nacksSince(t: CaseContext, from: number): Extract<SluiceEvent, { type: 'message.nacked' }>[] {
  return t.events.slice(from).filter((event) => event.type === 'message.nacked');
}

/** A message that is held for longer than health bears. */
async function healthIsDegraded(t: CaseContext): Promise<void> {
  const held: Bytes[] = [];
  const channel = t.channel();
  await t.published(channel, 1);
  const running = run(t.source(channel), {
    next: (message) => void held.push(message),
    error: () => undefined,
    complete: () => undefined,
  });
  t.onEnd(() => void running.stop());
  await t.until('it is delivered', () => held.length === 1);
  t.same(running.health().reasons.join(), '', 'what health says at first');
  await t.until('health turns', () => !running.health().ready, 60_000);
  t.holds(running.health().reasons.join().includes('unsettled'), 'health says what it is');
  held[0]?.ack();
  await t.until('it recovers', () => running.health().ready);
}
