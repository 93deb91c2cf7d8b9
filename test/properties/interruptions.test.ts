import fc from 'fast-check';
import { BehaviorSubject, concat, EMPTY, Observable, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { each, isSluiceError, run, SluiceError, useClock, type Flow, type Message, type Stage } from 'sluice';
import { withScope, type SourceHandle } from '../../src/connection/scope.js';
import { testSource, virtualClock, type TestSource, type TestSourceEvent, type VirtualClock } from 'sluice/testing';
import { anyPlan, stageOf, type Plan } from '../helpers/plans.js';
import { runs } from '../helpers/runs.js';

const CLOSE_TIMEOUT_MS = 200;

/** A stage that works on its messages without end until it is told that they will come again. */
interface Endless {
  readonly stage: Stage<number, number>;
  readonly running: () => number;
  relent(): void;
}

function endless(concurrency: number): Endless {
  let running = 0;
  let isOver = false;
  const work = new Observable<number>(() => {
    running += 1;
    return () => void (running -= 1);
  });
  return {
    stage: each((n) => (isOver ? of(n) : concat(n % 2 === 0 ? of(n) : EMPTY, work)), { concurrency }),
    running: () => running,
    relent: () => (isOver = true),
  };
}

interface Case {
  readonly seed: number;
  readonly credit: number;
  readonly count: number;
  readonly plans: readonly Plan[];
  /** When it is interrupted. */
  readonly atMs: number;
  /** How long the end of the pipeline takes for a message. */
  readonly delayMs: number;
  /** Whether it happens while a message is handed to the end of the pipeline. */
  readonly isInside: boolean;
}

const anyCase = fc.record<Case>({
  seed: fc.nat(),
  credit: fc.integer({ min: 1, max: 8 }),
  count: fc.integer({ min: 1, max: 30 }),
  plans: fc.array(anyPlan, { minLength: 1, maxLength: 6 }),
  atMs: fc.constantFrom(0, 0, 1, 2, 3, 5, 8, 13, 21),
  delayMs: fc.constantFrom(0, 1, 5, 50),
  isInside: fc.boolean(),
});

/** A pipeline at work, and what is known of it. */
interface Rig {
  readonly clock: VirtualClock;
  readonly source: TestSource<number>;
  readonly handle: SourceHandle;
  readonly credit$: BehaviorSubject<number>;
  readonly events: readonly TestSourceEvent<number>[];
  /** How often it emitted, and how it ended. */
  readonly emitted: () => number;
  readonly ends: readonly string[];
  unsubscribe(): void;
}

/** Runs a pipeline, interrupts it once, and lets it go on for a minute. */
async function interrupted(
  { seed, credit, count, plans, atMs, delayMs, isInside }: Case,
  interrupt: (rig: Rig) => void,
  check: (rig: Rig) => void,
  between?: Stage<number, number>,
): Promise<void> {
  const clock = virtualClock({ seed });
  const restore = useClock(clock);
  try {
    const credit$ = new BehaviorSubject(credit);
    const source = testSource<number>({ credit: credit$, clock, maxAttempts: 3, closeTimeoutMs: CLOSE_TIMEOUT_MS });
    const events: TestSourceEvent<number>[] = [];
    source.events$.subscribe((event) => events.push(event));
    let flow: Flow<number> = source.flow;
    for (const [at, plan] of plans.entries()) {
      if (at === plans.length >> 1 && between !== undefined) flow = between(flow);
      flow = stageOf(plan, clock, credit)(flow);
    }
    const ends: string[] = [];
    let emitted = 0;
    let isDue = false;
    let handle: SourceHandle | undefined;
    const now = (): void => {
      if (!isDue) return;
      isDue = false;
      interrupt(rig);
    };
    const sink = {
      next(message: Message<number>) {
        emitted += 1;
        now();
        if (delayMs === 0) message.ack();
        else clock.timer(delayMs, () => message.ack());
      },
      error: (error: unknown) => void ends.push(isSluiceError(error) ? error.code : String(error)),
      complete: () => void ends.push('complete'),
    };
    const subscription = withScope({ addSource: (one) => void (handle = one) }, () => flow.subscribe(sink));
    const rig: Rig = {
      clock,
      source,
      handle: handle as unknown as SourceHandle,
      credit$,
      events,
      emitted: () => emitted,
      ends,
      unsubscribe: () => subscription.unsubscribe(),
    };
    for (let value = 0; value < count; value += 1) source.offer(value);
    source.end();
    clock.timer(atMs, () => {
      isDue = true;
      // Otherwise with the next message that comes out, or when nothing more does.
      if (isInside) clock.timer(30, now);
      else now();
    });
    await clock.run(60_000);
    check(rig);
  } finally {
    restore();
  }
}

function finalOutcomes({ events }: Rig): readonly number[] {
  const final = events.filter(({ type }) => type === 'ack' || type === 'dead' || type === 'drop');
  return final.map(({ record }) => record.index).toSorted((a, b) => a - b);
}

/** Everything that was offered is either done or still there, once. */
function nothingLost(rig: Rig, count: number): void {
  expect(rig.source.unsettled.map(({ value }) => value)).toEqual([]);
  expect([...finalOutcomes(rig), ...rig.source.queued].toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: count }, (_, index) => index),
  );
}

const ignore = (): void => undefined;
const asked = { numRuns: runs(100), seed: Number(process.env['SEED'] ?? 7) };

describe('any pipeline that is interrupted', () => {
  it('by a drain works off what was emitted, leaves the rest and completes', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (given) => {
        let deliveries = 0;
        await interrupted(
          given,
          (rig) => {
            deliveries = rig.handle.counts.emitted;
            rig.handle.drain();
          },
          (rig) => {
            nothingLost(rig, given.count);
            expect(rig.ends).toEqual(['complete']);
            if (deliveries > 0) expect(rig.handle.counts.emitted).toBe(deliveries);
            expect([rig.handle.unsettled, rig.handle.parked, rig.handle.status]).toEqual([0, 0, 'closed']);
          },
        );
      }),
      asked,
    );
  });

  it('by an unsubscribe emits nothing more, acks nothing that did not come out, and leaves nothing open', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (given) => {
        let emitted: number | undefined;
        await interrupted(
          given,
          (rig) => {
            rig.unsubscribe();
            emitted = rig.emitted();
          },
          (rig) => {
            nothingLost(rig, given.count);
            if (emitted !== undefined) expect(rig.emitted()).toBe(emitted);
            expect([rig.handle.unsettled, rig.handle.parked, rig.handle.status]).toEqual([0, 0, 'closed']);
            expect(rig.clock.pendingTimers).toBe(0);
          },
        );
      }),
      asked,
    );
  });

  it('by a lost connection has everything settled for good, once', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (given) => {
        await interrupted(
          given,
          (rig) => rig.source.lose(new SluiceError('CONNECTION_LOST', 'cut', { retriable: true })),
          (rig) => {
            nothingLost(rig, given.count);
            expect([rig.source.queued, rig.ends]).toEqual([[], ['complete']]);
          },
        );
      }),
      asked,
    );
  });

  it('by a lost connection has the places free of work that never ends', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, fc.integer({ min: 1, max: 3 }), async (given, concurrency) => {
        const work = endless(concurrency);
        // Where another branch may ack a message first, work on it is not in vain and goes on.
        const plans = given.plans.map((plan) => (plan.is === 'fanout' ? { ...plan, settle: 'all' as const } : plan));
        await interrupted(
          { ...given, plans, isInside: false },
          (rig) => {
            work.relent();
            rig.source.lose(new SluiceError('CONNECTION_LOST', 'cut', { retriable: true }));
            expect(work.running()).toBe(0);
          },
          (rig) => {
            nothingLost(rig, given.count);
            expect([rig.source.queued, rig.ends]).toEqual([[], ['complete']]);
          },
          work.stage,
        );
      }),
      asked,
    );
  });

  it('by a failure of its source errors once, and leaves nothing open', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (given) => {
        let wasOver = false;
        await interrupted(
          given,
          (rig) => {
            wasOver = rig.ends.length > 0;
            rig.source.lose(new SluiceError('AUTH_FAILED', 'no'));
          },
          (rig) => {
            nothingLost(rig, given.count);
            expect(rig.ends).toEqual(
              wasOver || rig.source.queued.length === 0 ? [expect.any(String)] : ['AUTH_FAILED'],
            );
            expect(rig.clock.pendingTimers).toBe(0);
          },
        );
      }),
      asked,
    );
  });

  it('by a credit of 0 goes on once there is credit again', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (given) => {
        await interrupted(
          given,
          (rig) => {
            rig.credit$.next(0);
            rig.clock.timer(100, () => rig.credit$.next(given.credit));
          },
          (rig) => {
            nothingLost(rig, given.count);
            expect([rig.source.queued, rig.ends]).toEqual([[], ['complete']]);
          },
        );
      }),
      asked,
    );
  });

  it('by a credit of 1 goes on with that, also with batches that wait', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (given) => {
        await interrupted(
          given,
          (rig) => rig.credit$.next(1),
          (rig) => {
            nothingLost(rig, given.count);
            expect([rig.source.queued, rig.ends]).toEqual([[], ['complete']]);
          },
        );
      }),
      asked,
    );
  });

  it('by a drain that runs out of time reports each unfinished message with its stage, and gives it back (SHU-06)', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ seed, credit, count, plans, atMs }) => {
        const clock = virtualClock({ seed });
        const restore = useClock(clock);
        try {
          const source = testSource<number>({ credit, clock, maxAttempts: 3 });
          const open = new Set<string>();
          const given: TestSourceEvent<number>[] = [];
          source.events$.subscribe((event) => {
            given.push(event);
            const id = String(event.record.index);
            if (event.type === 'delivered') open.add(id);
            else if (event.type !== 'waiting') open.delete(id);
          });
          let flow: Flow<number> = source.flow;
          for (const plan of plans) flow = stageOf(plan, clock, credit)(flow);
          const held: Message<number>[] = [];
          const sink = { next: (message: Message<number>) => void held.push(message), error: ignore, complete: ignore };
          const running = run(flow, sink, { clock, drainTimeoutMs: 1_000 });
          for (let value = 0; value < count; value += 1) source.offer(value);
          await clock.run(atMs);
          const stopped = running.stop();
          await clock.run(999);
          const unfinished = [...open].toSorted();
          await clock.run(60_000);
          const report = await stopped;
          expect(report.unfinished.map(({ id }) => id).toSorted()).toEqual(unfinished);
          expect(report.unfinished.filter(({ stage }) => stage === '')).toEqual([]);
          expect(report.clean).toBe(unfinished.length === 0);
          expect(await running.done).toBe(report);
          const before = given.length;
          for (const message of held) message.ack();
          expect([source.unsettled.length, given.length]).toEqual([0, before]);
          const final = given.filter(({ type }) => type === 'ack' || type === 'dead' || type === 'drop');
          expect([...final.map(({ record }) => record.index), ...source.queued].toSorted((a, b) => a - b)).toEqual(
            Array.from({ length: count }, (_, index) => index),
          );
        } finally {
          restore();
        }
      }),
      asked,
    );
  });
});
