import { EMPTY, filter, map, merge, Subject, take, takeUntil, takeWhile, tap, throwError } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  batch,
  batchPartial,
  fanout,
  flow,
  type Flow,
  type Message,
  observe,
  payload,
  type Sink,
  type Stage,
  unbatch,
} from 'sluice';
import { recorder } from '../helpers/message.js';
import { runStage, stageLaws } from '../helpers/stage.js';

function sinkOf(take: (message: Message<number>) => void): Sink<number> & { ends: number } {
  const sink = { ends: 0, next: take, error: () => undefined, complete: () => void (sink.ends += 1) };
  return sink;
}

describe('fanout', () => {
  stageLaws<number, number>(() => fanout([payload((n: number) => n), payload((n: number) => n * 10)]), [1, 2, 3]);

  it('acks the message when every branch acked its part, sinks among them (ACK-09)', () => {
    const parts: Message<number>[] = [];
    const sink = sinkOf((part) => parts.push(part));
    const run = runStage(fanout([sink, payload((n: number) => `#${n}`)]), { values: [1, 2], credit: 2 });
    expect([run.out, run.log, run.end]).toEqual([['#1', '#2'], [], 'open']);
    parts[1]?.ack();
    parts[0]?.nack(new Error('no'), 'dead');
    run.clock.advance(0);
    expect([run.log, run.end, sink.ends]).toEqual([['2 ack', '1 dead no'], 'complete', 1]);
  });

  it.each(['all', 'any'] as const)('under %s merges what branches say of the members of a batch', (settle) => {
    const parts: Message<number[]>[] = [];
    const sink: Sink<number[]> = {
      next: (part) => parts.push(part),
      error: () => undefined,
      complete: () => undefined,
    };
    const stage = (source: Flow<number>): Flow<never> =>
      flow(source, batch<number>({ size: 4, maxWaitMs: 10 }), fanout([sink, { ...sink }, { ...sink }], { settle }));
    const run = runStage(stage, { values: [1, 2, 3, 4] });
    const failing = (...numbers: number[]) => batchPartial(new Map(numbers.map((n) => [n - 1, new Error(`no ${n}`)])));
    parts[0]?.nack(failing(1, 2), 'dead');
    parts[1]?.nack(failing(2, 3), 'drop');
    // Done in one branch is not done in all of them.
    expect(run.log).toEqual([]);
    if (settle === 'all') parts[2]?.ack();
    else parts[2]?.nack(new Error('all'), 'dead');
    expect(run.log).toEqual(
      settle === 'all'
        ? ['1 dead no 1', '2 drop no 2', '3 drop no 3', '4 ack']
        : ['1 ack', '2 drop no 2', '3 ack', '4 ack'],
    );
  });

  it('under any is done with the first ack, and leaves out a branch that is behind by the credit', () => {
    const slow: number[] = [];
    const stuck = (source: Flow<number>): Flow<number> =>
      source.pipe(
        filter((part) => {
          slow.push(part.payload);
          return false;
        }),
      );
    const run = runStage(fanout([stuck, payload((n: number) => n)], { settle: 'any' }), {
      values: [1, 2, 3, 4, 5],
      credit: 2,
    });
    expect([run.out, run.end, slow]).toEqual([[1, 2, 3, 4, 5], 'complete', [1, 2]]);
    expect(run.log.every((line) => line.endsWith(' ack'))).toBe(true);
  });

  it('keeps the error of a branch to itself: reported, its parts redelivered, and it starts anew', () => {
    const reported: string[] = [];
    const stop = observe((event) => reported.push(event.type));
    let failures = 0;
    const broken = (source: Flow<number>): Flow<number> =>
      source.pipe(
        map((part) => {
          if (part.payload === 2 && part.attempt === 1) {
            failures += 1;
            throw new Error('no');
          }
          return part;
        }),
      );
    const run = runStage(fanout([broken, payload((n: number) => n * 10)]), { values: [1, 2, 3] });
    stop();
    expect(reported).toContain('stage.failed');
    expect([failures, run.end, run.held]).toEqual([1, 'complete', []]);
    expect(run.log).toEqual(['1 ack', '2 requeue HANDLER_FAILED', '3 ack', '2 ack'].sort(byLog(run.log)));
  });

  it('goes on without a branch that completed early, and nacks what a sink throws on', () => {
    const run = runStage(
      fanout([
        (source: Flow<number>) => source.pipe(take(1)),
        sinkOf((part) => {
          if (part.payload === 2) throw new Error('no');
          part.ack();
        }),
      ]),
      { values: [1, 2, 3], maxAttempts: 1 },
    );
    expect([run.out, run.end]).toEqual([[1], 'complete']);
    expect(run.log).toEqual(['1 ack', '2 dead ATTEMPTS_EXHAUSTED', '3 ack']);
  });

  it('completes when all branches have, in place of acking what nobody takes', () => {
    const first = (source: Flow<number>): Flow<number> => source.pipe(take(1));
    const run = runStage(fanout([first, (source: Flow<number>) => source.pipe(take(2))]), {
      values: [1, 2, 3, 4],
      open: true,
      credit: 1,
    });
    expect([run.out, run.end, run.log, run.source.queued]).toEqual([[1, 1, 2], 'complete', ['1 ack', '2 ack'], [3, 4]]);
    const empty = runStage(fanout([() => EMPTY]), { values: [1], open: true });
    expect([empty.end, empty.log, empty.source.queued]).toEqual(['complete', [], [1]]);
  });

  it('completes with its source also when a branch has failed before, or fails only then', () => {
    const failing = (source: Flow<number>): Flow<number> =>
      source.pipe(
        map(() => {
          throw new Error('no');
        }),
      );
    const before = runStage(fanout([failing]), { values: [1], maxAttempts: 1 });
    expect([before.end, before.log]).toEqual(['complete', ['1 dead ATTEMPTS_EXHAUSTED']]);
    const input = recorder();
    const parts = new Subject<Message<number>>();
    const end: string[] = [];
    input
      .flow([1])
      .pipe(fanout([(source: Flow<number>) => merge(source.pipe(filter(() => false)), parts)]))
      .subscribe({ complete: () => end.push('complete') });
    expect(end).toEqual([]);
    parts.error(new Error('no'));
    expect([end, input.log]).toEqual([['complete'], ['1 requeue HANDLER_FAILED']]);
  });

  it('leaves what a branch has let out to who has it, when that branch fails or completes', () => {
    for (const how of ['fails', 'completes'] as const) {
      const branch = (source: Flow<number>): Flow<number> =>
        source.pipe(
          takeWhile(({ payload: n }) => n === 1 || how === 'fails'),
          map((part) => {
            if (part.payload > 1) throw new Error('no');
            return part;
          }),
        );
      const run = runStage(fanout([branch]), { values: [1, 2], sink: 'hold', credit: 2, maxAttempts: 1 });
      expect(run.log.filter((line) => line.startsWith('1'))).toEqual([]);
      expect(run.out).toEqual([1]);
    }
  });

  it('leaves what is inside a branch to it when the source has completed, and reports nothing', () => {
    const reported: string[] = [];
    onTestFinished(observe((event) => reported.push(event.type)));
    const input = recorder();
    const inside: Message<number>[] = [];
    const keeps = (source: Flow<number>): Flow<number> =>
      source.pipe(
        tap((part) => inside.push(part)),
        filter(() => false),
      );
    input
      .flow([1])
      .pipe(fanout([keeps]))
      .subscribe();
    expect([input.log, reported]).toEqual([[], []]);
    inside[0]?.ack();
    expect(input.log).toEqual(['1 ack']);
  });

  it('refuses to be nothing', () => {
    expect(() => fanout([])).toThrow(/branches/);
    expect(() => fanout([payload(String), 'sink' as never])).toThrow(/branch 2/);
    expect(() => fanout([payload(String)], { settle: 'most' as 'all' })).toThrow(/settle/);
  });

  it('starts a branch anew that failed while it was being subscribed, by a throw or an error', () => {
    for (const how of ['throws', 'errors'] as const) {
      let starts = 0;
      const broken = (source: Flow<number>): Flow<number> => {
        starts += 1;
        if (starts > 3) return source;
        if (how === 'throws') throw new Error('no');
        return throwError(() => new Error('no'));
      };
      const run = runStage(fanout([broken]), { values: [1, 2], maxAttempts: 3 });
      expect([run.out, run.log, run.end]).toEqual([
        [1, 2],
        ['1 requeue HANDLER_FAILED', '1 requeue HANDLER_FAILED', '1 ack', '2 ack'],
        'complete',
      ]);
    }
  });

  it('ends the flow before it reads anything where a branch is wired wrongly', () => {
    const lasting = new Subject<Message<number>>();
    const wrong: Stage<number, number> = (source) => source.pipe(batch({ size: 0, maxWaitMs: 1 }), unbatch());
    const none: Stage<number, number> = () => undefined as never;
    for (const to of [wrong, none]) {
      const run = runStage(fanout([() => lasting, to]), { values: [1] });
      expect([run.end, run.log, lasting.observed]).toEqual(['CONFIG_INVALID', [], false]);
    }
  });

  it('redelivers what was inside a branch that completed by itself, and goes on without it', () => {
    const early = (source: Flow<number>): Flow<number> =>
      source.pipe(
        filter(() => false),
        takeUntil(source.pipe(filter((part) => part.payload === 2))),
      );
    const run = runStage(fanout([early, payload((n: number) => n)]), { values: [1, 2, 3], credit: 2 });
    expect([run.held, run.end]).toEqual([[], 'complete']);
    expect(run.log.filter((line) => line.endsWith('ack')).toSorted()).toEqual(['1 ack', '2 ack', '3 ack']);
  });
});

/** The order in which they were settled is not what is tested. */
function byLog(log: readonly string[]): (a: string, b: string) => number {
  return (a, b) => log.indexOf(a) - log.indexOf(b);
}
