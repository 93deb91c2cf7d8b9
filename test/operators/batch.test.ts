import { filter, NEVER, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  batch,
  batchPartial,
  dedupe,
  each,
  flow,
  type Flow,
  memoryBroker,
  memorySource,
  type Message,
  payload,
  route,
  type Stage,
} from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import { type SourceHandle, withScope } from '../../src/connection/scope.js';
import { collect } from '../helpers/collect.js';
import { recorder } from '../helpers/message.js';
import { park } from '../helpers/parking.js';
import { runStage, stageLaws } from '../helpers/stage.js';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

describe('batch', () => {
  stageLaws<number, number[]>(() => batch({ size: 2, maxWaitMs: 100 }), numbers(7));

  it('goes out when it is full, after maxWaitMs, and at the end of the source', () => {
    const run = runStage(batch<number>({ size: 3, maxWaitMs: 100 }), { values: numbers(4), open: true });
    expect(run.out).toEqual([[1, 2, 3]]);
    run.clock.advance(99);
    expect(run.out.length).toBe(1);
    run.clock.advance(1);
    expect(run.out).toEqual([[1, 2, 3], [4]]);
    run.source.offer(5);
    run.source.end();
    run.clock.advance(0);
    expect([run.out, run.end]).toEqual([[[1, 2, 3], [4], [5]], 'complete']);
    expect(run.log).toEqual(['1 ack', '2 ack', '3 ack', '4 ack', '5 ack']);
  });

  it('goes out early when the source can give no more before it: no deadlock behind a small credit', () => {
    const run = runStage(batch<number>({ size: 10, maxWaitMs: 1e9 }), { values: numbers(10), credit: 4 });
    expect([run.out, run.end]).toEqual([
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9, 10],
      ],
      'complete',
    ]);
  });

  it('goes out at once in a drain, and where so much waits without credit that nothing comes', () => {
    const clock = virtualClock();
    const drained = (source: SourceHandle, other: Message<string>): void => {
      other.ack();
      source.drain();
    };
    const full = (_: SourceHandle, other: Message<string>) => park(other);
    for (const ends of [drained, full]) {
      const source = testSource<string>({ clock, credit: 8, maxParked: 1 });
      const handles: SourceHandle[] = [];
      const others: Message<string>[] = [];
      const scope = { addSource: (handle: SourceHandle) => void handles.push(handle) };
      const seen = withScope(scope, () =>
        collect(
          source.flow.pipe(
            filter((message) => message.payload !== 'other' || others.push(message) === 0),
            batch({ size: 4, maxWaitMs: 60_000, clock }),
          ),
        ),
      );
      for (const value of ['a', 'b', 'other']) source.offer(value);
      clock.advance(0);
      expect(seen.payloads).toEqual([]);
      ends(handles[0] as SourceHandle, others[0] as Message<string>);
      clock.advance(0);
      expect(seen.payloads).toEqual([['a', 'b']]);
    }
  });

  it('goes out early when what comes next does not fit into creditBytes', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (let at = 0; at < 7; at += 1) broker.publish({ topic: 't', payload: new Uint8Array(30).fill(at) });
    const out: number[][] = [];
    memorySource<Uint8Array>(broker, { topic: 't', creditBytes: 100, clock })
      .pipe(batch({ size: 10, maxWaitMs: 1_000, clock }))
      .subscribe((rows) => {
        out.push(rows.payload.map(([first]) => first as number));
        rows.ack();
      });
    clock.advance(999);
    expect(out).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    clock.advance(1);
    expect(out.at(-1)).toEqual([6]);
  });

  it.each<[string, Stage<number, number>]>([
    ['at once', (source) => source],
    [
      'behind what watches and changes',
      (source) =>
        source.pipe(
          payload((n) => n),
          dedupe({ by: (message) => message.id, maxKeys: 99 }),
        ),
    ],
  ])('goes out early when the branch it stands in gives no more before it, %s', (_where, before) => {
    const inBranch: Stage<number, number[]> = (source) => source.pipe(before, batch({ size: 10, maxWaitMs: 1e9 }));
    const routed = route([{ name: 'few', when: () => true, to: inBranch, budget: 2 }]);
    const run = runStage(routed, { values: numbers(5), credit: 5 });
    expect(run.end).toBe('complete');
    expect(run.out).toEqual([[1, 2], [3, 4], [5]]);
    expect(run.log).toEqual(['1 ack', '2 ack', '3 ack', '4 ack', '5 ack']);
  });

  it('keeps filling while something else of the source is still under way', () => {
    const run = runStage(batch<number>({ size: 3, maxWaitMs: 100 }), { values: numbers(5), credit: 4, sink: 'hold' });
    expect(run.out).toEqual([[1, 2, 3]]);
    run.messages[0]?.ack();
    run.clock.advance(0);
    expect(run.out).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
  });

  it('nacks all members with the batch (ACK-10), or only those that failed (BATCH_PARTIAL)', () => {
    const all = runStage(batch<number>({ size: 3, maxWaitMs: 1 }), {
      values: numbers(3),
      sink: (message) => void message.nack(new Error('no'), 'dead'),
    });
    expect(all.log).toEqual(['1 dead no', '2 dead no', '3 dead no']);
    const some = runStage(batch<number>({ size: 3, maxWaitMs: 1 }), {
      values: numbers(3),
      sink: (message) => void message.nack(batchPartial(new Map([[1, new Error('two')]])), 'dead'),
    });
    expect(some.log).toEqual(['1 ack', '2 dead two', '3 ack']);
  });

  it('leaves the credit to others when its batches wait in a lane that is never done', () => {
    const stage = (source: Flow<number>): Flow<number[]> =>
      flow(
        source,
        batch<number>({ size: 2, maxWaitMs: 10 }),
        each((pair: number[]) => ((pair[0] as number) < 8 ? NEVER : pair), {
          concurrency: 2,
          lane: ({ payload: pair }) => ((pair[0] as number) < 8 ? 'slow' : 'fast'),
        }),
      );
    const run = runStage(stage, { values: numbers(20), credit: 8, open: true });
    run.clock.advance(100);
    expect(run.out).toEqual([9, 11, 13, 15, 17, 19].map((n) => [n, n + 1]));
    expect(run.held).toEqual(numbers(8));
  });

  it('leaves out what its source took back while it waited', () => {
    const run = runStage(batch<number>({ size: 3, maxWaitMs: 1e6 }), { values: numbers(2), open: true });
    run.source.lose(new Error('cut'));
    run.clock.advance(10_000);
    run.source.offer(3);
    run.clock.advance(0);
    expect(run.out.at(-1)).toEqual([1, 2, 3].slice(0, run.out.at(-1)?.length));
    run.clock.advance(1e6);
    expect(run.out.flat().sort()).toEqual([1, 2, 3]);
    expect(run.held).toEqual([]);
  });

  it('goes out when its messages have maxBytes together, counted anew for each batch', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (const length of [30, 70, 30, 30, 50, 10]) broker.publish({ topic: 't', payload: new Uint8Array(length) });
    const out: number[][] = [];
    memorySource<Uint8Array>(broker, { topic: 't', clock })
      .pipe(batch({ size: 10, maxBytes: 100, maxWaitMs: 1_000, clock }))
      .subscribe((rows) => {
        out.push(rows.payload.map(({ length }) => length));
      });
    clock.advance(999);
    expect(out).toEqual([
      [30, 70],
      [30, 30, 50],
    ]);
  });

  it('waits maxWaitMs for its own first message, not for that of a batch that was full before', () => {
    const run = runStage(batch<number>({ size: 2, maxWaitMs: 100 }), { values: [1], open: true });
    run.clock.advance(50);
    for (const value of [2, 3]) run.source.offer(value);
    run.clock.advance(99);
    expect(run.out).toEqual([[1, 2]]);
    run.clock.advance(1);
    expect(run.out).toEqual([[1, 2], [3]]);
  });

  it('is given on at the end also of a flow that says nothing of its credit, and handed back where nobody takes it', () => {
    const clock = virtualClock();
    const { message, log } = recorder();
    const input = new Subject<Message<string>>();
    const out: string[][] = [];
    const stage = batch<string>({ size: 3, maxWaitMs: 1_000, clock });
    const ended = input.pipe(stage).subscribe(({ payload: rows }) => out.push(rows));
    input.next(message('a'));
    ended.unsubscribe();
    expect([log, clock.pendingTimers]).toEqual([['a release'], 0]);
    input.pipe(stage).subscribe(({ payload: rows }) => out.push(rows));
    input.next(message('b'));
    input.complete();
    expect(out).toEqual([['b']]);
  });

  it('refuses a missing option, and a size that the credit never fills', () => {
    expect(() => batch({ size: 3 } as never)).toThrow(/maxWaitMs/);
    expect(() => batch({ maxWaitMs: 3 } as never)).toThrow(/size/);
    const source = memorySource<number>(memoryBroker(), { topic: 't', credit: 4 });
    expect(() => source.pipe(payload(String), batch({ size: 5, maxWaitMs: 1 }))).toThrow(/'size' is 5.*credit/);
  });
});
