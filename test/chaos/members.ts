import type { Child } from '../helpers/child-program.js';

/** What {@link members} does. */
export interface MembersPlan {
  /** Starts one more process. */
  start(): Child;
  /** What it prints once it works. */
  readonly atWork: string;
  /** How many work at the same time. */
  readonly count: number;
  /** How often one leaves and another joins. */
  readonly changes: number;
  readonly random: () => number;
}

/** How the processes of a run ended. */
export interface MembersReport {
  readonly kills: number;
  /** Exit codes of those that were asked, and how long each took. */
  readonly stops: readonly { readonly code: number | NodeJS.Signals | null; readonly ms: number }[];
  /** The ones that still work. */
  readonly working: readonly Child[];
}

/**
 * Processes that share the work and come and go: each time one of them, drawn by seed, is killed or asked to end, and
 * another takes its place as soon as the next change.
 */
export async function members(plan: MembersPlan): Promise<MembersReport> {
  const { random } = plan;
  const working: Child[] = [];
  const stops: { code: number | NodeJS.Signals | null; ms: number }[] = [];
  let kills = 0;
  const join = async (): Promise<void> => {
    const child = plan.start();
    working.push(child);
    await child.says(plan.atWork);
  };
  await Promise.all(Array.from({ length: plan.count }, join));
  for (let change = 0; change < plan.changes; change += 1) {
    const [leaving] = working.splice(Math.floor(random() * working.length), 1);
    if (leaving === undefined) throw new Error('Nobody is left.');
    if (random() < 0.5) {
      kills += 1;
      leaving.process.kill('SIGKILL');
      await leaving.ended;
    } else stops.push(await stopped(leaving));
    await join();
  }
  return { kills, stops, working };
}

/** Asks a process to end, and tells how it did. */
export async function stopped(child: Child): Promise<{ code: number | NodeJS.Signals | null; ms: number }> {
  const fromMs = performance.now();
  child.process.kill('SIGTERM');
  const code = await child.ended;
  return { code, ms: performance.now() - fromMs };
}
