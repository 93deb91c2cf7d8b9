import { loadavg } from 'node:os';
import Table from 'cli-table3';
import type { Observable } from 'rxjs';

/** One way to do the work; resolves with how many messages reached the far end. */
export interface Contender {
  readonly name: string;
  run(): Promise<number>;
}

/** What a comparison has to show; undefined when it only informs. */
export interface Target {
  /** Least ratio of ours to the fastest rival of the same run, as a median. */
  readonly atLeast?: number;
  /** Least messages a second of ours, as a median. */
  readonly perSecond?: number;
}

interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7);
const WARM_UPS = 2;

/** Verdicts of this process, for its exit code. */
const missed: string[] = [];

/**
 * Runs all contenders in turn, round by round, so that whatever slows the machine slows all of them; prints the messages
 * a second and the ratio of ours to each rival in the same round. A message that did not arrive is an error.
 */
export async function compare(
  title: string,
  count: number,
  ours: Contender,
  rivals: readonly Contender[],
  target: Target = {},
): Promise<void> {
  const all = [ours, ...rivals];
  const rates = new Map(all.map(({ name }) => [name, [] as number[]]));
  for (let round = -WARM_UPS; round < ROUNDS; round += 1) {
    // Turned each round: nobody is always first after a collection.
    for (let at = 0; at < all.length; at += 1) {
      const contender = all[(at + round + WARM_UPS) % all.length] as Contender;
      globalThis.gc?.();
      const startMs = performance.now();
      const arrived = await contender.run();
      const seconds = (performance.now() - startMs) / 1_000;
      if (arrived !== count) throw new Error(`${title}, ${contender.name}: ${arrived} of ${count} messages arrived`);
      if (round >= 0) rates.get(contender.name)?.push(count / seconds);
    }
  }
  const own = rates.get(ours.name) as number[];
  const table = new Table({
    head: ['', 'messages/s', 'ours ÷ it: min', 'median', 'max'],
    style: { head: [], border: [] },
  });
  table.push([ours.name, thousands(spread(own).median), '', '', '']);
  let worst = Infinity;
  for (const { name } of rivals) {
    const theirs = rates.get(name) as number[];
    const ratio = spread(own.map((rate, round) => rate / (theirs[round] as number)));
    worst = Math.min(worst, ratio.median);
    table.push([
      name,
      thousands(spread(theirs).median),
      ...[ratio.min, ratio.median, ratio.max].map((x) => x.toFixed(2)),
    ]);
  }
  console.log(`\n${title} (${thousands(count)} messages, ${ROUNDS} rounds, load ${(loadavg()[0] ?? 0).toFixed(1)})`);
  console.log(table.toString());
  verdict(title, target.atLeast === undefined || worst >= target.atLeast, `ratio ${worst.toFixed(2)}`, target.atLeast);
  const rate = spread(own).median;
  verdict(title, target.perSecond === undefined || rate >= target.perSecond, `${thousands(rate)}/s`, target.perSecond);
}

/** Prints whether a target was met, and remembers it for the exit code. */
export function verdict(title: string, met: boolean, seen: string, wanted: number | undefined): void {
  if (wanted === undefined) return;
  console.log(`${met ? 'met   ' : 'MISSED'} ${seen}, wanted at least ${wanted >= 1_000 ? thousands(wanted) : wanted}`);
  if (!met) missed.push(title);
  if (missed.length > 0) process.exitCode = 1;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] as number;
  return { min: at(0), median: at(0.5), max: at(1) };
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Counts what a flow or Observable gives until it completes; messages are acked. */
export function counted(observable: Observable<unknown>): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    observable.subscribe({
      next(value) {
        count += 1;
        (value as { ack?: () => boolean }).ack?.();
      },
      error: (error: unknown) => reject(error as Error),
      complete: () => resolve(count),
    });
  });
}
