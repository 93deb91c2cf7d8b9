import { concat, NEVER, Observable, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { latest } from 'sluice';
import { runStage, stageLaws } from '../helpers/stage.js';

describe('latest', () => {
  stageLaws<number, number>(() => latest((n) => n), [1, 2, 3]);

  it('gives up the older work for the newer: settled, unsubscribed, its signal aborted', () => {
    const ended: number[] = [];
    const signals: AbortSignal[] = [];
    const run = runStage(
      latest((n: number, message) => {
        signals.push(message.signal);
        return new Observable<number>((results) => {
          const cancel = run.clock.timer(10, () => {
            results.next(n);
            results.complete();
          });
          return () => {
            ended.push(n);
            cancel();
          };
        });
      }),
      { values: [], open: true },
    );
    for (const value of [1, 2, 3]) run.source.offer(value);
    run.clock.advance(10);
    expect([run.out, ended]).toEqual([[3], [1, 2, 3]]);
    expect(run.log).toEqual(['1 ack superseded', '2 ack superseded', '3 ack']);
    expect(signals.every((signal) => signal.aborted)).toBe(true);
  });

  it('takes the answer of older work, that cannot be ended, for none of the newer', async () => {
    const answers: ((value: string) => void)[] = [];
    const run = runStage(
      latest(() => new Promise<string>((resolve) => void answers.push(resolve))),
      { values: [1, 2], open: true },
    );
    answers[0]?.('old');
    await run.clock.run(1);
    expect([run.out, run.log]).toEqual([[], ['1 ack superseded']]);
    answers[1]?.('new');
    await run.clock.run(1);
    expect([run.out, run.log]).toEqual([['new'], ['1 ack superseded', '2 ack']]);
  });

  it('acks a superseded message only once the results that came out before were acked', () => {
    const run = runStage(
      latest((n: number) => concat(of(n), NEVER)),
      { values: [1, 2], open: true, sink: 'hold' },
    );
    expect([run.out, run.log]).toEqual([[1, 2], []]);
    run.messages[0]?.ack();
    expect(run.log).toEqual(['1 ack']);
  });

  it('hands the superseded back under requeue, to come again after a while', () => {
    const run = runStage(
      latest(() => NEVER, { superseded: 'requeue' }),
      { values: [1, 2], open: true },
    );
    run.clock.advance(99);
    expect([run.log, run.held]).toEqual([[], [1, 2]]);
    run.clock.advance(1);
    expect(run.log[0]).toBe('1 release');
  });

  it('refuses unknown options', () => {
    expect(() => latest((n: number) => n, { superseded: 'drop' as 'ack' })).toThrow(/superseded/);
  });
});
