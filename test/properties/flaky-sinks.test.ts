import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  backoff,
  batch,
  deadLetter,
  deliver,
  each,
  fanout,
  flow,
  payload,
  route,
  run,
  type Sink,
  SluiceError,
  type Stage,
  unbatch,
  useClock,
} from 'sluice';
import { defineSink, type Sending, type WriterContext } from 'sluice/connection';
import { testSource, virtualClock, type TestSourceEvent, type VirtualClock } from 'sluice/testing';
import { runs } from '../helpers/runs.js';

/** What the far side does with each message, by turns. `lost` takes the connection with it. */
type Answer = 'now' | 'later' | 'refuse' | 'throw' | 'silent' | 'lost' | 'pause';
type Place = 'end' | 'deliver' | 'route' | 'fanout' | 'deadLetter' | 'batched';

const anyAnswer = fc.constantFrom<Answer>(
  'now',
  'now',
  'now',
  'later',
  'later',
  'refuse',
  'throw',
  'silent',
  'lost',
  'pause',
);

interface Far {
  readonly sink: Sink<number>;
  /** What it confirmed, in order; more than once after a lost connection. */
  readonly has: number[];
}

/** A sink whose far side answers as the script says; at its end it is sound. Every other opening fails first. */
function farSide(clock: VirtualClock, script: readonly Answer[], failsToOpen: boolean): Far {
  const has: number[] = [];
  let at = 0;
  let opened = 0;
  const answer = (sending: Sending<number>, context: WriterContext): boolean => {
    const how = script[at] ?? 'now';
    at += 1;
    const confirm = (): void => {
      has.push(sending.message.payload);
      sending.confirm();
    };
    if (how === 'throw') throw new Error('broken');
    if (how === 'now') confirm();
    else if (how === 'later') clock.timer(7, confirm);
    else if (how === 'refuse') sending.fail(new SluiceError('SINK_FAILED', 'no', { retriable: true }));
    else if (how === 'lost') context.lost(new Error('cut'));
    else if (how === 'pause') {
      confirm();
      clock.timer(3, () => context.resume());
      return false;
    }
    return true;
  };
  const sink = defineSink<number>(
    {
      connector: 'far',
      maxUnconfirmed: 3,
      open(context) {
        opened += 1;
        if (failsToOpen && opened % 2 === 1) throw new Error('not yet');
        return { send: (sending) => answer(sending, context), close: () => undefined };
      },
    },
    { clock, confirmTimeoutMs: 50, closeTimeoutMs: 5_000, reconnect: backoff({ maxMs: 20 }) },
  );
  return { sink, has };
}

function acking(): Sink<number> {
  return { next: (message) => void message.ack(), error: () => undefined, complete: () => undefined };
}

function stageAt(place: Place, { sink }: Far): Stage<number, number> {
  const poison = payload((value: number) => {
    if (value % 3 === 1) throw new Error('poison');
    return value;
  });
  switch (place) {
    case 'end':
      return each((value: number) => value, { concurrency: 1 });
    case 'deliver':
      return deliver(sink);
    case 'route':
      return route([{ name: 'all', when: () => true, to: sink, budget: 2 }]);
    case 'fanout':
      return fanout([sink, (source) => source]);
    case 'deadLetter':
      return (source) => flow(source, deadLetter(sink, { retryMs: 5 }), poison);
    case 'batched':
      return (source) => flow(source, batch<number>({ size: 2, maxWaitMs: 5 }), unbatch(), deliver(sink));
  }
}

describe('a flow into a far side that fails at any moment', () => {
  it('acks nothing that the far side has not confirmed, loses nothing and ends clean (law 4)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.nat(),
          credit: fc.integer({ min: 2, max: 6 }),
          count: fc.integer({ min: 1, max: 12 }),
          script: fc.array(anyAnswer, { maxLength: 20 }),
          failsToOpen: fc.boolean(),
          place: fc.constantFrom<Place>('end', 'deliver', 'route', 'fanout', 'deadLetter', 'batched'),
          stopAtMs: fc.constantFrom(undefined, 0, 4, 30, 300),
        }),
        async ({ seed, credit, count, script, failsToOpen, place, stopAtMs }) => {
          const clock = virtualClock({ seed });
          const restore = useClock(clock);
          try {
            const source = testSource<number>({ credit, clock, maxAttempts: 100 });
            const far = farSide(clock, script, failsToOpen);
            const unconfirmed: number[] = [];
            source.events$.subscribe(({ type, record }: TestSourceEvent<number>) => {
              const isDue = place !== 'deadLetter' || record.value % 3 === 1;
              if (type === 'ack' && isDue && !far.has.includes(record.value)) unconfirmed.push(record.value);
            });
            const running = run(stageAt(place, far)(source.flow), place === 'end' ? far.sink : acking(), {
              clock,
              drainTimeoutMs: 60_000,
            });
            for (let value = 0; value < count; value += 1) source.offer(value);
            source.end();
            if (stopAtMs !== undefined) clock.timer(stopAtMs, () => void running.stop());
            await clock.run(120_000);
            expect(await running.done).toMatchObject({ clean: true, unfinished: [] });
            expect(unconfirmed).toEqual([]);
            expect(source.unsettled).toEqual([]);
            if (stopAtMs === undefined) expect(source.queued).toEqual([]);
            expect(clock.pendingTimers).toBe(0);
          } finally {
            restore();
          }
        },
      ),
      { numRuns: runs(200), seed: Number(process.env['SEED'] ?? 7) },
    );
  });
});
