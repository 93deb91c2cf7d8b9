import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deadLetter,
  deliver,
  fanout,
  isSluiceError,
  route,
  run,
  SluiceError,
  useClock,
  where,
  type Flow,
  type Sink,
} from 'sluice';
import { defineSink, type WriterContext } from 'sluice/connection';
import { testSource, virtualClock, type TestSource, type VirtualClock } from 'sluice/testing';
import { runs } from '../helpers/runs.js';

const refusesEven = (n: number): boolean => {
  if (n % 2 === 0) throw new Error('even');
  return true;
};

const WAYS: Readonly<Record<string, (to: Sink<number>) => (flow: Flow<number>) => Flow<unknown>>> = {
  deliver: (to) => deliver(to),
  fanout: (to) => fanout([to, (flow: Flow<number>) => flow]),
  route: (to) =>
    route([
      { name: 'even', when: ({ payload }) => payload % 2 === 0, to, budget: 2 },
      { name: 'all', when: () => true, to },
    ]),
  deadLetter: (to) => (flow) => where(refusesEven)(deadLetter<number>(to)(flow)),
};

interface Plan {
  readonly way: string;
  readonly count: number;
  /** Before any of them ends: who came after the last one would be refused. */
  readonly startMs: number;
  readonly end: 'complete' | 'fail' | 'lose' | 'stop';
  readonly endMs: number;
}

const anyPlan = fc.record<Plan>({
  way: fc.constantFrom('run', ...Object.keys(WAYS)),
  count: fc.integer({ min: 0, max: 8 }),
  startMs: fc.constantFrom(0, 0, 1),
  end: fc.constantFrom('complete', 'fail', 'lose', 'stop'),
  endMs: fc.constantFrom(2, 4, 7, 11, 30),
});

/** Starts a flow into the sink when it is time, ends it when it is time, and writes down how it ended. */
function start(plan: Plan, source: TestSource<number>, sink: Sink<number>, clock: VirtualClock): readonly string[] {
  const ends: string[] = [];
  const failed = (error: unknown): void => void ends.push(isSluiceError(error) ? error.code : String(error));
  let stop = (): void => undefined;
  clock.timer(plan.startMs, () => {
    const into = WAYS[plan.way];
    if (into !== undefined) {
      const subscription = into(sink)(source.flow).subscribe({
        next: (message) => void message.ack(),
        error: failed,
        complete: () => void ends.push('complete'),
      });
      stop = () => subscription.unsubscribe();
      return;
    }
    const running = run(source.flow, sink, { drainTimeoutMs: 100 });
    running.done.then(() => ends.push('complete'), failed);
    stop = () => void running.stop().catch(() => undefined);
  });
  clock.timer(plan.endMs, () => {
    if (plan.end === 'fail') source.lose(new SluiceError('AUTH_FAILED', 'no'));
    if (plan.end === 'lose') source.lose(new SluiceError('CONNECTION_LOST', 'cut', { retriable: true }));
    if (plan.end === 'stop') stop();
    else source.end();
  });
  return ends;
}

describe('any flows that give to one sink', () => {
  it('end each by themselves, and the sink with the last of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.nat(),
          plans: fc.array(anyPlan, { minLength: 1, maxLength: 4 }),
          delayMs: fc.constantFrom(0, 1, 4),
          cutMs: fc.constantFrom(undefined, 3, 6),
        }),
        async ({ seed, plans, delayMs, cutMs }) => {
          const clock = virtualClock({ seed });
          const restore = useClock(clock);
          try {
            let context: WriterContext | undefined;
            const sink = defineSink<number>({
              connector: 'shared',
              maxUnconfirmed: 4,
              open(given) {
                context = given;
                return {
                  send: (sending) => void clock.timer(delayMs, () => sending.confirm()),
                  close: () => undefined,
                };
              },
            });
            let isClosed = false;
            void sink.closed?.then(() => (isClosed = true));
            const cut = new SluiceError('CONNECTION_LOST', 'cut', { retriable: true });
            if (cutMs !== undefined) clock.timer(cutMs, () => context?.lost(cut));
            const flows = plans.map((plan) => {
              const source = testSource<number>({ clock, credit: 4, maxAttempts: 3, closeTimeoutMs: 50 });
              for (let value = 0; value < plan.count; value += 1) source.offer(value);
              return { plan, source, ends: start(plan, source, sink, clock) };
            });
            await clock.run(60_000);
            for (const { plan, source, ends } of flows) {
              expect(source.unsettled).toEqual([]);
              if (plan.end === 'complete' || plan.end === 'lose')
                expect([ends, source.queued]).toEqual([['complete'], []]);
              else expect(ends).toHaveLength(plan.end === 'stop' && plan.way !== 'run' ? 0 : 1);
            }
            expect([isClosed, clock.pendingTimers]).toEqual([true, 0]);
          } finally {
            restore();
          }
        },
      ),
      { numRuns: runs(100), seed: Number(process.env['SEED'] ?? 7) },
    );
  });
});
