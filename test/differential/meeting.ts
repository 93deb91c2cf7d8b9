import { setTimeout as pause } from 'node:timers/promises';

/** So long nothing may happen before a system is taken to rest; what is not the same after the second is different. */
const REST_MS = 60;
const PATIENCE_MS = 5_000;

/**
 * Where systems that play the same scenario wait for each other: a step is over once all have shown equally much and
 * nothing more happens. So a slow system is waited for, and only one that shows something else costs time.
 */
export class Meeting {
  private readonly places: { shown: number; steps: number; lastMs: number; isOver: boolean }[] = [];

  /** A place for one system. */
  join(): { show(): void; rest(): Promise<void>; leave(): void } {
    const own = { shown: 0, steps: 0, lastMs: 0, isOver: false };
    this.places.push(own);
    return {
      show() {
        own.shown += 1;
        own.lastMs = performance.now();
      },
      rest: async () => {
        own.steps += 1;
        own.lastMs = performance.now();
        let metMs: number | undefined;
        for (;;) {
          await pause(5);
          const nowMs = performance.now();
          const isSame = this.places.every(
            (one) => one.isOver || one.steps > own.steps || (one.steps === own.steps && one.shown === own.shown),
          );
          if (this.places.every((one) => one.isOver || one.steps >= own.steps)) metMs ??= nowMs;
          if (nowMs - own.lastMs >= REST_MS && (isSame || (metMs !== undefined && nowMs - metMs > PATIENCE_MS))) return;
        }
      },
      leave() {
        own.isOver = true;
      },
    };
  }
}
