import { NEVER, Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { busy, type Clock } from 'sluice';
import { runStage, stageLaws, type StageRun } from '../helpers/stage.js';

const later = (clock: () => Clock, ms: number, value: number): Observable<number> =>
  new Observable((results) =>
    clock().timer(ms, () => {
      results.next(value);
      results.complete();
    }),
  );

describe('busy', () => {
  stageLaws<number, number>(() => busy((n) => n), [1, 2, 3]);

  it('turns away what comes while it works, settled at once', () => {
    const run: StageRun<number, number> = runStage(
      busy((n: number) => later(() => run.clock, 10, n)),
      { values: [], open: true },
    );
    for (const value of [1, 2, 3]) run.source.offer(value);
    run.clock.advance(0);
    expect(run.log).toEqual(['2 ack busy', '3 ack busy']);
    run.clock.advance(10);
    run.source.offer(4);
    run.clock.advance(10);
    expect([run.out, run.log.slice(2)]).toEqual([
      [1, 4],
      ['1 ack', '4 ack'],
    ]);
  });

  it('lets what was turned away come again later, without counting an attempt', () => {
    const run: StageRun<number, number> = runStage(
      busy((n: number) => later(() => run.clock, 150, n), { busy: 'requeue' }),
      { values: [], open: true },
    );
    for (const value of [1, 2]) run.source.offer(value);
    run.clock.advance(1_000);
    expect(run.out).toEqual([1, 2]);
    expect(run.messages.map(({ attempt }) => attempt)).toEqual([1, 1]);
    expect(run.held).toEqual([]);
  });

  it('fails like each, and refuses unknown options', () => {
    const run: StageRun<number, number> = runStage(
      busy(() => NEVER, { timeoutMs: 5, onError: 'dead' }),
      { values: [1] },
    );
    run.clock.advance(5);
    expect(run.log).toEqual(['1 dead HANDLER_TIMEOUT']);
    expect(() => busy((n: number) => n, { busy: 'drop' as 'ack' })).toThrow(/busy/);
  });
});
