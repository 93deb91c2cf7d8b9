import fc from 'fast-check';
import {
  BehaviorSubject,
  concat,
  EMPTY,
  ignoreElements,
  NEVER,
  Observable,
  of,
  pipe,
  Subject,
  take,
  tap,
  throwError,
} from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  backoff,
  batch,
  busy,
  type Clock,
  currentClock,
  dedupe,
  each,
  type EachOptions,
  fanout,
  flow,
  type Flow,
  latest,
  memoryBroker,
  memorySource,
  type Message,
  observe,
  SluiceError,
  type Stage,
  tapMessage,
  unbatch,
  useClock,
} from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import type { Ring } from '../../src/connection/ring.js';
import { type Envelope, isOpen } from '../../src/message/envelope.js';
import { originsOf } from '../../src/message/settlement.js';
import type { SourceSettler } from '../../src/message/settler.js';
import { EachRunner } from '../../src/operators/each-runner.js';
import { recorder } from '../helpers/message.js';
import { codeOf, runStage, stageLaws } from '../helpers/stage.js';
import { runs } from '../helpers/runs.js';

/** Work that takes its time. */
const later = <T>(clock: Clock, ms: number, value: T): Observable<T> =>
  new Observable((results) =>
    clock.timer(ms, () => {
      results.next(value);
      results.complete();
    }),
  );
const fixed = (tries: number) => backoff({ tries, initialMs: 100, factor: 1, jitter: 'none' });

describe('each with values', () => {
  stageLaws<number, number>(() => each((n) => n + 1), [1, 2, 3, 4, 5]);

  it('carries one result on, acks none, and takes an array for one value', () => {
    const run = runStage(
      each((n: number) => (n === 2 ? undefined : [n, n])),
      { values: [1, 2, 3] },
    );
    expect(run.out).toEqual([
      [1, 1],
      [3, 3],
    ]);
    expect(run.log).toEqual(['1 ack', '2 ack', '3 ack']);
  });

  it('nacks by onError what throws, and goes on (ACK-06)', () => {
    const outcomes: Readonly<Record<string, string>> = { requeue: 'requeue', dead: 'dead', drop: 'drop' };
    for (const [onError, outcome] of Object.entries(outcomes)) {
      const run = runStage(
        each(
          (n: number, { attempt }: Message<number>) => {
            if (n === 2 && attempt === 1) throw new Error('no');
            return n;
          },
          { onError: onError as 'dead' },
        ),
        { values: [1, 2, 3] },
      );
      expect(run.log).toContain(`2 ${outcome} HANDLER_FAILED`);
      expect(run.log.filter((line) => line.endsWith(' ack'))).toHaveLength(onError === 'requeue' ? 3 : 2);
      expect(run.end).toBe('complete');
    }
  });

  it('ends the flow with the error under onError fail, and gives the message back', () => {
    const run = runStage(
      each(
        (n: number) => {
          if (n === 2) throw new RangeError('no');
          return n;
        },
        { onError: 'fail' },
      ),
      { values: [1, 2, 3], open: true },
    );
    run.clock.advance(60_000);
    expect([run.out, run.end, run.held]).toEqual([[1], 'HANDLER_FAILED', []]);
    expect(run.log.slice(0, 2)).toEqual(['1 ack', '2 requeue HANDLER_FAILED']);
  });

  it('keeps the error of the work when it is one of ours', () => {
    const run = runStage(
      each(
        () => {
          throw new SluiceError('UNROUTED', 'nowhere');
        },
        { onError: 'dead' },
      ),
      { values: [1] },
    );
    expect(run.log).toEqual(['1 dead UNROUTED']);
  });

  it('leaves a settlement to work that settles by itself', () => {
    const run = runStage(
      each((n: number, message: Message<number>) => {
        if (n === 1) message.nack(new Error('mine'), 'drop');
        else if (n === 2) {
          message.ack('mine');
          return n;
        }
        return undefined;
      }),
      { values: [1, 2, 3], sink: 'hold' },
    );
    expect(run.log).toEqual(['1 drop mine', '2 ack mine', '3 ack']);
    expect(run.out).toEqual([2]);
  });

  it('tells of no second settlement where work without a result has settled by itself', () => {
    const late: string[] = [];
    onTestFinished(observe((event) => void (event.type === 'message.late' && late.push(event.message.id))));
    const run = runStage(
      each((_: number, message: Message<number>) => void message.ack()),
      { values: [1] },
    );
    expect([run.log, late]).toEqual([['1 ack'], []]);
  });

  it('gives every try the number 1 and the signal of the message', () => {
    const seen: unknown[] = [];
    const run = runStage(
      each((...all: [number, Message<number>, { number: number; signal: AbortSignal }]) => {
        seen.push(all[2].number, all[2].signal.aborted);
        return all[2].signal;
      }),
      { values: [1] },
    );
    expect(seen).toEqual([1, false]);
    expect(run.out[0]?.aborted).toBe(true);
  });

  it('refuses options out of range, and a name that is not an option', () => {
    expect(() => each((n: number) => n, { concurrency: 0 })).toThrow(/concurrency/);
    expect(() => each((n: number) => n, { laneCredit: 0 })).toThrow(/laneCredit/);
    expect(() => each((n: number) => n, { timoutMs: 1 } as EachOptions<number>)).toThrow(/timeoutMs/);
    expect(() => each((n: number) => n, { retry: 3 as never })).toThrow(/expected waits made with backoff\(\), got 3/);
  });
});

describe('each with promises', () => {
  async function runAsync(work: (n: number) => Promise<unknown>, options: EachOptions<number> = {}, count: number = 6) {
    const values = Array.from({ length: count }, (_, at) => at + 1);
    const run = runStage(each(work, options), { values });
    await run.clock.run(10_000);
    return run;
  }

  it('works on as many as concurrency says, and emits results as they are done', async () => {
    let active = 0;
    let most = 0;
    const waits = [3, 1, 2];
    const clock = virtualClock();
    const source = testSource<number>({ clock });
    waits.forEach((wait) => source.offer(wait));
    const out: number[] = [];
    source.flow
      .pipe(
        each(
          (wait) =>
            new Promise<number>((resolve) => {
              most = Math.max(most, (active += 1));
              clock.timer(wait, () => {
                active -= 1;
                resolve(wait);
              });
            }),
          { concurrency: 3 },
        ),
      )
      .subscribe((message) => {
        out.push(message.payload);
        message.ack();
      });
    await clock.run(10);
    expect([out, most]).toEqual([[1, 2, 3], 3]);
  });

  it('keeps the order at concurrency 1, and settles what rejects by onError', async () => {
    const run = await runAsync((n) => (n === 3 ? Promise.reject(new Error('no')) : Promise.resolve(n)), {
      onError: 'dead',
    });
    expect(run.out).toEqual([1, 2, 4, 5, 6]);
    expect(run.log[2]).toBe('3 dead HANDLER_FAILED');
    expect([run.end, run.held]).toEqual(['complete', []]);
  });

  it('passes on the result of work that has acked its message by itself', async () => {
    const run = runStage(
      each(async (n: number, message: Message<number>) => {
        message.ack('mine');
        return Promise.resolve(n);
      }),
      { values: [1] },
    );
    await run.clock.run(1);
    expect([run.log, run.out, run.end]).toEqual([['1 ack mine'], [1], 'complete']);
  });

  it('drops the result of a message that was taken back meanwhile, and works on it again', async () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock });
    source.offer('a');
    const out: string[] = [];
    let works = 0;
    source.flow
      .pipe(
        each(
          (value) =>
            new Promise<string>((resolve) => {
              works += 1;
              const result = `${value}${works}`;
              clock.timer(100, () => resolve(result));
            }),
        ),
      )
      .subscribe((message) => {
        out.push(message.payload);
        message.ack();
      });
    await clock.run(50);
    source.lose(new Error('cut'));
    await clock.run(5_000);
    expect([out, works]).toEqual([['a2'], 2]);
  });

  it('keeps nothing that its source took back while no place is free, however often that is (law 2)', () => {
    const output = { closed: false, next: () => undefined, error: () => undefined, complete: () => undefined };
    const runner = new EachRunner<number, number>(
      () => new Promise(() => undefined),
      {},
      'hung',
      output,
      virtualClock(),
    );
    const { waiting } = runner as unknown as { readonly waiting: Ring<Message<number>> };
    const { message } = recorder();
    const kept = message(0);
    for (const one of [message(-1), kept]) runner.next(one);
    let most = 0;
    for (let loss = 0; loss < 100; loss += 1) {
      const brought = Array.from({ length: 20 }, (_, at) => message(at));
      for (const one of brought) runner.next(one);
      most = Math.max(most, waiting.length);
      for (const one of brought) (one as Envelope<number>).release();
    }
    expect(most).toBeLessThan(100);
    const last = message(1);
    runner.next(last);
    expect(waiting.toArray()).toEqual(expect.arrayContaining([kept, last]));
    expect(isOpen(kept)).toBe(true);
  });

  it('has the lane free of what was taken back while no place was free', () => {
    const output = { closed: false, next: () => undefined, error: () => undefined, complete: () => undefined };
    const lane = ({ payload }: Message<number>): string => `${payload}`;
    const runner = new EachRunner<number, number>(() => NEVER, { lane }, 'hung', output, virtualClock());
    const { waiting } = runner as unknown as { readonly waiting: Ring<Message<number>> };
    const { message } = recorder();
    const brought = Array.from({ length: 33 }, (_, at) => message(at));
    for (const one of brought) runner.next(one);
    for (const one of brought.slice(1)) (one as Envelope<number>).release();
    const again = message(1);
    const other = message(99);
    for (const one of [again, other]) runner.next(one);
    expect(waiting.toArray()).toEqual([again, other]);
  });

  it('begins no work on a message that was taken back while it waited', async () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock });
    for (const value of 'abc') source.offer(value);
    const begun: string[] = [];
    source.flow
      .pipe(
        each((value) => {
          begun.push(value);
          return new Promise((resolve) => clock.timer(100, () => resolve(value)));
        }),
      )
      .subscribe((message) => void message.ack());
    await clock.run(50);
    source.lose(new Error('cut'));
    await clock.run(5_000);
    expect(begun).toEqual(['a', 'a', 'b', 'c']);
  });

  it('abandons running work when it is unsubscribed: nothing comes out, and all goes back untouched', async () => {
    const signals: AbortSignal[] = [];
    for (const options of [{}, { timeoutMs: 10_000 }, { retry: fixed(3) }]) {
      const run = runStage(
        each(
          (n: number, _: Message<number>, current) => {
            signals.push(current.signal);
            return new Promise<number>((resolve) => run.clock.timer(10, () => resolve(n)));
          },
          { concurrency: 2, ...options },
        ),
        { values: [1, 2, 3, 4] },
      );
      run.subscription.unsubscribe();
      expect(run.log).toEqual(['1 release', '2 release', '3 release', '4 release']);
      await run.clock.run(60_000);
      expect(run.out).toEqual([]);
      expect(run.log).toHaveLength(4);
    }
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true, true, true, true, true]);
  });
});

describe('each with observables', () => {
  it('gives back, once it is unsubscribed, what is still worked on, in whatever order the rest was done', () => {
    const works: Subject<never>[] = [];
    const run = runStage(
      each(
        () => {
          const work = new Subject<never>();
          works.push(work);
          return work;
        },
        { concurrency: 4 },
      ),
      { values: [1, 2, 3, 4], open: true },
    );
    for (const done of [0, 3, 1]) works[done]?.complete();
    expect(run.log).toEqual(['1 ack', '4 ack', '2 ack']);
    run.subscription.unsubscribe();
    expect([run.log.slice(3), works.some(({ observed }) => observed)]).toEqual([['3 release'], false]);
  });

  it('completes after the last that waited, also where that is done at once', () => {
    const first = new Subject<number>();
    const run = runStage((source) => each((n: number) => (n === 1 ? first : n))(source.pipe(take(2))), {
      values: [1, 2],
      sink: 'hold',
    });
    expect(run.end).toBe('open');
    first.complete();
    expect([run.out, run.end]).toEqual([[2], 'complete']);
  });

  stageLaws<number, number>(() => each((n) => of(n, n + 1), { concurrency: 2 }), [1, 2, 3, 4, 5]);

  it('acks the message when all its results were, and none is missing (ACK-09)', () => {
    const run = runStage(
      each((n: number) => (n === 2 ? EMPTY : of(n, n * 10))),
      { values: [1, 2, 3], sink: 'hold' },
    );
    expect(run.out).toEqual([1, 10, 3, 30]);
    expect(run.log).toEqual(['2 ack']);
    run.messages[0]?.ack();
    run.messages[2]?.ack();
    run.messages[3]?.ack();
    run.clock.advance(0);
    expect(run.log).toEqual(['2 ack', '3 ack']);
    run.messages[1]?.ack();
    expect(run.log).toEqual(['2 ack', '3 ack', '1 ack']);
  });

  it('stops the work of a message whose part was refused, and works on it again', () => {
    let unsubscribed = 0;
    const run = runStage(
      each(
        (n: number) =>
          new Observable<number>((results) => {
            const clock = run.clock;
            results.next(n);
            const cancel = clock.timer(10, () => results.next(n * 10));
            return () => {
              unsubscribed += 1;
              cancel();
            };
          }),
      ),
      { values: [], open: true, sink: (message) => void message.nack(new Error('no'), 'dead') },
    );
    run.source.offer(1);
    run.clock.advance(20);
    expect([run.out, run.log, unsubscribed]).toEqual([[1], ['1 dead no'], 1]);
  });

  it('ends work that is never done when its message is taken back, and has its place free for it again', () => {
    const begun: string[] = [];
    let left = 0;
    const endless = new Observable<string>(() => () => void (left += 1));
    const stages = [each, latest, busy].map((stage) => stage<string, Observable<string>>);
    for (const stage of stages) {
      begun.length = left = 0;
      const run = runStage(
        stage((value) => (begun.push(value) > 1 ? of(value) : endless)),
        { values: ['a', 'b'], credit: stage === stages[0] ? 2 : 1 },
      );
      run.source.lose(new Error('cut'));
      expect([begun, left, run.out]).toEqual([['a'], 1, []]);
      run.clock.advance(5_000);
      expect([begun, left, run.out, run.end]).toEqual([['a', 'a', 'b'], 1, ['a', 'b'], 'complete']);
    }
  });

  it('ends such work also where the message is a part, a batch, or passed a stage that answers for it', () => {
    const splitting = each((n: number) => of(n, n + 10));
    const before: Readonly<Record<string, Stage<number, unknown>>> = {
      parts: splitting,
      batch: batch({ size: 2, maxWaitMs: 1 }),
      passed: dedupe({ by: ({ payload }) => String(payload), maxKeys: 10 }),
      all: (source) =>
        flow(source, dedupe({ by: () => undefined, maxKeys: 1 }), splitting, batch({ size: 3, maxWaitMs: 1 })),
    };
    for (const [how, stage] of Object.entries(before)) {
      let [begun, left] = [0, 0];
      const endless = new Observable<number>(() => {
        begun += 1;
        return () => void (left += 1);
      });
      const run = runStage(
        (source: Flow<number>) =>
          flow(
            source,
            stage,
            each(() => endless, { concurrency: 9 }),
          ),
        {
          values: [1, 2],
          open: true,
        },
      );
      run.clock.advance(5);
      const first = begun;
      run.source.lose(new Error('cut'));
      expect([how, first > 0, left]).toEqual([how, true, first]);
      run.clock.advance(5_000);
      expect([how, begun, left]).toEqual([how, 2 * first, first]);
      run.subscription.unsubscribe();
    }
  });

  it('lets work go on where another branch of the fan-out was done first', () => {
    const done = new Subject<void>();
    const finished: number[] = [];
    const slow = (n: number): Observable<never> =>
      concat(done, of(n)).pipe(
        tap(() => finished.push(n)),
        ignoreElements(),
      );
    const run = runStage(fanout([each((n: number) => void n), each(slow)], { settle: 'any' }), {
      values: [1],
      open: true,
    });
    expect([run.log, done.observed]).toEqual([['1 ack'], true]);
    done.complete();
    expect(finished).toEqual([1]);
    run.subscription.unsubscribe();
  });

  it('begins nothing inside of the settlement that ends work, and lets work go on that acked by itself', () => {
    const begun: number[] = [];
    const run = runStage(
      each((n: number, message) => {
        begun.push(n);
        if (n === 2) message.ack();
        return n === 2 ? NEVER : concat(of(n), NEVER);
      }),
      { values: [1, 2], open: true, sink: 'hold' },
    );
    expect([begun, run.out]).toEqual([[1], [1]]);
    run.messages[0]?.nack(new Error('no'), 'dead');
    expect(begun).toEqual([1]);
    run.clock.advance(0);
    expect([begun, run.log]).toEqual([
      [1, 2],
      ['1 dead no', '2 ack'],
    ]);
    run.source.offer(3);
    run.clock.advance(0);
    expect(begun).toEqual([1, 2]);
  });

  it('is not disturbed by the end of a message whose work is done', () => {
    const done = new Subject<string>();
    let left = 0;
    const second = new Observable<string>(() => () => void (left += 1));
    const run = runStage(
      each((value: string) => (value === 'a' ? done : second)),
      { values: ['a', 'b'], open: true, sink: 'hold' },
    );
    done.next('x');
    done.complete();
    run.messages[0]?.nack(new Error('no'), 'dead');
    run.clock.advance(0);
    expect([left, run.log, run.held]).toEqual([0, ['a dead no'], ['b']]);
  });

  it('waits for the end of the work before it acks', () => {
    const run = runStage(
      each(() => concat(of('x'), NEVER)),
      { values: [1], open: true },
    );
    expect([run.out, run.log]).toEqual([['x'], []]);
    run.subscription.unsubscribe();
    expect(run.log).toEqual(['1 release']);
  });

  it('counts the results of a failed try too: they are out already', () => {
    let tries = 0;
    const run = runStage(
      each(
        () => {
          tries += 1;
          return tries === 1
            ? concat(
                of('a'),
                throwError(() => new Error('no')),
              )
            : of('b');
        },
        { retry: fixed(2) },
      ),
      { values: [1], sink: 'hold' },
    );
    run.clock.advance(100);
    expect(run.out).toEqual(['a', 'b']);
    run.messages[1]?.ack();
    expect(run.log).toEqual([]);
    run.messages[0]?.ack();
    expect(run.log).toEqual(['1 ack']);
  });

  it('gives back a message whose work failed after results, whatever becomes of them', () => {
    const run = runStage(
      each(
        () =>
          concat(
            of('a'),
            throwError(() => new Error('no')),
          ),
        { onError: 'dead' },
      ),
      { values: [1], sink: 'hold' },
    );
    expect(run.log).toEqual(['1 dead HANDLER_FAILED']);
    expect(run.messages[0]?.ack()).toBe(true);
    expect(run.log).toEqual(['1 dead HANDLER_FAILED']);
  });
});

describe('each with retry and timeout', () => {
  stageLaws<number, number>(() => each((n) => n, { retry: fixed(3), timeoutMs: 1_000 }), [1, 2, 3]);

  it('tries again after the waits of its backoff, which grow, then nacks (S3.83, S3.85)', () => {
    const at: string[] = [];
    const run = runStage(
      each(
        (n: number, _: Message<number>, current) => {
          at.push(`${current.number}@${run?.clock.elapsed() ?? 0}`);
          if (n === 1 || current.number < 3) throw new Error('no');
          return n;
        },
        { retry: backoff({ tries: 3, initialMs: 100, factor: 2, jitter: 'none' }), onError: 'dead' },
      ),
      { values: [], open: true },
    );
    run.source.offer(1);
    run.source.offer(2);
    run.clock.advance(1_000);
    expect(at).toEqual(['1@0', '2@100', '3@300', '1@300', '2@400', '3@600']);
    expect(run.log).toEqual(['1 dead HANDLER_FAILED', '2 ack']);
  });

  it('tries three times by a schedule that does not say how often, so that a message that always fails ends', () => {
    for (const [tries, options] of [
      [3, {}],
      [50, { tries: Infinity }],
    ] as const) {
      let seen = 0;
      const failing = (): void => {
        seen += 1;
        throw new Error('no');
      };
      const retry = backoff({ initialMs: 100, factor: 1, jitter: 'none', ...options });
      const run = runStage(each(failing, { retry, onError: 'dead' }), { values: ['a'], open: true });
      run.clock.advance(4_950);
      expect(seen).toBe(tries);
      expect(run.log).toEqual(tries === 3 ? ['a dead HANDLER_FAILED'] : []);
    }
  });

  it('nacks a message whose schedule of retries throws, or whose result throws when it is asked (law 5)', () => {
    const schedule = {
      tries: 3,
      stableMs: 0,
      delayMs: (): number => {
        throw new Error('no schedule');
      },
    };
    const failing = each(
      () => {
        throw new Error('no');
      },
      { retry: schedule, onError: 'dead' },
    );
    expect(runStage(failing, { values: ['a', 'b'] }).log).toEqual(['a dead HANDLER_FAILED', 'b dead HANDLER_FAILED']);
    const strange = {
      then: () => {
        throw new Error('no');
      },
    };
    const asked = each(() => strange as unknown as PromiseLike<string>, { onError: 'dead' });
    expect(runStage(asked, { values: ['a', 'b'] })).toMatchObject({
      log: ['a dead HANDLER_FAILED', 'b dead HANDLER_FAILED'],
      end: 'complete',
    });
  });

  it.each<[string, EachOptions<string>]>([
    ['at once', {}],
    ['in a lane', { lane: () => 'one' }],
    ['timed', { timeoutMs: 10 }],
  ])('nacks a message whose result cannot even be asked what it is, %s (law 5)', (_name, options) => {
    const result = {
      get then(): never {
        throw new Error('no');
      },
    };
    const run = runStage(
      each(() => result as unknown as string, { onError: 'dead', ...options }),
      { values: ['a', 'b'] },
    );
    run.clock.advance(0);
    expect(run).toMatchObject({ log: ['a dead HANDLER_FAILED', 'b dead HANDLER_FAILED'], end: 'complete' });
  });

  it('goes on when the teardown of an Observable throws, tells it, and counts what had come out (law 5)', () => {
    const told: string[] = [];
    onTestFinished(
      observe((event) => void (event.type === 'stage.failed' && told.push(`${event.stage} ${codeOf(event.reason)}`))),
    );
    const torn = (ms: number): Observable<number> =>
      new Observable((results) => {
        const cancel = currentClock().timer(ms, () => {
          results.next(ms);
          results.complete();
        });
        return () => {
          cancel();
          throw new Error('no teardown');
        };
      });
    const stage = each((ms: number) => torn(ms), { timeoutMs: 50, onError: 'dead', name: 'torn' });
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const source = testSource<number>({ clock });
    const log: string[] = [];
    source.events$.subscribe(({ type, record, reason }) => {
      if (type !== 'delivered') log.push(`${record.value} ${type}${reason === undefined ? '' : ` ${codeOf(reason)}`}`);
    });
    for (const ms of [10, 90, 20]) source.offer(ms);
    const subscription = stage(source.flow).subscribe((message) => message.ack());
    onTestFinished(() => subscription.unsubscribe());
    clock.advance(100);
    expect(log.filter((line) => !line.includes('waiting'))).toEqual(['10 ack', '90 dead HANDLER_TIMEOUT', '20 ack']);
    expect(told).toEqual(Array.from({ length: 3 }, () => expect.stringContaining('torn') as string));
  });

  it('does not try again what cannot help, nor what was taken back meanwhile', () => {
    let tries = 0;
    const run = runStage(
      each(
        (n: number) => {
          tries += 1;
          throw n === 1 ? new SluiceError('DECODE_FAILED', 'never') : new Error('maybe');
        },
        { retry: fixed(5), onError: 'dead' },
      ),
      { values: [1, 2], open: true },
    );
    expect(tries).toBe(2);
    run.source.lose(new SluiceError('CONNECT_FAILED', 'for good'));
    run.clock.advance(10_000);
    expect([tries, run.log, run.end]).toEqual([2, ['1 dead DECODE_FAILED', '2 taken-back'], 'CONNECT_FAILED']);
  });

  it('has the place free at once when a message is taken back that waits for its next try', () => {
    const begun: number[] = [];
    const run = runStage(
      each(
        (n: number) => {
          begun.push(n);
          if (begun.length === 1) throw new Error('maybe');
          return n;
        },
        { retry: backoff({ tries: 2, initialMs: 60_000, jitter: 'none' }) },
      ),
      { values: [1, 2], reconnect: backoff({ initialMs: 1 }) },
    );
    run.source.lose(new SluiceError('CONNECTION_LOST', 'cut', { retriable: true }));
    run.clock.advance(1_000);
    expect([begun, run.log, run.end]).toEqual([
      [1, 1, 2],
      ['1 taken-back', '2 taken-back', '1 ack', '2 ack'],
      'complete',
    ]);
    expect(run.clock.pendingTimers).toBe(0);
  });

  it('tells a try whose time is up by each signal it has asked for, also one that it asks for only then', async () => {
    const clock = virtualClock();
    const source = testSource<number>({ clock });
    const restore = useClock(clock);
    const reasons: unknown[] = [];
    const early: AbortSignal[] = [];
    source.flow
      .pipe(
        each(
          async (n: number, _message, current) => {
            if (n === 1) early.push(current.signal, current.signal);
            await new Promise<void>((resolve) => void clock.timer(100, resolve));
            reasons.push(current.signal.reason, ...early.splice(0).map(({ reason }) => reason as unknown));
          },
          { timeoutMs: 50, onError: 'drop', concurrency: 2 },
        ),
      )
      .subscribe();
    restore();
    source.offer(1);
    source.offer(2);
    await clock.run(100);
    expect(reasons.map(codeOf)).toEqual(Array.from({ length: 4 }, () => 'HANDLER_TIMEOUT'));
  });

  it('ends an Observable at once whose first result is refused while it still gives, and leaves out what is undefined', () => {
    const { flow: input, log } = recorder();
    const out: unknown[] = [];
    let torn = 0;
    const work = (): Observable<number | undefined> =>
      new Observable((results) => {
        results.next(undefined);
        for (const n of [1, 2, 3]) results.next(n);
        return () => (torn += 1);
      });
    input(['a'])
      .pipe(each(work))
      .subscribe((message) => {
        out.push(message.payload);
        message.nack('no', 'drop');
      });
    expect([out, torn, log]).toEqual([[1], 1, ['a drop']]);
  });

  it('gives a try up after timeoutMs: its signal aborts and its late result counts for nothing (S4.80)', async () => {
    const signals: AbortSignal[] = [];
    const run = runStage(
      each(
        (n: number, _: Message<number>, current) => {
          signals.push(current.signal);
          // The first result comes while the second try is at work.
          return new Promise<string>((resolve) =>
            run.clock.timer(current.number === 1 ? 350 : 100, () => resolve(`${n}.${current.number}`)),
          );
        },
        { timeoutMs: 200, retry: fixed(2) },
      ),
      { values: [], open: true },
    );
    run.source.offer(1);
    run.source.end();
    await run.clock.run(1_000);
    expect(run.out).toEqual(['1.2']);
    expect(signals.map((signal) => codeOf(signal.reason))).toEqual(['HANDLER_TIMEOUT', 'MESSAGE_SETTLED']);
    expect([run.log, run.end, run.clock.pendingTimers]).toEqual([['1 ack'], 'complete', 0]);
  });

  it('times out Observables too, and nacks with HANDLER_TIMEOUT', () => {
    const run = runStage(
      each(() => NEVER, { timeoutMs: 50, onError: 'dead' }),
      { values: [1, 2] },
    );
    run.clock.advance(100);
    expect(run.log).toEqual(['1 dead HANDLER_TIMEOUT', '2 dead HANDLER_TIMEOUT']);
  });
});

describe('each with lanes', () => {
  it('fails a message whose key is a promise: each would be in a lane of its own, and in no order', () => {
    const lane = (): Promise<string> => Promise.resolve('a');
    const run = runStage(
      each((n: number) => n, { lane: lane as never, onError: 'dead' }),
      { values: [1, 2] },
    );
    expect([run.out, run.log]).toEqual([[], ['1 dead HANDLER_FAILED', '2 dead HANDLER_FAILED']]);
  });

  stageLaws<number, number>(
    () => each((n) => of(n), { lane: (message) => String(message.payload % 2), concurrency: 4 }),
    [1, 2, 3, 4, 5, 6, 7],
  );

  it('keeps order per key, loses nothing and leaves no credit behind, whatever takes how long', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ key: fc.integer({ min: 0, max: 4 }), ms: fc.integer({ min: 0, max: 5 }) }), {
          maxLength: 60,
        }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
        fc.integer({ min: 0, max: 8 }),
        (items, credit, concurrency, laneCredit, maxParked) => {
          const clock = virtualClock();
          const source = testSource<{ key: number; ms: number; at: number }>({ clock, credit, maxParked });
          items.forEach((item, at) => source.offer({ ...item, at }));
          source.end();
          const out: { key: number; at: number }[] = [];
          let active = 0;
          const atWork = new Set<number>();
          let most = 0;
          let unsettled = 0;
          let ended = false;
          source.events$.subscribe(({ type }) => {
            if (type === 'delivered') most = Math.max(most, (unsettled += 1));
            else if (type !== 'waiting') unsettled -= 1;
          });
          const restore = useClock(clock);
          source.flow
            .pipe(
              each(
                (item) =>
                  new Observable<typeof item>((results) => {
                    expect(atWork.has(item.key)).toBe(false);
                    atWork.add(item.key);
                    expect((active += 1)).toBeLessThanOrEqual(concurrency);
                    clock.timer(item.ms, () => {
                      active -= 1;
                      atWork.delete(item.key);
                      results.next(item);
                      results.complete();
                    });
                  }),
                {
                  concurrency,
                  lane: (message) => `k${message.payload.key}`,
                  ...(laneCredit === undefined ? {} : { laneCredit }),
                },
              ),
            )
            .subscribe({
              next(message) {
                out.push(message.payload);
                message.ack();
              },
              complete: () => (ended = true),
            });
          restore();
          clock.advance(100_000);
          expect(ended).toBe(true);
          expect(out.length).toBe(items.length);
          for (let key = 0; key <= 4; key += 1) {
            const order = out.filter((item) => item.key === key).map((item) => item.at);
            expect(order).toEqual(order.toSorted((a, b) => a - b));
          }
          expect(source.unsettled).toEqual([]);
        },
      ),
      { numRuns: runs(300) },
    );
  });

  it('lets every other key through while one never gets done, at a quarter of the credit', () => {
    const clock = virtualClock();
    const source = testSource<{ key: string; at: number }>({ clock, credit: 64 });
    for (let at = 0; at < 1_000; at += 1) {
      source.offer({ key: `k${at % 10}`, at });
      if (at % 2 === 0) source.offer({ key: 'stuck', at });
    }
    const done: number[] = [];
    const begun: number[] = [];
    let settler: SourceSettler | undefined;
    const restore = useClock(clock);
    const subscription = source.flow
      .pipe(
        each(
          (item) => {
            if (item.key !== 'stuck') return of(item.at);
            begun.push(item.at);
            return NEVER;
          },
          { concurrency: 8, lane: (message) => message.payload.key },
        ),
      )
      .subscribe((message) => {
        for (const origin of originsOf(message)) settler = origin.settler as SourceSettler;
        done.push(message.payload);
        message.ack();
      });
    restore();
    clock.advance(1_000);
    expect(done.length).toBe(1_000);
    expect([begun, settler?.pending()]).toEqual([[0], 16]);
    subscription.unsubscribe();
    clock.advance(60_000);
    expect(source.unsettled).toEqual([]);
    expect(source.queued.filter((item) => item.key === 'stuck')).toHaveLength(500);
  });

  /** Ten messages of a slow key, ten of another, and credit for ten of them in bytes. */
  function slowAndFast() {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const broker = memoryBroker();
    for (let at = 0; at < 20; at += 1) {
      broker.publish({ topic: 't', key: at < 10 ? 'slow' : 'fast', payload: new Uint8Array(10).fill(at) });
    }
    return { clock, source: memorySource<Uint8Array>(broker, { topic: 't', creditBytes: 100 }) };
  }

  it.each<[string, Stage<Uint8Array, Uint8Array>]>([
    ['as they come', (source) => source],
    ['as parts', fanout([(source: Flow<Uint8Array>) => source])],
    ['as members of batches', pipe(batch<Uint8Array>({ size: 1, maxWaitMs: 1 }), unbatch())],
    ['behind what watches', dedupe({ by: ({ id }) => id, maxKeys: 99 })],
  ])('leaves three quarters of creditBytes to other keys than a slow one, %s', (_how, before) => {
    const { clock, source } = slowAndFast();
    const done: number[] = [];
    source
      .pipe(
        before,
        each((bytes, { key }) => (key === 'slow' ? NEVER : bytes), { lane: ({ key }) => key, concurrency: 2 }),
      )
      .subscribe((message) => {
        done.push(message.payload[0] as number);
        message.ack();
      });
    clock.advance(1_000);
    expect(done).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  it('counts all members of a batch against the share of creditBytes', () => {
    const { clock, source } = slowAndFast();
    const done: number[] = [];
    source
      .pipe(
        batch({ size: 2, maxWaitMs: 1 }),
        each((rows, { key }) => (key === 'slow' ? NEVER : rows.length), { lane: ({ key }) => key, concurrency: 2 }),
      )
      .subscribe((message) => {
        done.push(message.payload);
        message.ack();
      });
    clock.advance(1_000);
    expect(done).toEqual([2, 2, 2, 2, 2]);
  });

  it('keeps the order when no more may be put aside: its source then waits', () => {
    const clock = virtualClock();
    const source = testSource<number>({ clock, credit: 8, maxParked: 2 });
    for (let at = 0; at < 20; at += 1) source.offer(at);
    const out: number[] = [];
    const restore = useClock(clock);
    source.flow.pipe(each((n) => later(clock, 1, n), { lane: () => 'one' })).subscribe((message) => {
      out.push(message.payload);
      message.ack();
    });
    restore();
    clock.advance(100);
    expect(out).toEqual(Array.from({ length: 20 }, (_, at) => at));
  });

  it('goes on with what it holds when what it had put aside is lost with the connection', () => {
    const clock = virtualClock();
    const source = testSource<number>({ clock, credit: 8, maxParked: 3 });
    for (let at = 0; at < 8; at += 1) source.offer(at);
    source.end();
    const out: number[] = [];
    let ended = false;
    const restore = useClock(clock);
    source.flow.pipe(each((n) => later(clock, 100, n), { lane: () => 'one' })).subscribe({
      next(message) {
        out.push(message.payload);
        message.ack();
      },
      complete: () => (ended = true),
    });
    restore();
    clock.advance(150);
    source.lose(new Error('cut'));
    clock.advance(100_000);
    expect([out, ended]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7], true]);
  });

  it('gives back at once, when it is unsubscribed, what waits in its lanes', () => {
    const run = runStage(
      each(() => NEVER, { lane: () => 'one' }),
      { values: [1, 2, 3, 4, 5], credit: 8 },
    );
    run.subscription.unsubscribe();
    expect(run.log.sort()).toEqual([1, 2, 3, 4, 5].map((n) => `${n} release`));
  });

  it('asks for the next, or ends, when the one that it has asked for is settled where it waits', () => {
    for (const [dropped, rest] of [
      [['a1'], ['a0', 'a2']],
      [['a1', 'a2'], ['a0']],
    ] as const) {
      const kept = new Map<string, Message<string>>();
      const credit = new BehaviorSubject(2);
      const work = new Subject<string>();
      const run = runStage(
        (source) =>
          source.pipe(
            take(3),
            tapMessage((message) => void kept.set(message.payload, message)),
            each((name: string) => (name === 'a0' ? work : name), { lane: () => 'a', laneCredit: 1 }),
          ),
        { values: ['a0', 'a1', 'a2'], credit, sink: 'hold' },
      );
      credit.next(1);
      work.next('a0');
      work.complete();
      for (const name of dropped) {
        expect(kept.get(name)?.nack(new Error('no'), 'drop')).toBe(true);
        run.clock.advance(0);
      }
      credit.next(2);
      run.clock.advance(0);
      expect([run.out, run.end]).toEqual([rest, 'complete']);
    }
  });

  it('works off what waits in its lanes, in order, after take has ended the intake (law 6)', () => {
    const clock = virtualClock();
    const source = testSource<number>({ clock, credit: 8 });
    for (let at = 0; at < 40; at += 1) source.offer(at);
    const done: number[] = [];
    let completed = 0;
    const restore = useClock(clock);
    source.flow
      .pipe(
        take(20),
        each((n) => later(clock, 5, n), { concurrency: 4, lane: () => 'one' }),
      )
      .subscribe({
        next(message) {
          done.push(message.payload);
          message.ack();
        },
        complete: () => (completed += 1),
      });
    restore();
    clock.advance(10_000);
    expect(done).toEqual(Array.from({ length: 20 }, (_, at) => at));
    expect([completed, source.unsettled]).toEqual([1, []]);
  });

  it('nacks a message whose lane cannot be told, and takes undefined for no lane', () => {
    const run = runStage(
      each((n: number) => n, {
        lane: ({ payload }) => {
          if (payload === 2) throw new Error('no key');
          return undefined;
        },
        onError: 'dead',
      }),
      { values: [1, 2, 3] },
    );
    expect(run.log).toEqual(['1 ack', '2 dead HANDLER_FAILED', '3 ack']);
  });
});
