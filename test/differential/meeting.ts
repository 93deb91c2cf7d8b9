import { setTimeout as pause } from 'node:timers/promises';

/** So long nothing may happen before a system is taken to rest; what is not the same after the second is different. */
const REST_MS = 60;
/** And so many turns: on a busy machine that time may pass without one, and whoever waits for a timer has not had his. */
const REST_TURNS = 12;
/** A line that broke may take a busy broker seconds to come back; only systems that differ are waited for so long. */
const PATIENCE_MS = 30_000;

/** Where one system stands. */
interface Place {
  shown: number;
  steps: number;
  lastMs: number;
  /** Since then. */
  turns: number;
  answer: number | undefined;
  isOver: boolean;
}

/**
 * Where systems that play the same scenario wait for each other: a step is over once all have shown equally much and
 * nothing more happens. So a slow system is waited for, and only one that shows something else costs time.
 */
export class Meeting {
  private readonly places: Place[] = [];
  private readonly patienceMs: number;

  constructor(patienceMs = PATIENCE_MS) {
    this.patienceMs = patienceMs;
  }

  /** A place for one system. */
  join(): { show(): void; rest(): Promise<void>; agree(ask: () => Promise<number>): Promise<number>; leave(): void } {
    const own: Place = { shown: 0, steps: 0, lastMs: 0, turns: 0, answer: undefined, isOver: false };
    this.places.push(own);
    /** True once all are here and there was time enough for the slowest. */
    const patience = (): (() => boolean) => {
      let metMs: number | undefined;
      return () => {
        const nowMs = performance.now();
        if (this.places.every((one) => one.isOver || one.steps >= own.steps)) metMs ??= nowMs;
        return metMs !== undefined && nowMs - metMs > this.patienceMs;
      };
    };
    /** True where each of the others has gone on, or is here and shows the same. */
    const others = (isSame: (one: Place) => boolean): boolean =>
      this.places.every(
        (one) => one === own || one.isOver || one.steps > own.steps || (one.steps === own.steps && isSame(one)),
      );
    return {
      show() {
        own.shown += 1;
        own.lastMs = performance.now();
        own.turns = 0;
      },
      async rest() {
        own.steps += 1;
        own.lastMs = performance.now();
        own.turns = 0;
        const isLongEnough = patience();
        for (;;) {
          await pause(5);
          own.turns += 1;
          const isSame = others(({ shown }) => shown === own.shown);
          const isQuiet = own.turns >= REST_TURNS && performance.now() - own.lastMs >= REST_MS;
          if (isQuiet && (isLongEnough() || isSame)) return;
        }
      },
      // Some learn late how much there is: they are asked again until all say the same.
      async agree(ask) {
        own.steps += 1;
        own.answer = undefined;
        const isLongEnough = patience();
        for (;;) {
          // What the others went on with is what they saw.
          if (own.answer === undefined || !others(() => false)) own.answer = await ask();
          if (isLongEnough() || others(({ answer }) => answer === own.answer)) return own.answer;
          await pause(5);
        }
      },
      leave() {
        own.isOver = true;
      },
    };
  }
}
