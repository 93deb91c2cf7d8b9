import { expect, it } from 'vitest';
import { kafkaSink, kafkaSource, type KafkaDriverName, type KafkaLink } from 'sluice/kafka';
import { seededRandom } from 'sluice/testing';
import { DRIVERS, linkTo } from '../../src/links/kafka.js';
import { brokerSuite } from '../brokers/broker-suite.js';
import { kafka, type KafkaBroker } from '../brokers/kafka.js';
import { chaos, type ChaosReport, type Fault } from '../chaos/chaos.js';
import { kafkaGroup, type KafkaGroup } from '../chaos/kafka-group.js';
import { watchedKafka, type KafkaWatch } from '../chaos/watched-kafka.js';
import { lagOf, makeTopic } from '../helpers/kafka-admin.js';
import { LONG_RUN_DRIVERS } from '../helpers/kafka-drivers.js';
import { lasts } from '../helpers/lasts.js';

/** The defaults: what a user gets. */
const CREDIT = 500;
const COMMIT_EVERY = 100;
const UNCONFIRMED = 500;
const PARTITIONS = 6;
const MESSAGES = 100_000;
/** Each needs about a minute. More by `npm run chaos`. */
const ROUNDS = Number(process.env['CHAOS_ROUNDS'] ?? 1);
const SEED = Number(process.env['CHAOS_SEED'] ?? 20_261_127);
/** How long the broker stands still. The last one is longer than a request may take. */
const STOPS_MS = [500, 1_000, 1_000, 2_000, 9_000];

function suite(driver: KafkaDriverName, broker: () => KafkaBroker): void {
  it.for(Array.from({ length: ROUNDS }, (_, at) => SEED + at))(
    'loses nothing over 20 rebalances, 5 stops and 3 kills, commits nothing unsettled, and little comes twice (S2.9, REC-03, REC-10, ACK-12, F1, F5, F14), seed %i',
    { timeout: 180_000 },
    async (seed, context) => {
      if (!broker().isOwn) context.skip(`${broker().how} is not to be killed`);
      if (!broker().isReal) context.skip(`${broker().how}: it makes no topics on demand, and keeps nothing`);
      const { url } = broker();
      const topic = `chaos-${seed}`;
      await makeTopic(broker(), topic, PARTITIONS);
      const link = (watch?: KafkaWatch): KafkaLink =>
        linkTo(watch === undefined ? DRIVERS[driver] : watchedKafka(DRIVERS[driver], watch), { brokers: [url] });
      const random = seededRandom(seed);
      let group: KafkaGroup | undefined;
      let allowed = 0;
      /** What may come twice when every member, and the sink, lose their broker now. */
      const broken = (): void => void (allowed += (group?.size ?? 0) * (CREDIT + COMMIT_EVERY) + UNCONFIRMED);
      const faults: Fault[] = [
        {
          name: 'rebalance',
          times: 20,
          run: () => (group!.size <= 2 || (group!.size < 4 && random() < 0.5) ? group!.join() : group!.leave()),
        },
        ...STOPS_MS.map((ms) => ({
          name: `stop of ${ms} ms`,
          times: 1,
          async run() {
            broken();
            await broker().kill('SIGSTOP');
            await lasts(ms);
            await broker().kill('SIGCONT');
          },
        })),
        {
          name: 'kill',
          times: 3,
          isKill: true,
          async run() {
            broken();
            await broker().kill();
            await broker().start();
          },
        },
      ];
      const report = await chaos(
        {
          seed,
          ...(process.env['CHAOS_LOG'] === undefined ? {} : { log: (line) => console.log(line) }),
          messages: MESSAGES,
          bytes: 512,
          credit: CREDIT,
          maxUnconfirmed: UNCONFIRMED,
          faults,
        },
        [
          {
            name: 'group',
            source(seen) {
              group = kafkaGroup(
                // Members hear of a rebalance with their next heartbeat: 20 of them are to take seconds, not minutes.
                (watch) =>
                  kafkaSource(link(watch), {
                    topics: [topic],
                    group: topic,

                    groupHeartbeatMs: 200,
                    maxAttempts: 1_000,
                  }),
                PARTITIONS,
                ({ partition, offset }) => seen.committed(offset, String(partition)),
              );
              return group.flow;
            },
            sink: () => kafkaSink(link(), { topic }),
            depth: () => lagOf(broker(), topic, topic),
            bound: () => allowed,
          },
        ],
      );
      console.log(told(report, group!));
      const [one] = report.lanes;
      expect(one!.invalid).toBe('');
      expect([one!.confirmed, one!.lost, one!.unexpected, one!.committedPast]).toEqual([MESSAGES, [], [], []]);
      expect(one!.duplicates).toBeLessThanOrEqual(one!.bound);
      expect(one!.recoveriesMs).toHaveLength(3);
      expect(Math.max(0, ...one!.recoveriesMs), 'from the start of the broker to the next message').toBeLessThanOrEqual(
        5_000,
      );
    },
  );
}

for (const driver of LONG_RUN_DRIVERS)
  brokerSuite(`Kafka that breaks, over ${driver}`, kafka, (broker) => suite(driver, broker));

function told({ seconds, drainMs, lanes: [one] }: ChaosReport, { moved, slowestMs }: KafkaGroup): string {
  const back = one!.recoveriesMs.map((ms) => Math.round(ms)).join(', ');
  return (
    `${seconds.toFixed(1)} s, drained in ${Math.round(drainMs)} ms, ${moved} partitions moved, ` +
    `shared out in at most ${Math.round(slowestMs)} ms, ${one!.lost.length} lost, ` +
    `${one!.duplicates} twice (at most ${one!.bound}), ${one!.committedPast.length} committed too early, back after ${back} ms`
  );
}
