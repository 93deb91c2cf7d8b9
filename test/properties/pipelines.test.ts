import fc from 'fast-check';
import { Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { observe, useClock, type Flow, type Message, type Stage } from 'sluice';
import { withScope, type SourceHandle } from '../../src/connection/scope.js';
import { testSource, virtualClock, type TestSourceEvent } from 'sluice/testing';
import { anyPlan, hits, stageOf } from '../helpers/plans.js';
import { runs } from '../helpers/runs.js';

/** What the end of the pipeline does with a message, by its payload. */
interface End {
  readonly delayMs: number;
  readonly every: number;
  readonly then: 'requeue' | 'dead' | 'drop';
}

const anyEnd: fc.Arbitrary<End> = fc.record({
  delayMs: fc.constantFrom(0, 0, 1, 5),
  every: fc.integer({ min: 2, max: 7 }),
  then: fc.constantFrom('requeue', 'dead', 'drop'),
});

function settle(message: Message<number>, end: End): void {
  if (hits(message.payload, end.every)) message.nack(new Error('refused'), end.then);
  else message.ack();
}

describe('any pipeline of one to eight stages', () => {
  it('settles each delivery once, stays within its credit and leaves nothing open', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.nat(),
          credit: fc.integer({ min: 1, max: 8 }),
          count: fc.integer({ min: 0, max: 30 }),
          plans: fc.array(anyPlan, { minLength: 1, maxLength: 8 }),
          end: anyEnd,
        }),
        async ({ seed, credit, count, plans, end }) => {
          const clock = virtualClock({ seed });
          const restore = useClock(clock);
          let lateSettlements = 0;
          const stop = observe((event) => {
            if (event.type === 'message.late') lateSettlements += 1;
          });
          try {
            const source = testSource<number>({ credit, clock, maxAttempts: 3 });
            const events: TestSourceEvent<number>[] = [];
            let open = 0;
            let most = 0;
            let handle: SourceHandle | undefined;
            source.events$.subscribe((event) => {
              events.push(event);
              if (event.type === 'delivered') open += 1;
              else if (event.type !== 'waiting') open -= 1;
              // What waits for its next try is put aside at the source and gives its place back meanwhile.
              most = Math.max(most, handle?.unsettled ?? 0);
            });
            let flow: Flow<number> = source.flow;
            for (const plan of plans) flow = stageOf(plan, clock, credit)(flow);
            let completed = 0;
            const sink = {
              next(message: Message<number>) {
                most = Math.max(most, handle?.unsettled ?? 0);
                if (end.delayMs === 0) settle(message, end);
                else clock.timer(end.delayMs, () => settle(message, end));
              },
              complete: () => (completed += 1),
            };
            withScope({ addSource: (source) => void (handle = source) }, () => flow.subscribe(sink));
            for (let value = 0; value < count; value += 1) source.offer(value);
            source.end();
            await clock.runUntil(() => completed > 0 && open === 0, 600_000);

            expect(source.queued).toEqual([]);
            expect(source.unsettled.map((record) => record.value)).toEqual([]);
            expect([completed, open, lateSettlements]).toEqual([1, 0, 0]);
            expect(most).toBeLessThanOrEqual(credit);
            const final = events.filter(({ type }) => type === 'ack' || type === 'dead' || type === 'drop');
            expect(final.map(({ record }) => record.index).toSorted((a, b) => a - b)).toEqual(
              Array.from({ length: count }, (_, index) => index),
            );
          } finally {
            stop();
            restore();
          }
        },
      ),
      // The same 200 pipelines each time; SEED and RUNS try others.
      { numRuns: runs(200), seed: Number(process.env['SEED'] ?? 7) },
    );
  });

  it('finds a stage that forgets a message', async () => {
    const clock = virtualClock();
    const source = testSource<number>({ credit: 2, clock });
    const forgetful: Stage<number, number> = (flow) =>
      new Observable((output) => flow.subscribe((message) => message.payload === 1 || output.next(message)));
    forgetful(source.flow).subscribe((message) => message.ack());
    for (let value = 0; value < 3; value += 1) source.offer(value);
    await clock.run(1_000);
    expect(source.unsettled.map((record) => record.value)).toEqual([1]);
  });
});
