import { settings } from './settings.js';

/** One way to do the work. */
export interface Contender {
  readonly name: string;
  /** What the work needs and what is not measured, for example a connection. */
  before?(): Promise<unknown>;
  /** Resolves with how many messages reached the far end. All of it is measured, but for what it says by the stopwatch. */
  run(watch: Stopwatch): Promise<number> | number;
  after?(): Promise<unknown>;
  /** Shown, but no target is held against it. */
  readonly informs?: boolean;
}

/** Says what of a run is measured, where that is not all of it. */
export interface Stopwatch {
  /** From here on. */
  begin(): void;
  /** Up to here. */
  end(): void;
}

/** What a comparison has to show; nothing when it only informs. */
export interface Target {
  /** Least ratio of ours to each rival of the same run, as a median. */
  readonly atLeast?: number;
  /** Least messages a second of ours, as a median. */
  readonly perSecond?: number;
  /** Judged by the processor time of this process in any case: where another process could be what limits both. */
  readonly cpu?: boolean;
}

/** One line of the summary. */
export interface Verdict {
  readonly title: string;
  readonly met: boolean;
  readonly seen: string;
  readonly wanted: string;
}

interface Times {
  readonly wall: number[];
  readonly cpu: number[];
}

/** Each runs for so long before it counts: compiled code is what a server runs. */
const WARM_UP_S = settings.quick ? 0.4 : 1.5;
const LABEL = 40;

/** How a process ends whose benchmarks ran but missed a target. */
export const MISSED = 3;

/**
 * Runs all contenders in turn, round by round, so that whatever slows the machine slows all of them, and prints the
 * messages a second and the ratio of ours to each rival in the same round. A message that did not arrive is an error.
 */
export async function compare(
  title: string,
  count: number,
  ours: Contender,
  rivals: readonly Contender[],
  target: Target = {},
): Promise<void> {
  if (settings.only !== undefined && !title.includes(settings.only)) return;
  const all = [ours, ...rivals];
  const times = new Map<Contender, Times>(all.map((contender) => [contender, { wall: [], cpu: [] }]));
  for (const contender of all)
    for (let warm = 0; warm < WARM_UP_S;) warm += (await timed(title, count, contender)).wall;
  for (let round = 0; round < settings.rounds; round += 1) {
    // Turned each round: nobody is always first after a collection.
    for (let at = 0; at < all.length; at += 1) {
      const contender = all[(at + round) % all.length] as Contender;
      const { wall, cpu } = await timed(title, count, contender);
      times.get(contender)?.wall.push(wall);
      times.get(contender)?.cpu.push(cpu);
    }
  }
  const own = times.get(ours) as Times;
  const [clock, other] = settings.cpu || target.cpu === true ? (['cpu', 'wall'] as const) : (['wall', 'cpu'] as const);
  console.log(`\n${title}: ${thousands(count)} messages, ${settings.rounds} rounds`);
  console.log(
    `${''.padEnd(LABEL)}${`per ${clock} s`.padStart(13)}    ours ÷ it: min   med   max  best   (${other} med)`,
  );
  console.log(`  ${ours.name.padEnd(LABEL - 2)}${thousands(count / median(own[clock])).padStart(13)}`);
  let worst = Infinity;
  for (const rival of rivals) {
    const theirs = times.get(rival) as Times;
    const ratio = ratios(theirs[clock], own[clock]);
    if (rival.informs !== true) worst = Math.min(worst, median(ratio));
    // The last one compares the fastest rounds of both: what is left when nothing disturbed.
    const best = Math.min(...theirs[clock]) / Math.min(...own[clock]);
    const spread = [Math.min(...ratio), median(ratio), Math.max(...ratio), best]
      .map((x) => x.toFixed(2).padStart(6))
      .join('');
    console.log(
      `  ${rival.name.padEnd(LABEL - 2)}${thousands(count / median(theirs[clock])).padStart(13)}${spread.padStart(35)}   (${median(ratios(theirs[other], own[other])).toFixed(2)})`,
    );
  }
  const { atLeast, perSecond } = target;
  if (atLeast !== undefined)
    verdict({ title, met: worst >= atLeast, seen: `× ${worst.toFixed(2)}`, wanted: `× ${atLeast.toFixed(2)}` });
  if (perSecond !== undefined) {
    const rate = count / median(own[clock]);
    verdict({
      title,
      met: rate >= perSecond,
      seen: `${thousands(rate)}/s`,
      wanted: `${thousands(perSecond)}/s`,
    });
  }
}

async function timed(title: string, count: number, contender: Contender): Promise<{ wall: number; cpu: number }> {
  await contender.before?.();
  // The young only: a full collection throws away compiled code, which no service does between two messages.
  globalThis.gc?.({ type: 'minor' });
  const watch = stopwatch();
  const arrived = await contender.run(watch);
  const took = watch.took();
  await contender.after?.();
  if (arrived !== count) throw new Error(`${title}, ${contender.name}: ${arrived} of ${count} messages arrived`);
  return took;
}

function stopwatch(): Stopwatch & { took(): { wall: number; cpu: number } } {
  let startMs = 0;
  let startCpu = process.cpuUsage();
  let took: { wall: number; cpu: number } | undefined;
  function begin(): void {
    startCpu = process.cpuUsage();
    startMs = performance.now();
  }
  function end(): { wall: number; cpu: number } {
    const { user, system } = process.cpuUsage(startCpu);
    return (took = { wall: (performance.now() - startMs) / 1e3, cpu: (user + system) / 1e6 });
  }
  begin();
  return { begin, end, took: () => took ?? end() };
}

/** Prints whether a target was met and tells it to the run; a miss makes the process fail. */
export function verdict(said: Verdict): void {
  console.log(`  ${said.met ? 'met' : 'MISSED'}: ${said.seen}, wanted ${said.wanted}`);
  if (!said.met) process.exitCode = MISSED;
  process.send?.(said);
}

const ratios = (theirs: readonly number[], own: readonly number[]): number[] =>
  own.map((seconds, round) => (theirs[round] as number) / seconds);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] as number;
}

/** 1234567.8 as `1,234,568`. */
export function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
