import type { Clock } from '../clock.js';
import { Ring } from './ring.js';

/** How long deliveries may run on before timers and input get their turn. */
const SLICE_MS = 5;
/** Deliveries between two looks at the clock: a look costs about half as much as a cheap delivery. */
const LOOK_EVERY = 8;
/** So many as long as they are quick, and how quick that is: then one that suddenly is not makes a turn little longer. */
const LOOK_EVERY_QUICK = 32;
const QUICK_MS = 0.1;

/** What a trampoline runs. */
export interface Runnable {
  /** Kept by the trampoline: a turn was asked for and has not begun. */
  isDue: boolean;
  run(): void;
}

/**
 * Where every delivery comes from. Settling only schedules here; the next message is emitted in a later turn, so neither
 * the stack nor the time of one turn grows with the number of messages. All flows on one clock share one trampoline, so
 * that many of them together still leave timers their turn.
 *
 * @internal
 */
export class Trampoline {
  private readonly clock: Clock;
  private readonly ready = new Ring<Runnable>();
  private scheduled = false;
  /** True from the first delivery of a turn until timers and input had theirs. */
  private sliceOpen = false;
  private sliceEndsMs = 0;
  private lookedMs = 0;
  private untilLook = LOOK_EVERY;
  private exhausted = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Runs `work` in a deferred turn; scheduling it twice before that runs it once. */
  schedule(work: Runnable): void {
    if (work.isDue) return;
    work.isDue = true;
    this.ready.push(work);
    this.wake();
  }

  /** Counts one delivery; false when this turn has lasted long enough. */
  mayContinue(): boolean {
    if (this.exhausted) return false;
    this.untilLook -= 1;
    return this.untilLook > 0 || this.mayGoOn();
  }

  private mayGoOn(): boolean {
    const { lookedMs, sliceOpen } = this;
    if (!sliceOpen) this.openSlice();
    else if (this.look() >= this.sliceEndsMs) this.exhausted = true;
    this.untilLook = sliceOpen && this.lookedMs - lookedMs < QUICK_MS ? LOOK_EVERY_QUICK : LOOK_EVERY;
    return !this.exhausted;
  }

  /** The time as of the last look in this slice, at most a few deliveries ago: for stamps, as a look per message is dear. */
  elapsed(): number {
    return this.sliceOpen ? this.lookedMs : this.clock.elapsed();
  }

  private look(): number {
    return (this.lookedMs = this.clock.elapsed());
  }

  get isExhausted(): boolean {
    return this.exhausted;
  }

  private wake(): void {
    if (this.scheduled || this.exhausted) return;
    this.scheduled = true;
    this.clock.defer(this.turn);
  }

  private readonly turn = (): void => {
    this.scheduled = false;
    try {
      while (this.ready.length > 0 && !this.exhausted) {
        const work = this.ready.shift() as Runnable;
        work.isDue = false;
        this.forgetPace();
        work.run();
      }
    } finally {
      // One that threw must not keep the others of the same clock waiting for ever.
      if (this.ready.length > 0) this.wake();
    }
  };

  /** How quick the deliveries of one flow were says nothing about those of the next, which may come straight from its transport. */
  private forgetPace(): void {
    if (this.untilLook > LOOK_EVERY) this.untilLook = LOOK_EVERY;
  }

  private openSlice(): void {
    this.sliceOpen = true;
    this.sliceEndsMs = this.look() + SLICE_MS;
    this.clock.yield(this.closeSlice);
  }

  private readonly closeSlice = (): void => {
    this.sliceOpen = false;
    this.exhausted = false;
    this.forgetPace();
    if (this.ready.length === 0) return;
    // What goes on is timed from its beginning: where one delivery takes long, those before the first look would count double.
    this.openSlice();
    this.turn();
  };
}

const trampolines = new WeakMap<Clock, Trampoline>();

/** The trampoline of a clock. @internal */
export function trampolineOf(clock: Clock): Trampoline {
  let trampoline = trampolines.get(clock);
  if (trampoline === undefined) {
    trampoline = new Trampoline(clock);
    trampolines.set(clock, trampoline);
  }
  return trampoline;
}
