import { setTimeout as pause } from 'node:timers/promises';
import type { Flow, Sink } from 'sluice';
import { history, seededRandom, type History, type HistoryReport } from 'sluice/testing';
import { chaosReader } from './chaos-reader.js';
import { chaosWriter } from './chaos-writer.js';
import { faultSchedule } from './fault-schedule.js';

/** One way from a sink to a source that has to lose nothing. Several share the faults of a run. */
export interface ChaosLane {
  readonly name: string;
  /** May tell the history what its reader commits. */
  source(seen: History): Flow<Uint8Array>;
  sink(): Sink<Uint8Array>;
  /** What the far side still has of it: ready, and unsettled where it counts that. */
  depth(): number | Promise<number>;
  /** How long before a fault the far side may not know of settlements, where that is not bounded by W. Default: it knows all. */
  doubtMs?(fault: Fault): number | undefined;
  /** Asked at the end, where it is not breaks × (W + U): most duplicates that are none of ours. */
  bound?(): number;
}

/** Something that breaks, and is whole again when `run` resolves. */
export interface Fault {
  readonly name: string;
  readonly times: number;
  run(): Promise<void>;
  /** The far side forgets what it had not written down. */
  readonly isKill?: boolean;
}

/** What a run is to do. */
export interface ChaosPlan {
  readonly seed: number;
  /** Of all lanes together. */
  readonly messages: number;
  readonly bytes: number;
  /** W: the credit of each source. U: what each sink may have unconfirmed. */
  readonly credit: number;
  readonly maxUnconfirmed: number;
  readonly faults: readonly Fault[];
  /** Longest for all of it. Default 170,000 ms. */
  readonly withinMs?: number;
  /** How long nothing may move and be left anywhere until what is missing is lost. Default 5,000 ms. */
  readonly lostMs?: number;
  /** Told what is broken, and how far all are. */
  readonly log?: (line: string) => void;
}

/** What became of one lane. */
export interface LaneReport extends HistoryReport {
  readonly name: string;
  /** Most duplicates that are none of ours: what the lane says, or breaks × (W + U) and those forgotten. */
  readonly bound: number;
  /** Came again after a settlement that the far side may not know of. */
  readonly forgotten: number;
  /** From a kill's end to the next message, each. */
  readonly recoveriesMs: readonly number[];
}

/** What became of a run. */
export interface ChaosReport {
  readonly seed: number;
  readonly breaks: number;
  readonly lanes: readonly LaneReport[];
  readonly seconds: number;
  /** From the last break's end until everything was there. */
  readonly drainMs: number;
}

/** So far writers may be ahead of readers: enough that both always have work, little enough that a broker is soon back. */
const AHEAD = 3_000;
/** So long nothing more may come before a lane is taken for empty. */
const QUIET_MS = 300;

/**
 * Writes and reads under faults until everything that was confirmed was delivered, and tells what was lost or came twice.
 * The order of the faults and when they come is drawn by seed; a quarter of the time is quiet. Readers hold their whole
 * window and settle in random order.
 */
export async function chaos(plan: ChaosPlan, lanes: readonly ChaosLane[]): Promise<ChaosReport> {
  const { seed, bytes, withinMs = 170_000, lostMs = 5_000 } = plan;
  const random = seededRandom(seed);
  const schedule = faultSchedule(plan.faults, random);
  const total = Math.floor(plan.messages / lanes.length);
  const startMs = performance.now();
  const until = async (what: () => string, holds: () => boolean | Promise<boolean>, tickMs = 5): Promise<void> => {
    while (!(await holds())) {
      if (performance.now() - startMs > withinMs) throw new Error(`seed ${seed}: not in ${withinMs} ms: ${what()}`);
      await pause(tickMs);
    }
  };
  /** Those to come: each finds something left that shows when all are back, however fast they were. */
  let kills = schedule.filter(({ fault }) => fault.isKill === true).length;
  const kept = Math.min(AHEAD, Math.floor(total / 8 / Math.max(1, kills)));
  // In step, so that every fault finds all of them at work.
  function goOn(): void {
    const slowest = Math.min(...runs.map(({ reader }) => reader.distinct));
    for (const { writer } of runs) writer.upTo(Math.min(slowest + AHEAD, total - kills * kept));
  }
  const runs = lanes.map((lane) => {
    const seen = history(`chaos-${seed}`);
    const writer = chaosWriter(lane.sink(), seen, lane.name, total, bytes);
    const reader = chaosReader(lane.source(seen), seen, seededRandom(seed + 1), goOn);
    writer.upTo(AHEAD);
    return { lane, seen, writer, reader, recoveriesMs: [] as number[] };
  });
  const where = (): string =>
    runs
      .map(({ lane, reader, writer }) => `${lane.name} ${writer.confirmed} confirmed, ${reader.distinct} delivered`)
      .join('; ');

  try {
    let recovered: Promise<unknown> = Promise.resolve();
    for (const { at, fault } of schedule) {
      await until(where, () => runs.every(({ reader }) => reader.distinct >= at * total));
      // Broken again before somebody was back, it would be one fault.
      await recovered;
      const fromMs = performance.now();
      const say = (what: string): void =>
        plan.log?.(`${Math.round(performance.now() - startMs)} ms, ${fault.name} ${what}: ${where()}`);
      say('begins');
      const sure = runs.map(({ lane, reader }) => {
        const doubtMs = lane.doubtMs?.(fault);
        return doubtMs === undefined ? undefined : reader.doubt(fromMs - doubtMs);
      });
      await fault.run();
      for (const end of sure) end?.();
      say('is over');
      if (fault.isKill !== true) continue;
      const backMs = performance.now();
      for (const run of runs) {
        const { reader, recoveriesMs } = run;
        const { distinct } = reader;
        const isBack = until(where, () => reader.distinct > distinct).then(
          () => void recoveriesMs.push(performance.now() - backMs),
          () => undefined,
        );
        recovered = Promise.all([recovered, isBack]);
      }
      kills -= 1;
      goOn();
    }
    const healedMs = performance.now();
    await until(where, () => runs.every(({ writer }) => writer.isDone));
    await Promise.all(
      runs.map(async ({ lane, reader, writer, seen }) => {
        // What is still missing when nothing moves and nothing is left at the far side is lost.
        let [count, sinceMs] = [-1, 0];
        await until(
          () => `${lane.name} is not drained: ${where()}`,
          async () => {
            const isEmpty = reader.open === 0 && (await lane.depth()) === 0;
            if (!isEmpty || count !== reader.count) [count, sinceMs] = [reader.count, performance.now()];
            return performance.now() - sinceMs >= (reader.distinct >= writer.confirmed ? QUIET_MS : lostMs);
          },
          QUIET_MS / 2,
        );
        seen.drained();
      }),
    );
    const drainMs = performance.now() - healedMs;
    const breaks = schedule.length;
    return {
      seed,
      breaks,
      seconds: (performance.now() - startMs) / 1_000,
      drainMs,
      lanes: runs.map(({ lane, seen, reader: { forgotten }, recoveriesMs }) => ({
        ...seen.check(),
        name: lane.name,
        recoveriesMs,
        forgotten,
        bound: lane.bound?.() ?? breaks * (plan.credit + plan.maxUnconfirmed) + forgotten,
      })),
    };
  } finally {
    for (const { writer } of runs) writer.stop();
    await Promise.all(runs.map(({ reader }) => reader.stop()));
  }
}
