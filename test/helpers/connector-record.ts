import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import {
  conformance,
  guaranteeOf,
  type CaseRecord,
  type ConformanceOptions,
  type Features,
  type Guarantee,
  type Harness,
} from 'sluice/testing';

/** What the suite proved of one connector. */
export interface ConnectorRecord {
  readonly guarantee: Guarantee;
  readonly features: Features;
  /** How many cases run. */
  readonly proven: number;
  /** Cases that do not apply, by their reason. */
  readonly skipped: Readonly<Record<string, readonly string[]>>;
}

/** What {@link proven} may be told. */
export interface ProvenOptions extends ConformanceOptions {
  readonly isRecorded?: boolean;
}

const FILE = 'docs/connectors.json';
export const PAGE = 'docs/connectors.md';
/** `UPDATE_DOCS=1` writes what was found instead of comparing. */
export const isUpdating: boolean = process.env['UPDATE_DOCS'] !== undefined;

export function readRecords(): Record<string, ConnectorRecord> {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, ConnectorRecord>;
}

export function recordOf({ features }: Harness, cases: readonly CaseRecord[]): ConnectorRecord {
  const skipped: Record<string, string[]> = {};
  let proven = 0;
  for (const one of cases) {
    if (one.status === 'skipped') (skipped[one.reason] ??= []).push(one.id);
    else proven += 1;
  }
  return { guarantee: guaranteeOf(features), features, proven, skipped };
}

/**
 * Runs the suite, and compares what applies with the record that the page of connectors is made from; not with
 * `isRecorded: false`, for a bench that can do less than usual.
 */
export function proven(harness: Harness, { isRecorded = true, ...options }: ProvenOptions = {}): void {
  const runner = { describe, it, expect: (actual: unknown, what?: string) => expect(actual, what) };
  const record = recordOf(harness, conformance(harness, runner, options));
  if (!isRecorded) return;
  describe(`the record of ${harness.name}`, () => {
    it('is the one in the documentation (UPDATE_DOCS=1 writes it)', () => {
      if (isUpdating) {
        const all = { ...readRecords(), [harness.name]: record };
        const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
        writeFileSync(FILE, `${JSON.stringify(sorted, null, 2)}\n`);
      }
      expect(readRecords()[harness.name]).toEqual(record);
    });
  });
}

const MEANING: Readonly<Partial<Record<keyof Features, string>>> = {
  ack: 'acknowledgements',
  confirms: 'what a confirmed send means',
  flowControl: 'how the far side is made to wait',
  headers: 'headers',
  backlog: 'keeps what comes while nobody reads',
  binary: 'every byte value passes',
  byteCredit: '`creditBytes` holds',
  ordered: 'order of the whole channel',
  orderedPerKey: 'order of each key',
  orderedSingleConsumer: 'order with one consumer',
  orderOnRequeue: 'a requeued message holds back those behind it',
  keyed: 'keys',
  persistent: 'survives a kill of the broker',
  lateSettlementsMs: 'settlements of the last ms may be forgotten by a kill',
  durableSubscription: 'durable subscriptions',
  replay: 'replay from the start',
  consumerGroups: 'consumer groups',
  broadcast: 'each subscriber gets every message',
  cumulativeAck: 'settles up to a position',
  nackRequeue: 'requeue',
  nackDelay: 'shortest wait before a requeued message, ms',
  deadLetter: 'dead letters',
  deliveryCount: '`attempt` counts',
  exactlyOnce: 'exactly once',
  routingReport: 'tells of messages nobody takes',
  maxMessageBytes: 'largest message, bytes',
  fanOut: 'one delivery to several branches',
  finite: 'ends by itself',
  reconnects: 'comes back after a lost connection',
  tokenRefresh: 'new credentials without a restart',
  tls: 'TLS',
  mtls: 'client certificates',
  peerDetectMs: 'a silent peer is given up after ms, as tested',
  stallDetectMs: 'a stall is found after ms',
  brokerControl: 'the broker shows what it handed out',
  exposesServer: 'listens itself',
};

function cell(value: unknown): string {
  if (value === undefined || value === false) return '';
  if (value === true) return 'yes';
  return Array.isArray(value) ? value.join(', ') : JSON.stringify(value).replaceAll('"', '');
}

/** The page of connectors. */
export function pageOf(records: Readonly<Record<string, ConnectorRecord>>): string {
  const names = Object.keys(records);
  const all = Object.values(records);
  const row = (title: string, cells: readonly string[]): string => `| ${[title, ...cells].join(' | ')} |`;
  const keys = [...new Set(all.flatMap(({ features }) => Object.keys(features) as (keyof Features)[]))];
  const known = Object.keys(MEANING) as (keyof Features)[];
  const rows = [...known.filter((key) => keys.includes(key)), ...keys.filter((key) => !known.includes(key))].map(
    (key) =>
      row(
        MEANING[key] ?? `\`${key}\``,
        all.map(({ features }) => cell(features[key])),
      ),
  );
  const skips = names.flatMap((name) => [
    `### ${name}`,
    '',
    ...Object.entries(records[name]?.skipped ?? {}).map(([reason, ids]) => `- ${ids.join(', ')}: ${reason}`),
    '',
  ]);
  return [
    '# Connectors',
    '',
    'What each connector promises, as [the conformance suite](testing.md#proving-a-connector) proved it. This page is made from the record',
    'of the suite; a test keeps both equal.',
    '',
    row('', names),
    row(
      '---',
      names.map(() => '---'),
    ),
    row(
      'guarantee',
      all.map(({ guarantee }) => guarantee),
    ),
    ...rows.filter((line) => /\| [^|]*[^| ]/.test(line.slice(line.indexOf('|', 1)))),
    row(
      'cases proven',
      all.map(({ proven: count }) => String(count)),
    ),
    '',
    '## Cases that do not apply, and why',
    '',
    ...skips,
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}
