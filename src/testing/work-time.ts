import { systemClock } from '../clock.js';

/** As much of Node's `process` as is looked at, where there is one. */
interface Host {
  cpuUsage(): { readonly user: number; readonly system: number };
}

/**
 * How long this process has worked, in milliseconds since some moment: what others took of the machine meanwhile does not
 * count. Where the system does not tell, the time that passed.
 *
 * @internal
 */
export function workTimeMs(): number {
  const { process } = globalThis as { readonly process?: Partial<Host> };
  const usage = process?.cpuUsage?.();
  return usage === undefined ? systemClock.elapsed() : (usage.user + usage.system) / 1_000;
}
