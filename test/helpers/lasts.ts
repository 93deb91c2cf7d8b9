import { setTimeout as pause } from 'node:timers/promises';

/** How long a fault is to last, where its length is what is tested. Nothing is waited for with it: that is what `until` is for. */
export async function lasts(ms: number): Promise<void> {
  await pause(ms);
}
