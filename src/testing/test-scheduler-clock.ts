import type { SchedulerLike } from 'rxjs';
import type { Cancel, Clock } from '../clock.js';
import { called, checkArgument, numeric } from '../options.js';
import { seededRandom } from './seeded-random.js';

/** No test takes that long and does so much: tries without end would keep a flush going for ever. */
const LONGEST_MS = 86_400_000;
const MOST = 10_000;

/**
 * A {@link Clock} whose time is that of an RxJS scheduler, so that sources and stages run in the frames of a marble test.
 * What is deferred runs as an action without delay: after the actions already due in its frame. Background timers run as
 * long as something else is scheduled, so that a flush ends; it ends with an error when after a day of virtual time, and
 * 10,000 of its timers, something still goes on, such as a branch that fails each time it is started again.
 *
 * @example
 * import { TestScheduler } from 'rxjs/testing';
 * import { testSchedulerClock } from 'sluice/testing';
 * import { expect } from 'vitest';
 * const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
 * const clock = testSchedulerClock(scheduler);
 * @param seed of `random()`. Default 1.
 * @throws SluiceError `CONFIG_INVALID` for what is no scheduler
 * @see virtualClock for code with promises
 */
export function testSchedulerClock(scheduler: SchedulerLike, seed: number = 1): Clock {
  checkArgument('testSchedulerClock', 'scheduler', scheduler, called('a scheduler of RxJS', 'schedule', 'now'));
  checkArgument('testSchedulerClock', 'seed', seed, numeric(-Infinity));
  /** Deferred work that waits. */
  let deferred = 0;
  /** Background timers that wait. */
  let background = 0;

  const endMs = 'maxFrames' in scheduler ? scheduler.now() + LONGEST_MS : Infinity;

  let timers = 0;

  function after(delayMs: number, work: () => void): Cancel {
    return uncounted(delayMs, () => {
      timers += 1;
      if (timers > MOST && scheduler.now() > endMs) throw goesOn();
      work();
    });
  }

  function uncounted(delayMs: number, work: () => void): Cancel {
    const action = scheduler.schedule(work, delayMs);
    return () => action.unsubscribe();
  }

  // A watch that sets itself again would keep a flush going for ever, as it would a process: it runs only while
  // something else is still to come.
  function behind(delayMs: number, work: () => void): Cancel {
    background += 1;
    let waits = true;
    const leave = (): void => {
      if (waits) background -= 1;
      waits = false;
    };
    const cancel = uncounted(delayMs, () => {
      leave();
      if (isBusy()) work();
    });
    return () => {
      leave();
      cancel();
    };
  }

  function isBusy(): boolean {
    const { actions } = scheduler as { readonly actions?: readonly unknown[] };
    return actions === undefined || actions.length > background;
  }

  return {
    now: () => scheduler.now(),
    elapsed: () => scheduler.now(),
    timer: (delayMs, work, inBackground = false) => (inBackground ? behind : after)(Math.max(0, delayMs), work),
    defer(work) {
      deferred += 1;
      after(0, () => {
        deferred -= 1;
        work();
      });
    },
    yield(work) {
      const behindDeferred = (): void => (deferred > 0 ? void after(0, behindDeferred) : work());
      after(0, behindDeferred);
    },
    random: seededRandom(seed),
  };
}

function goesOn(): Error {
  return new Error(
    'After a day of virtual time something still goes on: a connection or a branch that is tried again and again? ' +
      'observe() tells which.',
  );
}
