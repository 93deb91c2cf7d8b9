import type { Sink } from '../../connection/flow.js';
import { isOpen } from '../../message/envelope.js';
import type { Message } from '../../message/message.js';
import { batch } from '../../operators/batch.js';
import { fanout, type FanoutBranch } from '../../operators/fanout.js';
import { payload } from '../../operators/payload.js';
import { where } from '../../operators/where.js';
import { route } from '../../router/route.js';
import type { Rule } from '../../router/rule.js';
import { run } from '../../runtime/run.js';
import { idOf } from '../case-consumer.js';
import { ackEach, type CaseContext } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';

type Bytes = Message<Uint8Array>;

/** The settlement of a message through stages and sinks, from one to one up to a bridge between two channels. */
export const LINKAGE_CASES: readonly ConformanceCase[] = [
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
    title: 'acks a message that went to three sinks once all of them confirmed, and nacks it once when one fails',
    async run(t) {
      const held: Bytes[] = [];
      const sinks = [1, 2].map(() => (t.bench.sink === undefined ? acking() : t.sink(t.channel('copy'))));
      const [one, two] = sinks as [Sink<Uint8Array>, Sink<Uint8Array>];
      const third: Sink<Uint8Array> = { ...acking(), next: (message) => void held.push(message) };
      t.onEnd(() => sinks.forEach((sink) => sink.complete()));
      const { consumer } = await t.start(2, {
        options: { maxAttempts: 1 },
        stage: fanout([one, two, third] as readonly FanoutBranch<Uint8Array, Uint8Array>[]),
      });
      await t.until('both came to the third sink', () => held.length >= 2);
      await t.stays('two of three sinks settle nothing', () => consumer.handle?.unsettled === 2);
      const from = t.events.length;
      held[0]?.ack();
      held[1]?.nack(new Error('one sink failed'));
      await t.until('both are settled', () => consumer.handle?.unsettled === 0);
      const counts = consumer.handle?.counts;
      t.same(`${counts?.acked} acked, ${counts?.dead} dead`, '1 acked, 1 dead', 'counts');
      const nacks = t.events.slice(from).filter((event) => event.type === 'message.nacked' && event.then === 'dead');
      t.same(nacks.length, 1, 'nacks');
    },
  },
  {
    id: 'ACK-10',
    label: 'R',
    title: 'nacks every message of a batch that its sink refused, and acks none',
    async run(t) {
      const lists: Message<Uint8Array[]>[] = [];
      const { nackRequeue = false } = t.features;
      const channel = t.channel();
      const running = await t.around(channel, nackRequeue ? 30 : 20, {}, () =>
        run(t.source(channel, { credit: 20, maxAttempts: 2 }).pipe(batch({ size: 10, maxWaitMs: 60_000 })), {
          next: (list) => void lists.push(list),
          error: () => undefined,
          complete: () => undefined,
        }),
      );
      t.onEnd(() => void running.stop());
      await t.until('two batches are there', () => lists.length >= 2);
      t.same(lists.map(({ payload: items }) => items.length).join(), '10,10', 'sizes of the batches');
      const counts = (): string => {
        const [source] = running.health().sources;
        return `${source?.counts.acked} acked, ${source?.counts.dead} dead, ${source?.unsettled} open`;
      };
      lists[0]?.nack(new Error('the batch failed'), 'dead');
      t.same(counts(), '0 acked, 10 dead, 10 open', 'counts after a nack');
      lists[1]?.ack();
      t.same(counts(), '10 acked, 10 dead, 0 open', 'counts after an ack');
      if (!nackRequeue) return;
      await t.until('a third one is there', () => lists.length >= 3);
      const refused = lists[2]?.payload ?? [];
      lists[2]?.nack(new Error('the batch failed'));
      const again = (): Uint8Array[] => lists.slice(3).flatMap(({ payload: items }) => items);
      await t.until('as many come again', () => again().length >= refused.length);
      t.same(idsOf(again()), idsOf(refused), 'what comes again');
      for (const list of lists) list.ack();
      await t.until('all are settled', () => counts().endsWith(' 0 open'));
    },
  },
  {
    id: 'ACK-13',
    label: 'R',
    title: 'acks at the source only what the sink confirmed, also when its far side dies before it confirms',
    needs: { ack: 'manual', flags: ['reconnects', 'backlog'], verbs: ['sink', 'net.cut'] },
    async run(t) {
      const total = t.volume(500);
      const breaks = Math.min(100, Math.max(1, Math.floor(total / 5)));
      const [from, to] = [t.channel('from'), t.channel('to')];
      const publisher = t.publish(from, total);
      await t.until('the source has them', () => publisher.isDone);
      await t.bench.finish?.(from);
      // Before anything is sent there: what keeps nothing for who never subscribed would confirm it, and forget it.
      const reader = t.consume(to, { handler: ackEach });
      await t.up(reader);
      const bridge = bridgeTo(t, from, t.sink(to, { maxUnconfirmed: 4 }), total);
      for (let at = 1; at <= breaks; at += 1) {
        const reached = Math.floor(((at - 1) * total) / breaks);
        await t.until(`${reached} arrived`, () => reader.distinct.size >= reached);
        await bridge.breakBeforeConfirm(at % 2 === 0 ? 'rst' : 'fin');
      }
      await t.until('all arrived', () => reader.distinct.size >= total);
      t.same(t.checked().lost.length, 0, 'lost messages');
      await t.until('all are acked in the end', () => bridge.acked() >= total);
    },
  },
];

interface Bridge {
  acked(): number;
  breakBeforeConfirm(how: 'rst' | 'fin'): Promise<void>;
}

/** Passes everything on from a channel to a sink, and holds it back when it is to be broken. */
function bridgeTo(t: CaseContext, from: string, sink: Sink<Uint8Array>, total: number): Bridge {
  const { net } = t.bench;
  const held: Bytes[] = [];
  let isHolding = false;
  const source = t.consume(from, {
    options: { credit: 10, maxAttempts: 1_000 },
    record: false,
    handler(message) {
      if (isHolding) held.push(message);
      else sink.next(message);
    },
  });
  t.onEnd(() => sink.complete());
  const acked = (): number => source.handle?.counts.acked ?? Infinity;
  return {
    acked,
    async breakBeforeConfirm(how) {
      isHolding = true;
      await t.until('there is something to send, or nothing left', () => held.length > 0 || acked() >= total);
      const canBeDeaf = net?.blackhole !== undefined || net?.stall !== undefined;
      const isFlat = t.features.confirms === 'local' && net?.stall === undefined;
      // What is sent from now on arrives, and its confirmations do not.
      if (net?.blackhole !== undefined) await net.blackhole('down');
      else await net?.stall?.();
      const sent = held.splice(0);
      for (const message of sent) sink.next(message);
      await t.pass(2);
      if (canBeDeaf && !isFlat) t.holds(sent.every(isOpen), 'what the sink has not confirmed is not acked');
      await net?.cut?.(how);
      await net?.heal?.();
      isHolding = false;
      for (const message of held.splice(0)) sink.next(message);
    },
  };
}

function idsOf(payloads: readonly Uint8Array[]): string {
  return payloads
    .map((payload) => idOf({ payload }))
    .sort()
    .join();
}

function acking(): Sink<Uint8Array> {
  return { next: (message) => void message.ack(), error: () => undefined, complete: () => undefined };
}
