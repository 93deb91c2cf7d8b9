import { SluiceError } from './errors.js';

/**
 * Undoes what it was returned for. Calling it again does nothing.
 *
 * @see Clock
 */
export type Cancel = () => void;

/**
 * The one seam to time, timers, turns and randomness. Everything in the library takes them from a clock, so a test that
 * replaces the clock owns every delay, every retry and every jitter.
 *
 * @example
 * import { systemClock, type Clock } from 'sluice';
 * const noJitter: Clock = { ...systemClock, random: () => 0.5 };
 * @see systemClock
 * @see currentClock
 */
export interface Clock {
  /** Wall time in milliseconds since the epoch: for stamps, never for measuring. */
  now(): number;
  /** Milliseconds that only grow: for measuring and deadlines, untouched by changes of the wall clock. */
  elapsed(): number;
  /** Runs `work` once after `delayMs`. A background timer does not keep a Node process alive. */
  timer(delayMs: number, work: () => void, background?: boolean): Cancel;
  /** Runs `work` after the running code has returned and before any timer or input. */
  defer(work: () => void): void;
  /** Runs `work` after timers and input had their turn. */
  yield(work: () => void): void;
  /** A number from 0 to just below 1. */
  random(): number;
}

// Node answers setImmediate, browsers a MessageChannel; both run after pending input, without a timer's 4 ms clamp.
function macrotask(): (work: () => void) => void {
  const host = globalThis as { setImmediate?: (work: () => void) => unknown };
  if (host.setImmediate !== undefined) {
    const immediate = host.setImmediate;
    return (work) => void immediate(work);
  }
  if (typeof MessageChannel === 'undefined') return (work) => void setTimeout(work, 0);
  const channel = new MessageChannel();
  const queue: (() => void)[] = [];
  channel.port1.onmessage = () => queue.shift()?.();
  return (work) => {
    queue.push(work);
    channel.port2.postMessage(0);
  };
}

// Made on first use: what is made on import would be a side effect.
let resolved: Promise<void> | undefined;
let yieldTurn: ((work: () => void) => void) | undefined;

/**
 * The clock of the machine: wall time, monotonic time, timers, microtasks and `Math.random`.
 *
 * @see Clock
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  timer: (delayMs, work, background = false) => {
    // Host timers overflow above 2^31-1 ms and would fire at once.
    const timer = setTimeout(work, Math.min(delayMs, 2_147_483_647));
    if (background) (timer as { unref?: () => void }).unref?.();
    return () => {
      clearTimeout(timer);
    };
  },
  // A job of a promise, since queueMicrotask makes a resource for async hooks in Node, at three times the cost.
  defer: (work) => {
    resolved ??= Promise.resolve();
    void resolved.then(work);
  },
  yield: (work) => {
    yieldTurn ??= macrotask();
    yieldTurn(work);
  },
  random: () => Math.random(),
};

const NEEDED = ['now', 'elapsed', 'timer', 'defer', 'yield', 'random'] as const;

// What a source or stage takes when its options name no clock; a test exchanges it for a virtual one.
let current: Clock = systemClock;

/**
 * The clock in force. Sources and stages read it once, when they are subscribed.
 *
 * @example
 * import { currentClock } from 'sluice';
 * const cancel = currentClock().timer(1_000, () => console.log('a second later, of virtual time in a test'));
 * @see useClock
 */
export function currentClock(): Clock {
  return current;
}

/**
 * Puts `clock` in force for everything subscribed from now on; the returned function puts the former one back.
 *
 * @example
 * import { useClock } from 'sluice';
 * import { virtualClock } from 'sluice/testing';
 * const restore = useClock(virtualClock());
 * try {
 *   orders.subscribe();
 * } finally {
 *   restore();
 * }
 * @throws SluiceError `CONFIG_INVALID` for what is no clock
 * @see currentClock
 */
export function useClock(clock: Clock): Cancel {
  const given = clock as Partial<Clock> | null | undefined;
  if (NEEDED.some((name) => typeof given?.[name] !== 'function')) {
    throw new SluiceError('CONFIG_INVALID', `useClock: expected a clock with ${NEEDED.join(', ')}.`);
  }
  const former = current;
  current = clock;
  return () => {
    current = former;
  };
}
