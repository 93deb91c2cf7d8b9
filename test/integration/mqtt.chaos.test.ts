import { describe, expect, it } from 'vitest';
import { backoff, fromAsyncIterable, isSluiceError, observe, run, type Message } from 'sluice';
import { mqttLink, mqttSink, mqttSource, type MqttLink, type MqttLinkOptions } from 'sluice/mqtt';
import { seededRandom } from 'sluice/testing';
import { faultProxy, type FaultProxy } from 'sluice/testing-node';
import type { Broker } from '../brokers/broker.js';
import { brokerSuite } from '../brokers/broker-suite.js';
import { mosquitto } from '../brokers/mosquitto.js';
import { chaos, type ChaosLane } from '../chaos/chaos.js';
import { networkFaults } from '../chaos/network-faults.js';
import { childProgram, type Child, type ChildProgram } from '../helpers/child-program.js';
import { consume } from '../helpers/consume.js';
import { ledger, numberOf, numbers, type Ledger } from '../helpers/ledger.js';
import { keptSession } from '../helpers/mqtt-session.js';
import { until } from '../helpers/until.js';

type Version = NonNullable<MqttLinkOptions['protocolVersion']>;

const CREDIT = 100;
const UNCONFIRMED = 200;
/** More by `npm run chaos`. */
const ROUNDS = Number(process.env['CHAOS_ROUNDS'] ?? 1);
const SEED = Number(process.env['CHAOS_SEED'] ?? 20_261_127);
const reconnect = backoff({ initialMs: 20, maxMs: 500 });
let names = 0;
const fresh = (hint: string): string => `${hint}-${process.pid}-${(names += 1)}`;

function viaProxy(broker: Broker, proxy: FaultProxy): string {
  return broker.url.replace(`:${broker.port}`, `:${proxy.port}`);
}

const PROGRAM = `
import { map, timer } from 'rxjs';
import { each, run, observe } from 'sluice';
import { onSignal } from 'sluice/on-signal';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';
const [kind, url, clientId, from, to, count] = process.argv.slice(2);
const link = mqttLink({ url, clientId });
const print = (message) => console.log(new DataView(message.payload.buffer, message.payload.byteOffset).getUint32(0));
observe((event) => { if (event.type === 'status.changed' && event.to === 'connected') console.log('connected'); });

// Acks at random, and dies in the middle of it.
if (kind === 'dies') {
  let seen = 0;
  mqttSource(link, { topics: from, credit: 50 }).subscribe((message) => {
    seen += 1;
    const settle = () => { if (message.ack()) print(message); };
    if (seen % 3 === 0) settle(); else setTimeout(settle, (seen * 7) % 5);
    if (seen === Number(count)) process.kill(process.pid, 'SIGKILL');
  });
}
// Works two at a time and passes on; stops in order.
if (kind === 'works' || kind === 'shares') {
  const share = kind === 'shares' ? { share: 'workers' } : {};
  const running = run(
    mqttSource(link, { topics: from, credit: 50, ...share }).pipe(
      each((payload) => timer(1).pipe(map(() => payload)), { concurrency: 16 }),
    ),
    mqttSink(link, { topic: to }),
  );
  onSignal(running);
}
// Holds everything it gets.
if (kind === 'holds') {
  const held = [];
  mqttSource(link, { topics: from, credit: 100 }).subscribe((message) => held.push(message));
  setInterval(() => {
    globalThis.gc();
    const { rss, heapUsed, external } = process.memoryUsage();
    console.log('memory ' + JSON.stringify({ rss, heapUsed, external, held: held.length }));
  }, 250);
}
`;

let program: Promise<ChildProgram> | undefined;

async function start(kind: string, ...args: readonly string[]): Promise<Child> {
  program ??= childProgram(PROGRAM);
  return (await program).start(kind, ...args);
}

/** Publishes these numbers to `topic`; resolves once all are confirmed. */
async function publish(link: MqttLink, topic: string, from: number, to: number, bytes?: number): Promise<void> {
  const { clean } = await run(fromAsyncIterable(numbers(from, to, bytes)), mqttSink(link, { topic })).done;
  if (!clean) throw new Error(`Not all that was published to ${topic} was confirmed.`);
}

/** Counts what comes out at `topic`, from now on and whatever happens to the broker. */
async function collect(url: string, topic: string, counts: Ledger): Promise<() => void> {
  const clientId = fresh('collector');
  await keptSession(url, clientId, topic);
  const collector = consume(mqttSource(mqttLink({ url, clientId, reconnect }), { topics: topic }), (message) => {
    counts.see(message.payload);
    message.ack();
  });
  return () => collector.unsubscribe();
}

// The broker writes its sessions down when it ends: on every change it could not keep up.
brokerSuite(
  'MQTT under faults',
  () => mosquitto(['autosave_on_changes false', 'autosave_interval 1800']),
  (broker) => {
    it.for(Array.from({ length: ROUNDS }, (_, at) => SEED + at))(
      'loses nothing over 10 cuts and 2 restarts, and little comes twice (S2.9, REC-02, REC-04, F2, F3, G2), seed %i',
      { timeout: 180_000 },
      async (seed, context) => {
        if (!broker().isOwn) context.skip(`${broker().how} is not to be restarted`);
        const proxy = await faultProxy({ port: broker().port });
        const url = viaProxy(broker(), proxy);
        const lane = async (protocolVersion: Version): Promise<ChaosLane> => {
          const topic = fresh(`chaos-${protocolVersion}`);
          // All but the name at its default: what a user gets.
          const link = mqttLink({ url, protocolVersion, clientId: topic });
          await keptSession(broker().url, topic, topic);
          return {
            name: `v${protocolVersion[0]}`,
            source: () => mqttSource(link, { topics: topic, credit: CREDIT, maxAttempts: 1_000 }),
            sink: () => mqttSink(link, { topic, maxUnconfirmed: UNCONFIRMED }),
            // Nobody can ask this broker what is left: it is over when nothing comes for a while.
            depth: () => 0,
            // Nobody answers a PUBACK, and this broker minds no window once it has more than that: for each PUBACK it
            // sends a whole window. So what was on its way to it when the connection broke may be any number.
            doubtMs: () => 250,
          };
        };
        try {
          const report = await chaos(
            {
              seed,
              ...(process.env['CHAOS_LOG'] === undefined ? {} : { log: (line) => console.log(line) }),
              messages: 100_000,
              bytes: 256,
              credit: CREDIT,
              maxUnconfirmed: UNCONFIRMED,
              faults: [
                ...networkFaults(proxy, { links: [], resets: 5, ends: 5 }),
                {
                  name: 'restart',
                  times: 2,
                  async run() {
                    await broker().stop();
                    await broker().start();
                  },
                },
              ],
            },
            [await lane('5'), await lane('3.1.1')],
          );
          const told = report.lanes.map(
            (one) =>
              `${one.name}: ${one.lost.length} lost, ${one.duplicates} twice (at most ${one.bound}), of them ${one.forgotten} with their PUBACK on its way`,
          );
          console.log(`${report.seconds.toFixed(1)} s, ${report.breaks} breaks; ${told.join('; ')}`);
          for (const one of report.lanes) {
            expect(one.invalid).toBe('');
            expect([one.confirmed, one.lost, one.unexpected]).toEqual([50_000, [], []]);
            expect(one.duplicates, `${one.name}: duplicates`).toBeLessThanOrEqual(one.bound);
          }
        } finally {
          await proxy.close();
        }
      },
    );

    it('loses nothing of a client that is killed in the middle of its work, twenty times (S3.23, G6)', async () => {
      const kills = 20 * ROUNDS;
      const total = kills * 100;
      const random = seededRandom(SEED);
      const [topic, clientId] = [fresh('kills'), fresh('mortal')];
      const counts = ledger(total);
      await keptSession(broker().url, clientId, topic);
      await publish(mqttLink({ url: broker().url }), topic, 0, total);
      const acked = new Set<number>();
      let again = 0;
      for (let kill = 0; kill < kills; kill += 1) {
        const count = 1 + Math.floor(random() * 120);
        const child = await start('dies', broker().url, clientId, topic, '', String(count));
        expect(await child.ended).toBe('SIGKILL');
        for (const line of child.said.split('\n').filter((said) => /^\d+$/.test(said))) {
          if (acked.has(Number(line))) again += 1;
          acked.add(Number(line));
        }
      }
      for (const number of acked) counts.see(new Uint8Array(new Uint32Array([number]).buffer).reverse());
      const rest = consume(mqttSource(mqttLink({ url: broker().url, clientId }), { topics: topic }), (message) => {
        if (acked.has(numberOf(message.payload))) again += 1;
        else counts.see(message.payload);
        message.ack();
      });
      await until(() => expect(counts.missing).toEqual([]));
      rest.unsubscribe();
      console.log(
        `seed ${SEED}: ${kills} kills, ${total} messages, 0 lost, ${again} acked ones again (at most ${kills * 50})`,
      );
      expect(acked.size).toBeGreaterThan(kills);
      expect(again).toBeLessThanOrEqual(kills * 50);
    });

    it('stops on SIGTERM under load within five seconds, and neither loses nor repeats anything (G7)', async () => {
      const stops = 3 * ROUNDS;
      const total = stops * 2_000;
      const [from, to, clientId] = [fresh('in'), fresh('out'), fresh('worker')];
      const counts = ledger(total);
      await keptSession(broker().url, clientId, from);
      const stopCollecting = await collect(broker().url, to, counts);
      const publishing = publish(mqttLink({ url: broker().url }), from, 0, total);
      let longestMs = 0;
      for (let stop = 1; stop <= stops; stop += 1) {
        const child = await start('works', broker().url, clientId, from, to);
        const at = stop === stops ? total : (total * (stop - 0.5)) / stops;
        await until(() => expect(counts.distinct).toBeGreaterThanOrEqual(at));
        const sinceMs = performance.now();
        child.process.kill('SIGTERM');
        expect(await child.ended).toBe(0);
        longestMs = Math.max(longestMs, performance.now() - sinceMs);
      }
      await publishing;
      await until(() => expect(counts.missing).toEqual([]));
      stopCollecting();
      console.log(
        `${stops} stops, the longest ${Math.round(longestMs)} ms; ${total} messages, ${counts.duplicates} twice`,
      );
      expect(counts.duplicates).toBe(0);
      expect(longestMs).toBeLessThan(5_000);
    });

    it('shares a subscription among three processes that come and go, and loses nothing', async () => {
      const total = 10_000 * ROUNDS;
      const [from, to] = [fresh('jobs'), fresh('results')];
      const counts = ledger(total);
      const stopCollecting = await collect(broker().url, to, counts);
      const member = (at: number): Promise<Child> => start('shares', broker().url, `${from}-member-${at}`, from, to);
      const members = await Promise.all([1, 2, 3].map(member));
      for (const child of members) await child.says('connected\nconnected');
      const publishing = publish(mqttLink({ url: broker().url }), from, 0, total);
      for (const [at, leaver] of [0, 1, 2, 0].entries()) {
        await until(() => expect(counts.distinct).toBeGreaterThanOrEqual((total * (at + 1)) / 8));
        members[leaver]!.process.kill(at === 3 ? 'SIGKILL' : 'SIGTERM');
        expect(await members[leaver]!.ended).toBe(at === 3 ? 'SIGKILL' : 0);
        members[leaver] = await member(leaver + 1);
      }
      await publishing;
      await until(() => expect(counts.missing).toEqual([]));
      for (const child of members) child.process.kill('SIGTERM');
      expect(await Promise.all(members.map(({ ended }) => ended))).toEqual([0, 0, 0]);
      stopCollecting();
      console.log(
        `3 members, 4 of them left and came back, one by a kill: ${total} messages, 0 lost, ${counts.duplicates} twice`,
      );
      // Only what the killed one had in work: up to its credit, confirmed and not yet acknowledged.
      expect(counts.duplicates).toBeLessThanOrEqual(50);
    });

    it('holds no more than its bound while its handler stands still and far more is sent (RES-01)', async () => {
      const bytes = 16 * 1_024;
      const topic = fresh('flood');
      const child = await start('holds', broker().url, fresh('holder'), topic);
      await child.says('connected\nconnected');
      await publish(mqttLink({ url: broker().url }), topic, 0, 8_000, bytes);
      const memory = (): { rss: number; external: number; held: number }[] =>
        [...child.said.matchAll(/^memory (.*)$/gm)].map(
          ([, json]) => JSON.parse(json!) as { rss: number; external: number; held: number },
        );
      await until(() => expect(memory().at(-1)?.held).toBe(100));
      const first = memory().length;
      await until(() => expect(memory().length).toBeGreaterThan(first + 8));
      child.process.kill('SIGKILL');
      await child.ended;
      const before = memory()[0]!;
      const growth = memory().map(({ rss }) => rss - before.rss);
      console.log(`growth while nothing is settled: at most ${Math.round(Math.max(...growth) / 1_048_576)} MiB`);
      expect(Math.max(...growth)).toBeLessThan(100 * bytes + 64 * 1_048_576);
      const held = memory()
        .slice(-8)
        .map(({ external }) => external);
      expect(Math.max(...held) - Math.min(...held)).toBeLessThan(1_048_576);
    });

    // They mostly wait.
    describe.concurrent('over time', () => {
      it('finds a peer that falls silent within 15 s at default options, idle and busy (G8)', async ({ expect }) => {
        const proxy = await faultProxy({ port: broker().port });
        const url = viaProxy(broker(), proxy);
        const [idle, busy] = [fresh('idle'), fresh('busy')];
        const links = [fresh('a'), fresh('b')].map((clientId) => mqttLink({ url, clientId }));
        let received = 0;
        const consumers = [idle, busy].map((topics, at) =>
          consume(mqttSource(links[at]!, { topics }), (message) => {
            received += 1;
            setTimeout(() => message.ack(), 5);
          }),
        );
        const lost: string[] = [];
        let sinceMs = 0;
        let latestMs = 0;
        const stop = observe((event) => {
          if (event.type !== 'status.changed' || event.to !== 'reconnecting' || sinceMs === 0) return;
          latestMs = performance.now() - sinceMs;
          lost.push(isSluiceError(event.reason) ? event.reason.code : String(event.reason));
        });
        const traffic = run(fromAsyncIterable(numbers(0, 10_000_000)), mqttSink(mqttLink({ url }), { topic: busy }));
        await until(() => expect(received).toBeGreaterThan(1_000));
        sinceMs = performance.now();
        proxy.blackhole();
        // Two sources and a sink, and the link of each.
        await until(() => expect(lost.length).toBeGreaterThanOrEqual(6));
        stop();
        proxy.rst();
        proxy.heal();
        for (const consumer of consumers) consumer.unsubscribe();
        traffic.stop().catch(() => undefined);
        await proxy.close();
        console.log(`noticed after at most ${Math.round(latestMs)} ms: ${[...new Set(lost)].join(', ')}`);
        expect(lost).toContain('PEER_LOST');
        expect(latestMs).toBeLessThan(15_000);
      });

      it.for<Version>(['5', '3.1.1'])(
        'keeps its connection while a handler holds what it has for five keepalives, with MQTT %s (F6)',
        async (protocolVersion, { expect }) => {
          const [topic, clientId] = [fresh('held'), fresh('holder')];
          const total = 400;
          const proxy = await faultProxy({ port: broker().port });
          // A ping every half second, and a keep alive of one second.
          const link = mqttLink({ url: viaProxy(broker(), proxy), clientId, protocolVersion, heartbeatMs: 500 });
          const counts = ledger(total);
          await keptSession(broker().url, clientId, topic);
          const open: Message<Uint8Array>[] = [];
          const reader = consume(mqttSource(link, { topics: topic, credit: 10 }), (message) => {
            counts.see(message.payload);
            open.push(message);
          });
          await publish(mqttLink({ url: broker().url }), topic, 0, total);
          await until(() => expect(open).toHaveLength(10));
          // So that a broker that sends too much has done so, and reading stands still.
          open.shift()?.ack();
          await until(() => expect(counts.distinct).toBe(11));
          const sinceMs = performance.now();
          await until(() => expect(performance.now() - sinceMs).toBeGreaterThan(5_000));
          expect([proxy.accepted, counts.distinct, counts.duplicates]).toEqual([1, 11, 0]);
          await until(() => {
            for (const message of open.splice(0)) message.ack();
            expect(counts.distinct).toBe(total);
          });
          expect([proxy.accepted, counts.duplicates, counts.missing.length]).toEqual([1, 0, 0]);
          reader.unsubscribe();
          await proxy.close();
        },
      );
    });

    it('is told of a will that waits only where its client does not come back in time', async () => {
      const topic = fresh('patient');
      const told = consume(mqttSource(mqttLink({ url: broker().url }), { topics: topic }));
      const connected = async (payload: string): Promise<{ proxy: FaultProxy; stop: () => unknown }> => {
        const proxy = await faultProxy({ port: broker().port });
        const reconnect = backoff({ initialMs: 5, maxMs: 20, minMs: 1 });
        const will = { topic, payload, delayMs: 1_000 };
        const link = mqttLink({ url: viaProxy(broker(), proxy), will, reconnect });
        const stop = link.writing.use({ down: () => undefined, fatal: () => undefined });
        await until(() => expect(link.writing.current()).toBeDefined());
        return { proxy, stop };
      };
      const [back, away] = [await connected('back'), await connected('away')];
      back.proxy.rst();
      away.proxy.refuse();
      away.proxy.rst();
      await until(() => expect(told.messages.map(({ payload }) => String(Buffer.from(payload)))).toEqual(['away']));
      expect(back.proxy.accepted).toBe(2);
      told.unsubscribe();
      for (const { proxy, stop } of [back, away]) {
        stop();
        await proxy.close();
      }
    });

    it('is told of a will by the broker when a client is gone without a goodbye', async () => {
      const [topic, clientId] = [fresh('wills'), fresh('heir')];
      await keptSession(broker().url, clientId, topic);
      const told = consume(mqttSource(mqttLink({ url: broker().url, clientId }), { topics: topic }));
      const proxy = await faultProxy({ port: broker().port });
      const will = { topic, payload: 'gone' };
      const leaving = consume(mqttSource(mqttLink({ url: viaProxy(broker(), proxy) }), { topics: 'x', will }));
      // The welcome and the answer to its subscription came back.
      await until(() => expect(proxy.passed.down).toBeGreaterThan(8));
      proxy.rst();
      await until(() => expect(told.messages).toHaveLength(1));
      leaving.unsubscribe();
      told.unsubscribe();
      await proxy.close();
    });
  },
);
