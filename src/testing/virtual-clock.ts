import { systemClock, type Cancel, type Clock } from '../clock.js';
import { checkArgument, checkOptions, integer, numeric } from '../connection/options.js';
import { Ring } from '../connection/ring.js';
import { seededRandom } from './seeded-random.js';
import { TimerHeap } from './timer-heap.js';

/** How a {@link VirtualClock} starts. */
export interface VirtualClockOptions {
  /** Of `random()`. Default 1. */
  readonly seed?: number;
  /** Wall time at the start, in milliseconds since the epoch. Default 2030-01-01T00:00:00Z. */
  readonly startMs?: number;
  /** Work done without time moving before the clock gives up, as a loop without end would hang. Default 20,000,000. */
  readonly maxSteps?: number;
}

/**
 * A clock whose time moves only when it is told to.
 *
 * @see virtualClock
 */
export interface VirtualClock extends Clock {
  readonly seed: number;
  /** Timers that were set and neither ran nor were cancelled. */
  readonly pendingTimers: number;
  /** Moves time by `ms` and runs all that becomes due, in order. Promises do not resolve meanwhile: use it for code without. */
  advance(ms: number): void;
  /** The same, and lets every promise that can resolve do so before time moves on. */
  run(ms: number): Promise<void>;
  /** Runs until `condition` holds, at most for `withinMs`; resolves to whether it holds. Time stops there. */
  runUntil(condition: () => boolean, withinMs: number): Promise<boolean>;
  /** Sets the wall time forward or back, as an operator of the machine could; timers do not notice. */
  jump(ms: number): void;
}

/**
 * A discrete-event loop that is a {@link Clock}: what was deferred runs first, then the timers of this instant, then what
 * yielded, and only then does time move to the next timer. Work that throws ends the call that ran it; the clock stays
 * usable and goes on with the next piece.
 *
 * @example
 * import { virtualClock } from 'sluice/testing';
 * const clock = virtualClock({ seed: 7 });
 * clock.timer(60_000, () => console.log('a minute later'));
 * clock.advance(60_000); // prints at once
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * @see testSchedulerClock for marble tests
 */
export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  checkOptions<VirtualClockOptions>('virtualClock', options, {
    seed: integer(Number.MIN_SAFE_INTEGER),
    startMs: numeric(-Infinity),
    maxSteps: integer(1),
  });
  const { seed = 1, startMs = Date.UTC(2030, 0, 1), maxSteps = 20_000_000 } = options;
  const deferred = new Ring<() => void>();
  const yielded = new Ring<() => void>();
  const timers = new TimerHeap();
  let nowMs = 0;
  let wallMs = startMs;
  let stepsHere = 0;
  let running = false;

  function moveTo(atMs: number): void {
    if (atMs > nowMs && atMs !== Infinity) {
      wallMs += atMs - nowMs;
      nowMs = atMs;
      stepsHere = 0;
    }
  }

  function step(work: () => void): void {
    stepsHere += 1;
    if (stepsHere > maxSteps) {
      stepsHere = 0;
      throw new Error(`The virtual clock stands at ${nowMs} ms after ${maxSteps} steps: something reschedules itself.`);
    }
    work();
  }

  function runDeferred(): boolean {
    const had = deferred.length > 0;
    for (let work = deferred.shift(); work !== undefined; work = deferred.shift()) step(work);
    return had;
  }

  /** One timer of this instant, else one piece that yielded. */
  function runDue(): boolean {
    const work = timers.takeUntil(nowMs) ?? yielded.shift();
    if (work === undefined) return false;
    step(work);
    return true;
  }

  /** Moves to the next timer; false when there is none up to `endMs`, and time is then there. */
  function moveOn(endMs: number): boolean {
    const nextMs = timers.nextMs();
    moveTo(nextMs === undefined || nextMs > endMs ? endMs : nextMs);
    return nextMs !== undefined && nextMs <= endMs;
  }

  function enter(): void {
    if (running) throw new Error('The virtual clock is running already: advance, run and runUntil do not nest.');
    running = true;
  }

  async function runUntil(condition: () => boolean, withinMs: number): Promise<boolean> {
    const endMs = nowMs + span('withinMs', withinMs);
    enter();
    try {
      do {
        // A turn after each piece of work: what it resolved belongs to this instant, and time stands until it ran.
        do {
          await turn();
          if (condition()) return true;
        } while (runDeferred() || runDue());
      } while (moveOn(endMs));
      return false;
    } finally {
      running = false;
    }
  }

  return {
    seed,
    random: seededRandom(seed),
    now: () => wallMs,
    elapsed: () => nowMs,
    timer(delayMs, work): Cancel {
      return timers.add(nowMs + (delayMs > 0 ? delayMs : 0), work);
    },
    defer: (work) => deferred.push(work),
    yield: (work) => yielded.push(work),
    get pendingTimers() {
      return timers.size;
    },
    advance(ms) {
      const endMs = nowMs + span('ms', ms);
      enter();
      try {
        do {
          while (runDeferred() || runDue());
        } while (moveOn(endMs));
      } finally {
        running = false;
      }
    },
    run: async (ms) => void (await runUntil(() => false, ms)),
    runUntil,
    jump: (ms) => void (wallMs += span('ms', ms, -Infinity)),
  };
}

/** After a step that is no number there would be no time any more. */
function span(name: string, ms: number, least: number = 0): number {
  checkArgument('virtualClock', name, ms, numeric(least));
  return ms;
}

/** A turn of the real event loop: every promise that can resolve has done so after it. */
function turn(): Promise<void> {
  return new Promise((resolve) => systemClock.yield(resolve));
}
