import { expect, it } from 'vitest';
import { isSluiceError, observe, type SluiceError } from 'sluice';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaDriverName, type KafkaLink } from 'sluice/kafka';
import { faultProxy, type FaultProxy } from 'sluice/testing-node';
import { DRIVERS, linkTo } from '../../src/links/kafka.js';
import { brokerSuite } from '../brokers/broker-suite.js';
import { kafka, type KafkaBroker } from '../brokers/kafka.js';
import { recoveries } from '../chaos/recoveries.js';
import { watchedKafka, type KafkaWatch } from '../chaos/watched-kafka.js';
import { childProgram } from '../helpers/child-program.js';
import { makeTopic } from '../helpers/kafka-admin.js';
import { LONG_RUN_DRIVERS } from '../helpers/kafka-drivers.js';
import { lasts } from '../helpers/lasts.js';
import { KAFKA_FRAMES, stallProxy } from '../helpers/stall-proxy.js';
import { streamed, type Stream } from '../helpers/streamed.js';
import { until } from '../helpers/until.js';

const MIB = 1_048_576;

function suite(driver: KafkaDriverName, broker: () => KafkaBroker): void {
  async function proxied(): Promise<FaultProxy> {
    const { port = 0, advertisedPort } = broker().behindProxy ?? {};
    return faultProxy({ port, ...(advertisedPort === undefined ? {} : { listenPort: advertisedPort }) });
  }
  const linked = ({ port }: FaultProxy, watch?: KafkaWatch): KafkaLink =>
    linkTo(watch === undefined ? DRIVERS[driver] : watchedKafka(DRIVERS[driver], watch), {
      brokers: [`127.0.0.1:${port}`],
    });

  it.for(['idle', 'busy'] as const)(
    'is found to be gone within 15 s over an %s connection that is half-open, and is back within 5 s (REC-05, F4)',
    { timeout: 120_000 },
    async (how, context) => {
      if (broker().behindProxy === undefined) context.skip(`${broker().how}: it has no listener for a proxy`);
      const proxy = await proxied();
      const topic = `half-open-${how}`;
      await makeTopic(broker(), topic, 2);
      const lostMs: Record<string, number> = {};
      let fromMs = Infinity;
      const lost = (what: string): void => void (lostMs[what] ??= performance.now() - fromMs);
      // Everything at its default, and a link for each end.
      const reading = linked(proxy, {
        committed: () => undefined,
        assigned: (given) => (fromMs < Infinity && given.length === 0 ? lost('member') : undefined),
      });
      const writing = linked(proxy);
      for (const [name, link] of [
        ['reading', reading],
        ['writing', writing],
      ] as const)
        link.status$.subscribe((status) => (fromMs < Infinity && status === 'reconnecting' ? lost(name) : undefined));
      let seen = 0;
      const subscription = kafkaSource(reading, { topics: [topic], group: topic }).subscribe((message) => {
        seen += 1;
        message.ack();
      });
      const stream: Stream = streamed(kafkaSink(writing, { topic }));
      const isBusy = how === 'busy';
      try {
        stream.send(1);
        await until(() => expect(seen).toBe(1));
        if (isBusy) stream.keepOn(500);
        await lasts(6_000); // a heartbeat of the link has passed
        fromMs = performance.now();
        proxy.blackhole();
        await until(() => expect(Object.keys(lostMs).sort()).toEqual(['member', 'reading', 'writing']));
        const before = seen;
        proxy.heal();
        // Who dialled into the hole would wait for an answer that vanished.
        proxy.rst();
        const healedMs = performance.now();
        if (!isBusy) stream.send(1);
        await until(() => expect(seen).toBeGreaterThan(before));
        const backMs = performance.now() - healedMs;
        console.log(
          `${how}: ${Object.entries(lostMs)
            .map(([name, ms]) => `${name} lost after ${Math.round(ms)} ms`)
            .join(', ')}, back after ${Math.round(backMs)} ms`,
        );
        expect(Math.max(...Object.values(lostMs))).toBeLessThanOrEqual(15_000);
        expect(backMs).toBeLessThanOrEqual(5_000);
      } finally {
        subscription.unsubscribe();
        await stream.end();
        await proxy.close();
      }
    },
  );

  it.for(['idle', 'busy'] as const)(
    'delivers again within 5 s after it can be reached again, 99 times of a hundred, to a reader that is %s (REC-01, F17, G10)',
    { timeout: 180_000 },
    async (how, context) => {
      if (broker().behindProxy === undefined) context.skip(`${broker().how}: it has no listener for a proxy`);
      const proxy = await proxied();
      const topics = Array.from({ length: 6 }, (_, at) => `back-${how}-${at}`);
      await Promise.all(topics.map((topic) => makeTopic(broker(), topic, 2)));
      const readers = topics.map((topic) => ({
        source: kafkaSource(linked(proxy), { topics: [topic], group: topic }),
        sink: kafkaSink(kafkaLink({ driver, brokers: [broker().url] }), { topic }),
      }));
      try {
        const { tookMs, p99Ms, text } = await recoveries(proxy, how, readers);
        console.log(text);
        expect(tookMs).toHaveLength(30);
        expect(p99Ms).toBeLessThanOrEqual(5_000);
      } finally {
        await proxy.close();
      }
    },
  );

  it.for([
    ['answers that there is nothing', 'starve', 'STALLED'],
    ['answers nobody who asks for messages', 'stall', 'STALLED'],
    ['stands still', 'SIGSTOP', 'PEER_LOST'],
  ] as const)(
    'is found to keep what it has within 30 s at default options, and gives it afterwards, when it %s (REC-06, G9)',
    { timeout: 120_000 },
    async ([, fault, code], context) => {
      const { port, advertisedPort } = broker().behindProxy ?? {};
      if (port === undefined) context.skip(`${broker().how}: it has no listener for a proxy`);
      const stalling = await stallProxy(port as number, KAFKA_FRAMES, advertisedPort);
      const topic = `kept-${fault}`;
      await makeTopic(broker(), topic, 2);
      const reasons: SluiceError[] = [];
      const stop = observe((event) => {
        if (event.type === 'status.changed' && event.connector === 'kafka' && isSluiceError(event.reason))
          reasons.push(event.reason);
      });
      let seen = 0;
      const link = kafkaLink({ driver, brokers: [`127.0.0.1:${stalling.port}`] });
      const subscription = kafkaSource(link, { topics: [topic], group: topic }).subscribe((message) => {
        seen += 1;
        message.ack();
      });
      // Writes beside the proxy.
      const stream = streamed(kafkaSink(kafkaLink({ driver, brokers: [broker().url] }), { topic }));
      try {
        stream.send(1);
        await until(() => expect(seen).toBe(1));
        const fromMs = performance.now();
        if (fault === 'SIGSTOP') await broker().kill('SIGSTOP');
        else {
          stalling[fault]();
          // What was asked before is answered by the broker itself.
          await lasts(500);
          stream.send(1);
        }
        await until(() => expect(reasons.map((reason) => reason.code)).toContain(code), 30_000);
        console.log(`${fault}: ${code} after ${Math.round(performance.now() - fromMs)} ms`);
        expect(seen).toBe(1);
        if (fault === 'SIGSTOP') {
          await broker().kill('SIGCONT');
          stream.send(1);
        } else stalling.heal();
        await until(() => expect(seen).toBeGreaterThan(1), 30_000);
      } finally {
        await broker().kill('SIGCONT');
        stop();
        subscription.unsubscribe();
        await stream.end();
        await stalling.close();
      }
    },
  );

  it('is read no further than the credit by a handler that has stopped: memory stays where it is, and so does the member (S2.11, CRD-10, F6)', async (context) => {
    if (!broker().isReal) context.skip(`${broker().how} does not keep as much`);
    const [count, bytes] = [3_000, 100 * 1_024];
    await makeTopic(broker(), 'backlog', 6);
    const stream = streamed(kafkaSink(kafkaLink({ driver, brokers: [broker().url] }), { topic: 'backlog' }), bytes);
    stream.send(count);
    await stream.end();
    const program = await childProgram(HOLD);
    const child = program.start(broker().url, driver);
    expect(await child.ended, child.said).toBe(0);
    const { held, most, spread, lost } = JSON.parse(child.said) as Record<'held' | 'most' | 'spread' | 'lost', number>;
    console.log(
      `${held} held of ${count}, ${(most / MIB).toFixed(1)} MiB more, then ${(spread / MIB).toFixed(1)} MiB up and down`,
    );
    // The credit in bytes, what was fetched ahead, and what a process needs anyway.
    expect(held).toBe(Math.floor((16 * MIB) / bytes));
    expect(most).toBeLessThanOrEqual(80 * MIB);
    expect(spread).toBeLessThanOrEqual(16 * MIB);
    expect(lost).toBe(0);
  });
}

for (const driver of LONG_RUN_DRIVERS)
  brokerSuite(`Kafka that cannot be reached, over ${driver}`, kafka, (broker) => suite(driver, broker));

/** Holds what it gets for 20 s, longer than a session, and says what that takes. */
const HOLD = `
import { kafkaLink, kafkaSource } from 'sluice/kafka';
const [broker, driver] = process.argv.slice(2);
const link = kafkaLink({ driver, brokers: [broker] });
const rss = () => { globalThis.gc(); return process.memoryUsage().rss; };
// The client and its first connection are there.
await new Promise((resolve) => kafkaSource(link, { topics: ['backlog'], group: 'warm', credit: 1 }).subscribe({ next: resolve }));
const base = rss();
const held = new Set();
let lost = 0;
kafkaSource(link, { topics: ['backlog'], group: 'hold', sessionTimeoutMs: 6000 }).subscribe((message) => {
  held.add(message);
  message.signal.addEventListener('abort', () => { lost += 1; });
});
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const samples = [];
for (let at = 0; at < 40; at += 1) {
  await rest(500);
  samples.push(rss() - base);
}
const late = samples.slice(10);
console.log(JSON.stringify({ held: held.size, most: Math.max(...samples), spread: Math.max(...late) - Math.min(...late), lost }));
process.exit(0);
`;
