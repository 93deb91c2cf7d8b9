import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { dedupe, each, flow, type Flow, type Message } from 'sluice';
import { recorder } from '../helpers/message.js';
import { runStage, stageLaws } from '../helpers/stage.js';

const byPayload = (more: { withinMs?: number; maxKeys?: number } = {}) =>
  dedupe<string>({ by: ({ payload }) => payload, maxKeys: 100, ...more });

describe('dedupe', () => {
  stageLaws<string, string>(() => byPayload(), ['a', 'b', 'c']);

  it('processes a duplicate once, whether the first is done or under way (S3.86)', () => {
    const run = runStage(byPayload(), { values: ['a', 'a'], sink: 'hold', open: true });
    expect([run.out, run.log]).toEqual([['a'], ['a ack duplicate']]);
    run.messages[0]?.ack();
    run.source.offer('a');
    run.clock.advance(0);
    expect([run.out, run.log]).toEqual([['a'], ['a ack duplicate', 'a ack', 'a ack duplicate']]);
  });

  it('lets a redelivery pass: a message counts as seen only once it was acked (S3.86)', () => {
    const run = runStage(byPayload(), {
      values: ['a'],
      sink: (message) => void (message.attempt === 1 ? message.nack(new Error('no')) : message.ack()),
    });
    expect([run.out, run.log]).toEqual([
      ['a', 'a'],
      ['a requeue no', 'a ack'],
    ]);
  });

  it('lets pass what its source took back and delivers again', () => {
    const run = runStage(byPayload(), { values: ['a'], open: true, sink: 'hold' });
    run.source.lose(new Error('cut'));
    run.clock.advance(10_000);
    expect(run.out).toEqual(['a', 'a']);
  });

  it('forgets after withinMs, and the oldest beyond maxKeys', () => {
    const timed = runStage(byPayload({ withinMs: 100 }), { values: ['a'], open: true });
    timed.clock.advance(100);
    timed.source.offer('a');
    timed.clock.advance(1);
    timed.source.offer('a');
    timed.clock.advance(0);
    expect(timed.out).toEqual(['a', 'a']);
    const small = runStage(byPayload({ maxKeys: 2 }), { values: ['a', 'b', 'c', 'c', 'a'] });
    expect(small.out).toEqual(['a', 'b', 'c', 'a']);
  });

  it('keeps no place for what was not acked, and forgets first what was acked first', () => {
    const { message, settled } = recorder();
    const input = new Subject<Message<string>>();
    input.pipe(byPayload({ maxKeys: 2 })).subscribe((passed) => {
      if (passed.payload === 'bad') passed.nack('no', 'drop');
      else if (passed.payload !== 'later') passed.ack();
      else later = passed;
    });
    let later: Message<string> | undefined;
    for (const payload of ['a', 'bad', 'b', 'a']) input.next(message(payload));
    expect(settled.at(-1)).toMatchObject({ payload: 'a', outcome: 'ack', note: 'duplicate' });
    for (const payload of ['later', 'b']) input.next(message(payload));
    expect(settled.at(-1)).toMatchObject({ payload: 'b', note: 'duplicate' });
    input.next(message('c'));
    later?.ack();
    for (const payload of ['d', 'later']) input.next(message(payload));
    expect(settled.at(-1)).toMatchObject({ payload: 'later', note: 'duplicate' });
  });

  it('is not misled by a message that waits for its lane', () => {
    const stage = (source: Flow<string>): Flow<string> =>
      flow(
        source,
        dedupe({ by: ({ payload }) => payload, maxKeys: 100 }),
        each((text) => text, { lane: () => 'one', laneCredit: 1 }),
      );
    const run = runStage(stage, { values: ['a', 'b', 'b', 'c', 'a'] });
    run.clock.advance(100);
    expect([run.out, run.held, run.end]).toEqual([['a', 'b', 'c'], [], 'complete']);
  });

  it('passes what has no key, and nacks as dead what it throws on', () => {
    const run = runStage(
      dedupe<string>({
        by: ({ payload }) => {
          if (payload === 'x') throw new Error('no');
          return undefined;
        },
        maxKeys: 1,
      }),
      { values: ['a', 'a', 'x'] },
    );
    expect([run.out, run.log]).toEqual([
      ['a', 'a'],
      ['a ack', 'a ack', 'x dead HANDLER_FAILED'],
    ]);
    expect(() => dedupe({ by: () => 'a' } as never)).toThrow(/maxKeys/);
  });

  it('gives up a message whose key is a promise: no two would ever be the same', () => {
    const by = (): Promise<string> => Promise.resolve('a');
    const run = runStage(dedupe<number>({ by: by as never, maxKeys: 4 }), { values: [1, 2] });
    expect([run.out, run.log]).toEqual([[], ['1 dead HANDLER_FAILED', '2 dead HANDLER_FAILED']]);
  });
});
