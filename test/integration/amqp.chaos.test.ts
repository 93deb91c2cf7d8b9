import { expect, it } from 'vitest';
import { amqpLink, amqpSink, amqpSource, type AmqpLink } from 'sluice/amqp';
import { faultProxy } from 'sluice/testing-node';
import { brokerSuite } from '../brokers/broker-suite.js';
import { rabbitmq, type Rabbitmq } from '../brokers/rabbitmq.js';
import { amqpAdmin } from '../helpers/amqp-admin.js';
import { chaos, type ChaosLane } from '../chaos/chaos.js';
import { networkFaults } from '../chaos/network-faults.js';

const CREDIT = 128;
const UNCONFIRMED = 256;
/** Each needs about a minute. More by `npm run chaos`. */
const ROUNDS = Number(process.env['CHAOS_ROUNDS'] ?? 1);
const SEED = Number(process.env['CHAOS_SEED'] ?? 20_261_127);

brokerSuite('AMQP on a RabbitMQ that breaks', rabbitmq, (broker) => {
  it.for(Array.from({ length: ROUNDS }, (_, at) => SEED + at))(
    'loses nothing over 3 kills, 5 resets and 2 half-opens, and little comes twice (S2.9, REC-03, REC-04, F1, F3, F4), seed %i',
    { timeout: 180_000 },
    async (seed, context) => {
      if (!broker().isOwn) context.skip(`${broker().how} is not to be killed`);
      const noticedMs: number[] = [];
      const proxy = await faultProxy({ port: broker().port });
      const url = broker().url.replace(`:${broker().port}`, `:${proxy.port}`);
      const links: AmqpLink[] = [];
      const lane = (type: 'quorum' | 'classic'): ChaosLane => {
        const queue = `chaos-${type}-${seed}`;
        // Everything at its default: what a user gets.
        const link = amqpLink({ url, topology: { queues: [{ name: queue, type }] } });
        links.push(link);
        return {
          name: type,
          source: () => amqpSource(link, { queue, credit: CREDIT, maxAttempts: 1_000 }),
          sink: () => amqpSink(link, { exchange: '', routingKey: queue, maxUnconfirmed: UNCONFIRMED }),
          depth: () => amqpAdmin(broker().url).depth(queue),
          doubtMs: ({ isKill }) => (type === 'classic' && isKill === true ? 200 : undefined),
        };
      };
      const lanes = [lane('quorum'), lane('classic')];
      await declared(
        broker(),
        lanes.map(({ name }) => name as 'quorum' | 'classic'),
        seed,
      );
      try {
        const report = await chaos(
          {
            seed,
            ...(process.env['CHAOS_LOG'] === undefined ? {} : { log: (line) => console.log(line) }),
            messages: 200_000,
            bytes: 1_024,
            credit: CREDIT,
            maxUnconfirmed: UNCONFIRMED,
            faults: [
              ...networkFaults(proxy, {
                links: links.flatMap(({ reading, writing }) => [reading.status$, writing.status$]),
                resets: 5,
                halfOpens: 2,
                noticed: (ms) => void noticedMs.push(ms),
              }),
              {
                name: 'kill',
                times: 3,
                isKill: true,
                async run() {
                  await broker().kill();
                  await broker().start();
                },
              },
            ],
          },
          lanes,
        );
        console.log(told(report, noticedMs));
        for (const one of report.lanes) {
          expect(one.invalid).toBe('');
          expect([one.confirmed, one.lost, one.unexpected]).toEqual([100_000, [], []]);
          expect(one.duplicates, `${one.name}: duplicates`).toBeLessThanOrEqual(one.bound);
          expect(one.recoveriesMs).toHaveLength(3);
          expect(Math.max(...one.recoveriesMs), `${one.name}: recovery`).toBeLessThanOrEqual(5_000);
        }
        expect(noticedMs).toHaveLength(2);
        expect(Math.max(...noticedMs), 'a peer that is gone').toBeLessThanOrEqual(15_500);
        expect(report.drainMs).toBeLessThanOrEqual(30_000);
      } finally {
        await proxy.close();
      }
    },
  );
});

function told(report: Awaited<ReturnType<typeof chaos>>, noticedMs: readonly number[]): string {
  const round = (values: readonly number[]): string => values.map((ms) => Math.round(ms)).join(', ');
  const lanes = report.lanes.map(
    (one) =>
      `${one.name}: ${one.lost.length} lost, ${one.duplicates} twice (at most ${one.bound}), back after ${round(one.recoveriesMs)} ms`,
  );
  return `${report.seconds.toFixed(1)} s, drained in ${round([report.drainMs])} ms, half-open found after ${round(noticedMs)} ms\n${lanes.join('\n')}`;
}

/** The queues are there and the broker knows it: see the note on quorum queues in docs/amqp.md. */
async function declared(broker: Rabbitmq, types: readonly ('quorum' | 'classic')[], seed: number): Promise<void> {
  await amqpAdmin(broker.url).with(async (channel) => {
    for (const type of types)
      await channel.assertQueue(`chaos-${type}-${seed}`, { durable: true, arguments: { 'x-queue-type': type } });
  });
  await broker.stop();
  await broker.start();
}
