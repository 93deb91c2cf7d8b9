import { take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  batch,
  batchPartial,
  deliver,
  describe as graphOf,
  flow,
  fromAsyncIterable,
  payload,
  type Flow,
  type Message,
  type Sink,
} from 'sluice';
import { virtualClock } from 'sluice/testing';
import { recordingSink } from '../helpers/branches.js';
import { collect } from '../helpers/collect.js';
import { runStage, stageLaws } from '../helpers/stage.js';

function holding<T = string>(): { sink: Sink<T>; got: Message<T>[]; completed: () => number } {
  const got: Message<T>[] = [];
  let completed = 0;
  return {
    got,
    completed: () => completed,
    sink: { next: (message) => void got.push(message), error: () => undefined, complete: () => void (completed += 1) },
  };
}

describe('deliver', () => {
  stageLaws<string, string>(() => deliver(recordingSink<string>()), ['a', 'b', 'c']);

  it('emits a message after the sink confirmed it, still unsettled (law 4, ACK-13)', () => {
    const { sink, got } = holding();
    const run = runStage(deliver(sink), { values: ['a', 'b'], sink: 'hold' });
    expect(run.out).toEqual([]);
    got[1]?.ack();
    run.clock.advance(0);
    expect([run.out, run.held]).toEqual([['b'], ['a', 'b']]);
    run.messages[0]?.ack();
    expect(run.log).toEqual(['b ack']);
  });

  it('never emits inside ack(), whether the sink confirms at once or later (law 3)', () => {
    const { sink, got } = holding();
    let insideAck = false;
    const acking = (message: Message<string>): void => {
      insideAck = true;
      message.ack();
      insideAck = false;
    };
    const seen: boolean[] = [];
    const look = (): void => void seen.push(insideAck);
    const later = runStage(deliver(sink), { values: ['a', 'b'], sink: look });
    got.forEach(acking);
    later.clock.advance(0);
    const atOnce = runStage(deliver({ ...sink, next: acking }), { values: ['a', 'b'], sink: look });
    expect([seen, later.out, atOnce.out]).toEqual([
      [false, false, false, false],
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('does not complete before its sink has settled what it got, also one that does not say when it is closed', () => {
    const { sink, got, completed } = holding();
    const stage = (source: Flow<string>): Flow<string> => source.pipe(take(2), deliver(sink));
    const run = runStage(stage, { values: ['a', 'b', 'c'] });
    expect([completed(), run.end]).toEqual([1, 'open']);
    got[0]?.ack();
    run.clock.advance(0);
    expect([run.out, run.end]).toEqual([['a'], 'open']);
    got[1]?.nack(new Error('full'), 'drop');
    run.clock.advance(0);
    expect([run.end, run.log]).toEqual(['complete', ['a ack', 'b drop full']]);
  });

  it('completes when its source took back what the sink never settled', () => {
    const { sink } = holding();
    const stage = (source: Flow<string>): Flow<string> => source.pipe(take(1), deliver(sink));
    const run = runStage(stage, { values: ['a'], closeTimeoutMs: 100 });
    run.clock.advance(100);
    expect([run.end, run.held]).toEqual(['complete', []]);
  });

  it('hands back what the sink confirms after an unsubscribe: nobody would settle it', () => {
    const { sink, got } = holding();
    const run = runStage(deliver(sink), { values: ['a', 'b'], open: true });
    got[0]?.ack();
    run.subscription.unsubscribe();
    got[1]?.ack();
    expect([run.out, run.held, run.log]).toEqual([[], [], ['a release', 'b release']]);
  });

  it('lets the members of a batch go on that the sink has, when it refused others', () => {
    const { sink, got } = holding<number[]>();
    const batched = batch<number>({ size: 3, maxWaitMs: 10 });
    const run = runStage((source: Flow<number>) => flow(source, batched, deliver(sink)), {
      values: [1, 2, 3],
      sink: 'hold',
    });
    got[0]?.nack(batchPartial(new Map([[1, new Error('two')]])), 'dead');
    run.clock.advance(0);
    expect([run.out, run.log]).toEqual([[[1, 3]], []]);
    run.messages[0]?.ack();
    expect(run.log).toEqual(['1 ack', '2 dead two', '3 ack']);
  });

  it('nacks all of a batch that it cannot take apart, as the rest would skip what comes after', () => {
    const { sink, got } = holding();
    const stage = (source: Flow<number>): Flow<string> =>
      flow(source, batch<number>({ size: 2, maxWaitMs: 10 }), payload(String), deliver(sink));
    const run = runStage(stage, { values: [1, 2] });
    got[0]?.nack(batchPartial(new Map([[1, new Error('two')]])), 'dead');
    run.clock.advance(0);
    expect([run.out, run.log]).toEqual([[], ['1 dead SINK_FAILED', '2 dead SINK_FAILED']]);
  });

  it('nacks what the sink refused, and emits nothing for it', () => {
    const { sink, got } = holding();
    const run = runStage(deliver(sink), { values: ['a'] });
    got[0]?.nack(new Error('full'), 'drop');
    run.clock.advance(1);
    expect([run.out, run.log]).toEqual([[], ['a drop full']]);
  });

  it('nacks the message when the sink throws', () => {
    let calls = 0;
    const sink: Sink<string> = {
      ...recordingSink<string>(),
      next(message) {
        calls += 1;
        if (calls === 1) throw new Error('no');
        message.ack();
      },
    };
    const run = runStage(deliver(sink), { values: ['a'] });
    run.clock.advance(60_000);
    expect([run.out, run.log]).toEqual([['a'], ['a requeue SINK_FAILED', 'a ack']]);
  });

  it('completes the sink with the flow, and on unsubscribe', async () => {
    const clock = virtualClock();
    const first = holding();
    const seen = collect(fromAsyncIterable<string>([], { clock }).pipe(deliver(first.sink)));
    clock.advance(1);
    expect([seen.completed, first.completed()]).toEqual([true, 1]);
    const second = holding();
    collect(fromAsyncIterable(['a'], { clock }).pipe(deliver(second.sink))).subscription.unsubscribe();
    await new Promise(setImmediate);
    expect(second.completed()).toBe(1);
  });

  it('is drawn with its sink beside it', () => {
    const graph = graphOf(fromAsyncIterable(['a']).pipe(deliver({ ...holding().sink, name: 'audit' })));
    expect(graph.nodes.map(({ label }) => label)).toContain('deliver(audit)');
  });
});
