import process from 'node:process';
import { expect, it } from 'vitest';
import type { Broker } from '../brokers/broker.js';
import { brokerSuite } from '../brokers/broker-suite.js';
import { kafka, type KafkaBroker } from '../brokers/kafka.js';
import { mosquitto } from '../brokers/mosquitto.js';
import { rabbitmq } from '../brokers/rabbitmq.js';
import { longRun, type LongRunPlan, type LongRunReport } from '../chaos/long-run.js';
import { makeTopic } from '../helpers/kafka-admin.js';
import { LONG_RUN_DRIVERS } from '../helpers/kafka-drivers.js';
import { keptSession } from '../helpers/mqtt-session.js';

const MIB = 1_048_576;
const BYTES = 1_024;
/** They take minutes each, and are not to be disturbed by others. */
const isLong = process.env['CHAOS_ROUNDS'] !== undefined;
/** `SOAK_MS=3600000` goes on for an hour. */
const SOAK_MS = Number(process.env['SOAK_MS'] ?? 180_000);
const HOUR_MS = 3_600_000;
/** Long enough for what is seen only after a while to be seen while the reader is behind. */
const SLOW_MS = 75_000;

interface Ends {
  readonly over: LongRunPlan['over'];
  /** W and U at their defaults. */
  readonly credit: number;
  readonly maxUnconfirmed: number;
  prepare?(url: string, channel: string): Promise<void>;
}

function suite(broker: () => Broker, { over, credit, maxUnconfirmed, prepare }: Ends): void {
  const run = async (channel: string, plan: Pick<LongRunPlan, 'ms' | 'pace'>): Promise<LongRunReport> => {
    const { url } = broker();
    await prepare?.(url, channel);
    const report = await longRun({ over, url, channel, bytes: BYTES, ...plan });
    const { end, samples } = report;
    console.log(`${over}, ${told(report)}`);
    expect([end.read, end.readSum, end.again, end.lost]).toEqual([end.written, end.writtenSum, 0, []]);
    expect(new Set(samples.map(({ sockets }) => sockets)), 'sockets').toHaveLength(1);
    return report;
  };

  it(
    'neither grows nor leaves anything behind while it works as fast as it can (RES-02, G11)',
    { timeout: SOAK_MS + 180_000 },
    async () => {
      const report = await run('soak', { ms: SOAK_MS });
      expect(report.spreadBytes).toBeLessThanOrEqual((SOAK_MS < HOUR_MS ? 16 : 24) * MIB);
      if (SOAK_MS >= HOUR_MS) expect(report.slopeBytesPerMinute).toBeLessThanOrEqual(0.1 * MIB);
      const [warm, last] = report.heard;
      expect(last).toEqual(warm);
      if (over === 'amqp') expect(report.perSecondOfWork).toBeGreaterThanOrEqual(15_000);
    },
  );

  it(
    'keeps to its window, its memory and its connections with a reader ten times slower than what is written (RES-01, F6, G12)',
    { timeout: SLOW_MS + 180_000 },
    async () => {
      const report = await run('slow', { ms: SLOW_MS, pace: { written: 2_000, read: 200 } });
      const { end, samples, firstRssBytes } = report;
      // It was behind, and as far as its window lets it be.
      expect(end.written).toBeGreaterThan(5 * (samples.at(-1)?.read ?? Infinity));
      expect(end.mostHeld).toBe(credit);
      const most = Math.max(...samples.map(({ rssBytes }) => rssBytes));
      expect(most - firstRssBytes).toBeLessThanOrEqual((credit + maxUnconfirmed) * BYTES + 64 * MIB);
    },
  );
}

function told({ end, spreadBytes, slopeBytesPerMinute, perSecond, perSecondOfWork }: LongRunReport): string {
  return (
    `${end.written} messages, ${Math.round(perSecond)} a second, ${Math.round(perSecondOfWork)} a second of work, ` +
    `at most ${end.mostHeld} unsettled; resident memory within ${(spreadBytes / MIB).toFixed(1)} MiB, ` +
    `${(slopeBytesPerMinute / MIB).toFixed(2)} MiB a minute`
  );
}

function brokers(): void {
  brokerSuite('AMQP for long', rabbitmq, (broker) => suite(broker, { over: 'amqp', credit: 200, maxUnconfirmed: 500 }));
  // This broker would write down all that it keeps with each change.
  const keeps = (): Promise<Broker> => mosquitto(['autosave_on_changes false', 'autosave_interval 1800']);
  brokerSuite('MQTT for long', keeps, (broker) =>
    suite(broker, {
      over: 'mqtt',
      credit: 100,
      maxUnconfirmed: 200,
      prepare: (url, channel) => keptSession(url, channel, channel),
    }),
  );
  for (const driver of LONG_RUN_DRIVERS)
    brokerSuite(`Kafka for long, over ${driver}`, kafka, (broker: () => KafkaBroker) =>
      suite(broker, {
        over: driver,
        credit: 500,
        maxUnconfirmed: 500,
        // What is read is not kept for long: an hour writes more than a disk may hold.
        prepare: (url, channel) => makeTopic({ url }, channel, 6, { 'retention.bytes': String(256 * MIB) }),
      }),
    );
}

if (isLong) brokers();
else {
  console.warn('skipped: brokers that are used for long: npm run chaos');
  it('holds for long', (context) => context.skip('takes half an hour, and a machine for itself: npm run chaos'));
}
