import type { KafkaDriverName } from 'sluice/kafka';
import { childProgram } from '../helpers/child-program.js';

/** What a process is to do: it writes to a channel and reads from it. */
export interface LongRunPlan {
  readonly over: 'amqp' | 'mqtt' | KafkaDriverName;
  readonly url: string;
  readonly channel: string;
  readonly bytes: number;
  /** How long it writes: longer than it takes to be warm. */
  readonly ms: number;
  /** So many a second. Default: it writes as fast as it reads, and settles at once. */
  readonly pace?: { readonly written: number; readonly read: number };
}

/** The same, as the process is told. */
export interface LongRunOrder extends LongRunPlan {
  readonly warmMs: number;
}

/** How it does, each second while it writes. */
export interface LongRunSample {
  readonly ms: number;
  readonly rssBytes: number;
  /** Its own work: what others took of the machine meanwhile does not count. */
  readonly workMs: number;
  readonly read: number;
  readonly sockets: number;
}

/** Emitters that are in use, and who listens to them: when it is warm, and before the end. */
export interface LongRunHeard {
  readonly emitters: number;
  readonly listeners: number;
}

/** What came of it. Where count and sum are the same, all came, and none twice. */
export interface LongRunEnd {
  readonly written: number;
  readonly writtenSum: number;
  readonly read: number;
  readonly readSum: number;
  /** Most that was unsettled at a time. */
  readonly mostHeld: number;
  /** Deliveries that said that they were not the first. */
  readonly again: number;
  /** Why something connected anew. */
  readonly lost: readonly string[];
}

/** Everything that it told. */
export interface LongRunReport {
  /** Those since it was warm. */
  readonly samples: readonly LongRunSample[];
  readonly firstRssBytes: number;
  readonly heard: readonly LongRunHeard[];
  readonly end: LongRunEnd;
  /** From the lowest to the highest, since it was warm. */
  readonly spreadBytes: number;
  /** By least squares, since it was warm. */
  readonly slopeBytesPerMinute: number;
  readonly perSecond: number;
  readonly perSecondOfWork: number;
}

/** Until then it may take what it keeps. */
const WARM_MS = 60_000;

/** Runs it in a process of its own, which has to end by itself. */
export async function longRun(plan: LongRunPlan): Promise<LongRunReport> {
  const program = await childProgram(`import './test/chaos/long-run-program.ts';`);
  const order: LongRunOrder = { ...plan, warmMs: WARM_MS };
  const child = program.start(JSON.stringify(order));
  const code = await child.ended;
  const told = <T>(what: string): T[] =>
    [...child.said.matchAll(new RegExp(`^${what} (.*)$`, 'gm'))].map(([, json]) => JSON.parse(json ?? '') as T);
  const all = told<LongRunSample>('sample');
  const samples = all.filter(({ ms }) => ms >= WARM_MS);
  const [end] = told<LongRunEnd>('end');
  const [first, last] = [samples.at(0), samples.at(-1)];
  if (code !== 0 || end === undefined || first === undefined || last === undefined)
    throw new Error(`It ended with ${code} and said:\n${child.said.slice(-2_000)}`);
  const sizes = samples.map(({ rssBytes }) => rssBytes);
  return {
    samples,
    firstRssBytes: all[0]?.rssBytes ?? 0,
    heard: told('heard'),
    end,
    spreadBytes: Math.max(...sizes) - Math.min(...sizes),
    slopeBytesPerMinute: slope(samples.map(({ ms, rssBytes }) => [ms / 60_000, rssBytes])),
    perSecond: ((last.read - first.read) / (last.ms - first.ms)) * 1_000,
    perSecondOfWork: ((last.read - first.read) / (last.workMs - first.workMs)) * 1_000,
  };
}

function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const along = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return along / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
