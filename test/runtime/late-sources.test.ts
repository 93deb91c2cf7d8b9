import {
  asyncScheduler,
  concat,
  concatMap,
  defer,
  EMPTY,
  mergeMap,
  NEVER,
  of,
  retry,
  Subject,
  subscribeOn,
  throwError,
  timer,
  type Observable,
} from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  deadLetter,
  each,
  fanout,
  memoryBroker,
  memorySink,
  memorySource,
  payload,
  route,
  run,
  topology,
  where,
  type DrainReport,
  type Flow,
  type Message,
  type Sink,
} from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import { marbles } from '../helpers/marbles.js';
import { until } from '../helpers/until.js';

const idle: Flow<string> = defer(() => testSource<string>({ connector: 'idle', values: NEVER }).flow);

/** How a flow comes to subscribe to `later` 10 ms after it was subscribed itself. */
const FLOWS: Readonly<Record<string, (later: Flow<string>) => Flow<string>>> = {
  'inside mergeMap': (later) => timer(10).pipe(mergeMap(() => later)),
  'inside concatMap, between stages': (later) =>
    concat(timer(3), timer(7)).pipe(
      concatMap((_, at) => (at === 0 ? EMPTY : later.pipe(where(() => true)))),
      payload((value: string) => value),
    ),
  'by a retry with a delay': (later) => {
    let tries = 0;
    const away = throwError(() => new Error('away'));
    return defer((): Flow<string> => {
      tries += 1;
      return tries === 1 ? away : later;
    }).pipe(retry({ delay: 10 }));
  },
  'on a scheduler': (later) => later.pipe(subscribeOn(asyncScheduler, 10)),
  'in front of deadLetter': (later) => timer(10).pipe(mergeMap(() => later.pipe(deadLetter(acking())))),
  'by a branch of fanout': (later) => idle.pipe(fanout([() => timer(10).pipe(mergeMap(() => later)), acking()])),
  'by a branch of route': (later) =>
    idle.pipe(route([{ name: 'all', when: () => true, to: () => timer(10).pipe(mergeMap(() => later)) }])),
};

/** Acks each message after a while. Its end is told in the time of the test. */
function acking(afterMs: number = 0, ended: () => void = () => undefined): Sink<string> {
  return {
    next: (message) => void (afterMs === 0 ? of(0) : timer(afterMs)).subscribe(() => message.ack()),
    error: () => undefined,
    complete: ended,
  };
}

/** What happens at which frame when the flow is stopped at `stopMs`, and its late source gets its values at 16, 18 and 19. */
function stopped(
  flowOf: (later: Flow<string>) => Flow<string>,
  stopMs: number,
  expected: { delivered: string; acks: string; ended: string; queued: string[] },
): void {
  marbles((m) => {
    const values: Observable<string> = m.hot('----------------a-bc');
    const source = testSource<string>({ values, connector: 'late', credit: 1 });
    const ended$ = new Subject<string>();
    const running = run(
      flowOf(source.flow),
      acking(5, () => ended$.next('e')),
    );
    const known: string[] = [];
    timer(stopMs).subscribe(() => {
      void running.stop();
      known.push(...running.health().sources.map(({ connector }) => connector));
    });
    m.expect(source.delivered$).toBeObservable(expected.delivered);
    m.expect(source.acks$).toBeObservable(expected.acks);
    m.expect(ended$).toBeObservable(expected.ended);
    m.flush();
    expect(known.includes('late')).toBe(expected.delivered !== '');
    expect(source.queued).toEqual(expected.queued);
  })();
}

describe.each(Object.entries(FLOWS))('a source that is subscribed late: %s (SHU-02)', (_name, flowOf) => {
  it('is drained by a stop: what is out is worked off, what is not stays', () => {
    stopped(flowOf, 18, {
      delivered: '----------------a',
      acks: '     ---------------------a',
      ended: '    ---------------------e',
      queued: ['b', 'c'],
    });
  });

  it('completes and reads nothing when the stop came before it', () => {
    stopped(flowOf, 4, { delivered: '', acks: '', ended: '----------e', queued: [] });
  });
});

describe('a stop and sources that are subscribed late', () => {
  it('opens no connection for one that comes after it began', async () => {
    const clock = virtualClock();
    const start$ = new Subject<void>();
    const source = testSource<string>({ clock, connector: 'late' });
    source.offer('a');
    const statuses: string[] = [];
    const running = run(start$.pipe(mergeMap(() => source.flow)), acking(), { clock });
    const stopping = running.stop();
    start$.next();
    statuses.push(...running.health().sources.map(({ connector, status }) => `${connector} ${status}`));
    start$.complete();
    await clock.run(1);
    expect(statuses).toEqual(['late idle']);
    expect(await stopping).toMatchObject({ clean: true });
    expect(source.queued).toEqual(['a']);
  });

  it('keeps runs apart: a stop drains the late sources of its own flow only, also in a topology', async () => {
    const clock = virtualClock();
    const start$ = new Subject<void>();
    const [one, two] = ['one', 'two'].map((connector) => testSource<string>({ clock, connector })) as [
      ReturnType<typeof testSource<string>>,
      ReturnType<typeof testSource<string>>,
    ];
    const app = topology(
      {
        one: () => run(start$.pipe(mergeMap(() => one.flow)), acking(), { clock }),
        two: () => run(start$.pipe(mergeMap(() => two.flow)), acking(), { clock }),
      },
      { clock },
    );
    start$.next();
    start$.complete();
    await clock.run(1);
    const sources = Object.values(app.health()).map(({ sources }) => sources.map(({ connector }) => connector));
    expect(sources).toEqual([['one'], ['two']]);
    const stopping = app.running('one')?.stop();
    for (const source of [one, two]) source.offer('a');
    await clock.run(1);
    expect(await stopping).toMatchObject({ clean: true });
    expect([one.queued, two.queued]).toEqual([['a'], []]);
    const all = app.stop();
    await clock.run(1);
    expect(await all).toMatchObject({ one: { clean: true }, two: { clean: true } });
  });

  it('hears of what happens to their messages', async () => {
    const clock = virtualClock();
    const start$ = new Subject<void>();
    const source = testSource<string>({ clock });
    const nacking: Sink<string> = { ...acking(), next: (message) => void message.nack('no', 'dead') };
    const running = run(start$.pipe(mergeMap(() => source.flow)), nacking, { clock });
    const faults: string[] = [];
    running.faults$.subscribe(({ type }) => faults.push(type));
    start$.next();
    start$.complete();
    source.offer('a');
    await clock.run(1);
    expect(faults).toEqual(['message.nacked']);
    const stopping = running.stop();
    await clock.run(1);
    expect(await stopping).toMatchObject({ clean: true });
  });

  it('remembers thousands of them that are open, and forgets those that are not', async () => {
    const clock = virtualClock();
    const start$ = new Subject<number>();
    const running = run(
      start$.pipe(
        mergeMap((at) => {
          const source = testSource<string>({ clock, connector: `s${at}` });
          if (at % 2 === 0) source.end();
          return source.flow;
        }),
      ),
      acking(),
      { clock },
    );
    for (let at = 0; at < 4_000; at += 1) {
      start$.next(at);
      if (at % 100 === 0) clock.advance(1);
    }
    await clock.run(1);
    const { sources } = running.health();
    expect(sources.filter(({ status }) => status === 'connected')).toHaveLength(2_000);
    expect(sources.length).toBeLessThan(4_000);
    start$.complete();
    const stopping = running.stop();
    await clock.run(1);
    expect(await stopping).toMatchObject({ clean: true });
  });

  it('leaves to the broker what they had not emitted, in real time', async () => {
    const broker = memoryBroker();
    for (let at = 0; at < 100; at += 1) broker.publish({ topic: 'in', payload: at });
    let stopping: Promise<DrainReport> | undefined;
    const running = run(
      timer(5).pipe(
        mergeMap(() => memorySource<number>(broker, { topic: 'in', group: 'g', credit: 2 })),
        each(async (value) => {
          if (value === 9) stopping = running.stop();
          return value;
        }),
      ),
      memorySink(broker, { topic: 'out' }),
    );
    const { clean } = await running.done;
    expect([stopping === undefined, clean]).toEqual([false, true]);
    // What it worked on is out, what it had not emitted is there for the next reader, and nothing is in both places.
    const seen: number[] = [];
    const collect = (message: Message<number>): void => {
      seen.push(message.payload);
      message.ack();
    };
    const subscription = memorySource<number>(broker, { topic: 'out', group: 'g' }).subscribe(collect);
    await until(() => expect(seen).toContain(9));
    expect(seen.length).toBeLessThan(100);
    subscription.add(memorySource<number>(broker, { topic: 'in', group: 'g' }).subscribe(collect));
    await until(() => expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, at) => at)));
    subscription.unsubscribe();
  });
});
