import { describe, expect, it } from 'vitest';
import { where } from 'sluice';
import { flowTest } from '../helpers/lanes.js';
import { runStage, stageLaws } from '../helpers/stage.js';

describe('where', () => {
  stageLaws<number, number>(() => where((n) => n > 0), [1, 2, 3, 4, 5]);

  it('acks what it drops, so that the credit comes back (ACK-08)', () => {
    const run = runStage(
      where((n: number) => n % 2 === 0),
      { values: [1, 2, 3, 4, 5, 6], credit: 2 },
    );
    expect(run.out).toEqual([2, 4, 6]);
    expect(run.log).toEqual(['1 ack filtered', '2 ack', '3 ack filtered', '4 ack', '5 ack filtered', '6 ack']);
    expect(run.end).toBe('complete');
  });

  it('nacks as dead what its predicate throws on, and goes on (ACK-06)', () => {
    const run = runStage(
      where((n: number) => {
        if (n === 2) throw new Error('no');
        return true;
      }),
      { values: [1, 2, 3] },
    );
    expect(run.out).toEqual([1, 3]);
    expect(run.log).toEqual(['1 ack', '2 dead HANDLER_FAILED', '3 ack']);
  });

  it('takes no promise for an answer, and hears of no rejection of it', async () => {
    const answers = [Promise.resolve(false), Promise.reject(new Error('no'))];
    const run = runStage(where(((n: number) => answers[n]) as never), { values: [0, 1] });
    expect(run.out).toEqual([]);
    expect(run.log).toEqual(['0 dead HANDLER_FAILED', '1 dead HANDLER_FAILED']);
    await Promise.allSettled(answers);
  });

  it('narrows the type by a guard and sees the message', () => {
    const run = runStage(
      where((value: number | string, message): value is string => message.attempt === 1 && typeof value === 'string'),
      { values: [1, 'a'] },
    );
    const texts: string[] = run.out;
    expect(texts).toEqual(['a']);
  });

  it(
    'settles in the frame of the delivery',
    flowTest(({ offer, expectLanes }) => {
      expectLanes(offer('abcd', { credit: 1 }).pipe(where((letter) => letter !== 'b'))).toBe(`
        a       i
        b        S
        c         i
        d          i
        credit  1111`);
    }),
  );
});
