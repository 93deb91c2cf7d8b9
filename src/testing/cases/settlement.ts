import { isSluiceError, SluiceError } from '../../errors.js';
import type { Message } from '../../message/message.js';
import { fork, join } from '../../message/settlement.js';
import { payload } from '../../operators/payload.js';
import { where } from '../../operators/where.js';
import { route } from '../../router/route.js';
import type { Rule } from '../../router/rule.js';
import { run } from '../../runtime/run.js';
import { idOf } from '../case-consumer.js';
import { ackEach, hold } from '../case-context.js';
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
    title: 'keeps what is unsettled when others around it are settled in any order',
    needs: { ack: 'manual', flags: ['backlog'] },
    async run(t) {
      const total = 100;
      const { channel, consumer } = await t.start(total, {
        options: { credit: total, closeTimeoutMs: 0 },
        handler: hold,
      });
      await t.until('all are delivered', () => consumer.count >= total);
      const shuffled = [...consumer.messages];
      for (let at = shuffled.length - 1; at > 0; at -= 1) {
        const other = Math.floor(t.random() * (at + 1));
        [shuffled[at], shuffled[other]] = [shuffled[other] as Bytes, shuffled[at] as Bytes];
      }
      const settled = shuffled.slice(0, 1 + Math.floor(t.random() * (total - 2)));
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
    },
  },
  {
    id: 'ACK-06',
    label: 'R',
    title: 'nacks the message of code that throws, and goes on',
    async run(t) {
      const broken = (bytes: Uint8Array): Uint8Array => {
        if (bytes.at(-1) === 51) throw new Error('broken');
        return bytes;
      };
      const { consumer } = await t.start(10, { stage: payload(broken) });
      await t.until('the others are delivered', () => consumer.count >= 9);
      t.same(consumer.error, undefined, 'the error of the flow');
      const nacked = t.events.filter((event) => event.type === 'message.nacked');
      t.same(nacked.length, 1, 'nacks');
      t.holds(isSluiceError(nacked[0]?.reason, 'HANDLER_FAILED'), 'the nack says what happened');
      consumer.unsubscribe();

      const channel = t.channel();
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
      const seen = t.events.filter((event) => event.type === 'message.nacked').length;
      t.same(seen, 2, 'nacks with the one of the sink');
    },
  },
  {
    id: 'ACK-07',
    label: 'O',
    title: 'bears many nacks without losing a message or delivering in a hot loop',
    needs: { ack: 'manual', flags: ['nackRequeue', 'backlog'] },
    async run(t) {
      const options = { maxAttempts: 1_000, credit: 10, closeTimeoutMs: 0 };
      const { channel, consumer } = await t.start(50, { options, handler: hold });
      consumer.unsubscribe();
      const lastMs = new Map<string, number>();
      let tooSoon = 0;
      for (let turn = 0; turn < 3; turn += 1) {
        let nacks = 0;
        const refusing = t.consume(channel, {
          options,
          handler(message, self) {
            const beforeMs = lastMs.get(idOf(message));
            const nowMs = t.clock.elapsed();
            if (beforeMs !== undefined && nowMs - beforeMs < (t.features.nackDelay ?? 0)) tooSoon += 1;
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
    id: 'ACK-08',
    label: 'R',
    title: 'keeps the settlement through stages: what is dropped is acked, what is not routed goes as declared',
    async run(t) {
      const { consumer } = await t.start(20, {
        stage: (flow) =>
          flow.pipe(
            payload((bytes) => new Uint8Array(bytes)),
            where((bytes) => (bytes.at(-1) ?? 0) % 2 === 0),
          ),
      });
      await t.until('half are delivered', () => consumer.count >= 10);
      await t.until('all are settled', () => consumer.handle?.unsettled === 0);
      t.same(consumer.handle?.counts.acked, 20, 'acked messages');
      const isEven: Rule<Uint8Array, Uint8Array> = {
        name: 'even',
        when: (message) => (message.payload.at(-1) ?? 0) % 2 === 0,
        to: (flow) => flow,
      };
      for (const otherwise of ['dead', 'drop'] as const) {
        const routed = (await t.start(20, { stage: route([isEven], { otherwise }) })).consumer;
        await t.until('half are routed', () => routed.count >= 10);
        await t.until('all are settled', () => routed.handle?.unsettled === 0);
        const { acked, dead } = routed.handle?.counts ?? {};
        const expected = otherwise === 'dead' ? '10 acked, 10 dead' : '20 acked, 0 dead';
        t.same(`${acked} acked, ${dead} dead`, expected, `counts when what no rule takes is ${otherwise}`);
      }
    },
  },
  {
    id: 'ACK-09',
    label: 'R',
    title: 'acks a message that was split once all its parts are done, and nacks it once when one fails',
    async run(t) {
      const parts: Bytes[][] = [];
      const { consumer } = await t.start(2, {
        options: { maxAttempts: 1 },
        handler: (message) => void parts.push(fork(message, 3)),
      });
      await t.until('both are delivered', () => parts.length >= 2);
      const [good, bad] = parts as [Bytes[], Bytes[]];
      good[0]?.ack();
      good[1]?.ack();
      await t.stays('two of three parts settle nothing', () => consumer.handle?.unsettled === 2);
      good[2]?.ack();
      bad[0]?.ack();
      bad[1]?.nack(new Error('one sink failed'));
      bad[2]?.nack(new Error('and another'));
      await t.until('both are settled', () => consumer.handle?.unsettled === 0);
      const counts = consumer.handle?.counts;
      t.same(`${counts?.acked} acked, ${counts?.dead} dead`, '1 acked, 1 dead', 'counts');
    },
  },
  {
    id: 'ACK-10',
    label: 'R',
    title: 'nacks every message of a batch that failed, and acks none',
    async run(t) {
      const { consumer } = await t.start(20, { options: { credit: 20, maxAttempts: 1 }, handler: hold });
      await t.until('two batches are delivered', () => consumer.count >= 20);
      join(consumer.messages.slice(0, 10)).nack(new Error('the batch failed'), 'dead');
      const counts = consumer.handle?.counts;
      t.same(`${counts?.acked} acked, ${counts?.dead} dead`, '0 acked, 10 dead', 'counts after a nack');
      join(consumer.messages.slice(10)).ack();
      t.same(`${counts?.acked} acked, ${counts?.dead} dead`, '10 acked, 10 dead', 'counts after an ack');
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
    },
  },
  {
    id: 'ACK-12',
    label: 'R',
    title: 'never commits past an unsettled message',
    needs: { ack: 'manual', verbs: ['peek.committed'] },
    async run(t) {
      const { channel, consumer } = await t.start(20, {
        options: { credit: 20, settleWithinMs: 1_000 },
        handler: hold,
      });
      await t.until('all are delivered', () => consumer.count >= 20);
      const start = (await t.bench.peek?.committed?.(channel)) ?? 0;
      const held = 7;
      for (const [at, message] of consumer.messages.entries()) if (at !== held) consumer.ack(message);
      await t.stays('the far side has time to hear of it', () => true, 5_000);
      const committed = (await t.bench.peek?.committed?.(channel)) ?? 0;
      t.holds(committed <= start + held, `committed ${committed - start} with number ${held} unsettled`);
      if (t.harness.clock === 'virtual') {
        await t.until('the message that holds it is reported', () =>
          t.events.some((event) => event.type === 'message.overdue'),
        );
      }
      consumer.ackOpen();
      let now = committed;
      await t.until('it commits the rest', () => {
        void Promise.resolve(t.bench.peek?.committed?.(channel)).then((position) => (now = position ?? 0));
        return now >= start + 20;
      });
    },
  },
  {
    id: 'ACK-13',
    label: 'R',
    title: 'acks at the source only what the sink confirmed, whenever the connection breaks',
    needs: { ack: 'manual', flags: ['reconnects', 'backlog'], verbs: ['sink', 'net.cut'] },
    async run(t) {
      const total = t.volume(500);
      const cuts = Math.min(100, total);
      const [from, to] = [t.channel('from'), t.channel('to')];
      const publisher = t.publish(from, total);
      await t.until('the source has them', () => publisher.isDone);
      await t.bench.finish?.(from);
      const bridge = run(t.source(from, { credit: 10 }), t.sink(to, { maxUnconfirmed: 4 }));
      const reader = t.consume(to, { handler: ackEach });
      t.onEnd(() => void bridge.stop());
      for (let at = 1; at <= cuts; at += 1) {
        const reached = Math.floor((at * total) / (cuts + 1));
        await t.until(`${reached} arrived`, () => reader.distinct.size >= reached);
        await t.bench.net?.cut?.(at % 2 === 0 ? 'rst' : 'fin');
      }
      await t.until('all arrived', () => reader.distinct.size >= total);
      t.same(t.checked().lost.length, 0, 'lost messages');
    },
  },
];
