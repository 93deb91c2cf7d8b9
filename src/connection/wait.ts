import type { Clock } from '../clock.js';

/** Resolves once `ms` have passed on `clock`, and keeps the process alive until then. @internal */
export function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.timer(ms, resolve));
}
