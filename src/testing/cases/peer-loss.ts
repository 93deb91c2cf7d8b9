import type { Sink } from '../../connection/flow.js';
import { backoff } from '../../connection/backoff.js';
import type { SluiceEvent } from '../../observability/events.js';
import { observe } from '../../observability/observe.js';
import { isSluiceError } from '../../errors.js';
import { hold, type CaseContext } from '../case-context.js';
import type { CaseOffers } from '../case-offers.js';
import type { ConformanceCase } from '../conformance-case.js';
import { underLoad } from './reconnect.js';

/** Peers that are gone, come and go, or are slow; and those that will never let anybody in. */
export const PEER_LOSS_CASES: readonly ConformanceCase[] = [
  {
    id: 'REC-05',
    label: 'R',
    title: 'notices a peer that is gone without a word, idle and at work, whichever way is dead',
    needs: { flags: ['reconnects', 'peerDetectMs'], verbs: ['net.blackhole', 'net.heal'] },
    async run(t) {
      const { peerDetectMs = 15_000 } = t.features;
      for (const direction of [undefined, 'up', 'down'] as const) {
        const how = direction ?? 'both ways';
        const idle = t.consume(t.channel(), { handler: hold });
        const busyChannel = t.channel();
        const busy = t.consume(busyChannel);
        await t.up(idle);
        await t.up(busy);
        const traffic = busyWriter(t, busyChannel);
        await t.until('there is traffic', () => busy.count >= 3);
        const from = t.events.length;
        const before = { idle: idle.losses, busy: busy.losses };
        await t.bench.net?.blackhole?.(direction);
        // Whoever hears nothing notices; where that is the far side, it hangs up.
        const isNoticed = (reason: unknown): boolean =>
          isSluiceError(reason, 'PEER_LOST') || (direction !== 'down' && isSluiceError(reason, 'CONNECTION_LOST'));
        const since = (): boolean => t.events.slice(from).some((event) => 'reason' in event && isNoticed(event.reason));
        const sides = { idle, busy } as const;
        for (const [name, consumer] of Object.entries(sides)) {
          const isLost = (): boolean => consumer.losses > before[name as keyof typeof sides] && since();
          await t.soon(`the loss of the ${name} one is noticed with ${how} dead`, peerDetectMs, isLost);
        }
        await t.bench.net?.heal?.();
        await t.up(idle);
        await t.up(busy);
        await traffic.stop();
        idle.unsubscribe();
        busy.unsubscribe();
      }
    },
  },
  {
    id: 'REC-07',
    label: 'R',
    title: 'waits longer and longer between tries, differently for each client, and never in a hot loop',
    needs: { flags: ['reconnects'], verbs: ['net.refuse', 'net.cut', 'net.heal'] },
    async run(t) {
      const schedule = t.isVirtual ? {} : { initialMs: 20, minMs: 10, maxMs: 80, stableMs: 30_000 };
      const { initialMs = 500, minMs = 100, maxMs = 30_000 } = schedule;
      const reconnect = backoff(schedule);
      const tries = t.isVirtual ? 50 : 8;
      await t.bench.net?.refuse?.();
      const failed = failuresOf(t);
      const one = t.consume(t.channel(), { options: { reconnect } });
      await t.until(`${tries} tries failed`, () => (failed().at(-1)?.attempt ?? 0) >= tries, tries * maxMs);
      t.holds(one.error === undefined, 'a refusal is no reason to fail');
      // What begins in the middle is not of this source.
      const runs = runsOf(failed()).filter(([first]) => first?.attempt === 1);
      const waits = runs.flat().map(({ retryInMs }) => retryInMs);
      t.holds(
        runs.every((run) => run.every(({ attempt }, at) => attempt === at + 1)),
        `each try is counted once, they were ${failed()
          .map(({ attempt }) => attempt)
          .join()}`,
      );
      const early = runs.flatMap((run) =>
        run.slice(1).map(({ atMs }, at) => atMs - (run[at]?.atMs ?? 0) - (run[at]?.retryInMs ?? 0)),
      );
      // A timer of the host may be a millisecond early.
      t.holds(Math.min(...early) >= -2, `no try comes before its time, one was ${Math.min(...early)} ms off`);
      if (t.harness.reconnectMaxMs === undefined) {
        const isShaped = waits.every((ms, at) => ms >= minMs && ms <= Math.min(maxMs, initialMs * 2 ** at));
        t.holds(isShaped, `the waits double from ${initialMs} up to ${maxMs}, they were ${waits.slice(0, 9).join()}`);
      }
      t.holds(Math.min(...waits) >= 1, 'no try comes at once');
      t.holds(Math.max(...waits) <= Math.max(maxMs, t.reconnectMaxMs), 'no wait is longer than the cap');
      one.unsubscribe();
      if (!t.isVirtual || t.harness.reconnectMaxMs !== undefined) return;
      t.holds(Math.max(...waits.slice(-20)) > maxMs / 2, 'and reach it');
      await spreads(t, reconnect);
      await startsAgain(t, reconnect, failed);
    },
  },
  {
    id: 'REC-08',
    label: 'R',
    title: 'bears a connection that comes and goes, with its window kept and nothing left behind',
    needs: { ack: 'manual', flags: ['reconnects'], verbs: ['sink', 'net.cut', 'net.refuse', 'net.heal'] },
    async run(t) {
      const { net, peek } = t.bench;
      const flaps = t.isVirtual ? 150 : 8;
      const openBefore = (await peek?.open?.()) ?? 0;
      const load = await underLoad(t, t.volume(1_000), 5);
      // A client may open its connections one by one, when it first needs them.
      await t.until('both ends are at work', () => load.consumer.count > 0);
      const openAtWork = (await peek?.open?.()) ?? 0;
      for (let at = 0; at < flaps; at += 1) {
        await t.pass(t.isVirtual ? 200 : 20);
        await net?.refuse?.();
        await net?.cut?.(at % 2 === 0 ? 'rst' : 'fin');
        await t.pass(t.isVirtual ? 200 : 20);
        await net?.heal?.();
      }
      await load.drained(flaps);
      await t.up(load.consumer);
      const consumers = await peek?.consumers?.(load.channel);
      t.same(consumers ?? 1, 1, 'readers that the far side knows of');
      const allowed = Math.max(openAtWork, openBefore + 1);
      await t.answers('no connection is left behind', async () => ((await peek?.open?.()) ?? 0) <= allowed);
    },
  },
  {
    id: 'REC-09',
    label: 'R',
    title: 'takes bytes in small pieces and late, without losing any or giving up its peer',
    needs: { verbs: ['sink', 'net.latency', 'net.heal'] },
    async run(t) {
      // Half a second at the default heartbeat of 5 s.
      const latencyMs = (t.beats(1) || 5_000) / 10;
      const { net } = t.bench;
      const faults = {
        slice: () => net?.slice?.(1),
        latency: () => net?.latency?.(latencyMs, latencyMs * 0.4),
      };
      const from = t.events.length;
      for (const [name, inject] of Object.entries(faults)) {
        const channel = t.channel();
        const consumer = t.consume(channel);
        await t.up(consumer);
        // How long opening takes is bounded on its own.
        const sink = t.sink(channel);
        const first = t.offer(channel, 1, sink, { writer: `before-${name}` });
        await t.until('the way is open', () => first.count('ack') === 1);
        await inject();
        const offers = t.offer(channel, t.volume(100), sink, { writer: name });
        await t.until('all are confirmed', () => offers.count('ack') === offers.total);
        const total = offers.total + 1;
        await t.until('all are delivered', () => consumer.distinct.size >= total);
        await t.stays('nothing else is', () => consumer.count === total, t.beats(4), t.beats(1));
        t.same(consumer.losses, 0, `connections lost by ${name}`);
        await net?.heal?.();
        sink.complete();
        consumer.unsubscribe();
      }
      const lost = t.events
        .slice(from)
        .filter((event) => 'reason' in event && isSluiceError(event.reason, 'PEER_LOST'));
      t.same(lost.length, 0, 'peers given up');
      t.same(t.checked().lost.length, 0, 'lost messages');
    },
  },
  {
    id: 'REC-12',
    label: 'R',
    title: 'fails at once where trying again cannot help, and does not try again',
    needs: { verbs: ['auth.deny', 'auth.grant'] },
    async run(t) {
      const channel = t.channel();
      await t.bench.auth?.deny?.();
      const failed = failuresOf(t);
      const consumer = t.consume(channel);
      await t.soon('the flow fails', 5_000, () => consumer.error !== undefined);
      t.holds(
        isSluiceError(consumer.error) && !consumer.error.retriable,
        'the error says that trying again cannot help',
      );
      const tries = failed().length;
      t.holds(tries <= 1, `it tried again ${tries} times`);
      if (t.bench.sink !== undefined) {
        const sink: Sink<Uint8Array> = t.sink(channel);
        const offers = t.offer(channel, 1, sink);
        await t.soon('the sink fails', 5_000, () => offers.isSettled);
        t.same(offers.count('ack'), 0, 'confirmed by a far side that lets nobody in');
        t.holds(isSluiceError(sink.failure), 'the sink says why it closed');
      }
      await t.stays('nobody tries again', () => failed().length <= tries + 1, 60_000, 300);
      await t.bench.auth?.grant?.();
    },
  },
];

type Failure = Extract<SluiceEvent, { type: 'connect.failed' }> & { readonly atMs: number };

/** The tries of each connection: a connector may keep more than one, and they fail side by side. */
function runsOf(failures: readonly Failure[]): readonly Failure[][] {
  const runs: Failure[][] = [];
  for (const failure of failures) {
    const run = runs.find((tries) => tries.at(-1)?.attempt === failure.attempt - 1);
    if (run === undefined) runs.push([failure]);
    else run.push(failure);
  }
  return runs;
}

/** The tries that failed since now, and when. */
function failuresOf(t: CaseContext): () => readonly Failure[] {
  const failures: Failure[] = [];
  const stop = observe((event) => {
    if (event.type === 'connect.failed') failures.push({ ...event, atMs: t.clock.elapsed() });
  });
  t.onEnd(stop);
  return () => failures;
}

/** Sends one message after the other until it is stopped; that resolves once all are settled. */
function busyWriter(t: CaseContext, channel: string): { stop(): Promise<void> } {
  const sink = t.sink(channel);
  const offers: CaseOffers[] = [];
  let isOver = false;
  t.onEnd(() => void (isOver = true));
  const next = (): void => {
    if (isOver) return;
    offers.push(t.offer(channel, 1, sink, { writer: 'traffic' }));
    t.clock.timer(t.isVirtual ? 500 : 100, next);
  };
  next();
  return {
    async stop() {
      isOver = true;
      await t.until('the traffic is through', () => offers.every((offer) => offer.isSettled));
      sink.complete();
      await t.settled('its sink is closed', sink.closed);
    },
  };
}

/** Twenty clients that fail together do not come back together. */
async function spreads(t: CaseContext, reconnect: ReturnType<typeof backoff>): Promise<void> {
  const failed = failuresOf(t);
  const clients = Array.from({ length: 20 }, () => t.consume(t.channel(), { options: { reconnect } }));
  await t.until('each failed some times', () => failed().filter(({ attempt }) => attempt === 6).length >= 20);
  const sixth = failed()
    .filter(({ attempt }) => attempt === 6)
    .map(({ retryInMs }) => retryInMs);
  const spread = Math.max(...sixth) - Math.min(...sixth);
  t.holds(spread >= 0.2 * Math.max(...sixth), `20 clients spread over ${Math.round(spread)} ms`);
  for (const client of clients) client.unsubscribe();
}

/** The waits are short again only after the connection had held for a while. */
async function startsAgain(
  t: CaseContext,
  reconnect: ReturnType<typeof backoff>,
  failed: () => readonly Failure[],
): Promise<void> {
  const consumer = t.consume(t.channel(), { options: { reconnect } });
  await t.until('it failed some times', () => (failed().at(-1)?.attempt ?? 0) >= 4);
  const breakAfter = async (ms: number): Promise<number> => {
    await t.bench.net?.heal?.();
    await t.up(consumer);
    await t.pass(ms);
    const from = failuresOf(t);
    await t.bench.net?.refuse?.();
    await t.bench.net?.cut?.('rst');
    await t.until('it fails again', () => from().length > 0);
    return from()[0]?.attempt ?? 0;
  };
  t.holds((await breakAfter(10_000)) > 4, 'a connection that held for 10 s does not start the waits anew');
  t.same(await breakAfter(31_000), 1, 'the try after a connection that held for 31 s');
  await t.bench.net?.heal?.();
}
