import { filter, map, mergeMap, of, pipe, retry, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { through } from 'sluice';
import { runStage, stageLaws } from '../helpers/stage.js';

describe('through', () => {
  stageLaws<number, number>(() => through(pipe(map((n: number) => n + 1))), [1, 2, 3, 4]);

  it('means each message alone: a filter drops, a retry tries again, an error fails only its message', () => {
    let tries = 0;
    const run = runStage(
      through(
        pipe(
          filter((n: number) => n !== 1),
          mergeMap((n) => {
            if (n === 3) return throwError(() => new Error('no'));
            tries += 1;
            return n === 2 && tries === 1 ? throwError(() => new Error('once')) : of(n, n * 10);
          }),
          retry(1),
        ),
        { onError: 'dead' },
      ),
      { values: [1, 2, 3, 4] },
    );
    expect(run.out).toEqual([2, 20, 4, 40]);
    expect(run.log).toEqual(['1 ack', '2 ack', '3 dead HANDLER_FAILED', '4 ack']);
  });

  it('acks nothing when the chain gives no Observable: a forgotten return would otherwise lose every message', () => {
    const forgotten = through<number, number>(() => undefined as never, { onError: 'dead' });
    expect(runStage(forgotten, { values: [1, 2] }).log).toEqual(['1 dead HANDLER_FAILED', '2 dead HANDLER_FAILED']);
  });

  it('refuses the options that each refuses', () => {
    expect(() => through(pipe(map(String)), { concurrency: 0 })).toThrow(/concurrency/);
  });
});
