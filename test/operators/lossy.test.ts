import { debounce, distinctUntilChanged, filter, map, Subject, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { lossy, type Message } from 'sluice';
import { flowTest } from '../helpers/lanes.js';
import { runStage, stageLaws } from '../helpers/stage.js';

describe('lossy', () => {
  stageLaws<number, number>(
    () =>
      lossy(
        filter<Message<number>>(() => true),
        'sync',
      ),
    [1, 2, 3],
  );

  it('acks what does not come out at once under sync', () => {
    const run = runStage(
      lossy(
        distinctUntilChanged<Message<number>>((a, b) => a.payload === b.payload),
        'sync',
      ),
      { values: [1, 1, 2, 2, 3], credit: 1 },
    );
    expect([run.out, run.end]).toEqual([[1, 2, 3], 'complete']);
    expect(run.log).toEqual(['1 ack', '1 ack dropped', '2 ack', '2 ack dropped', '3 ack']);
  });

  it(
    'acks what a newer message replaces under latest',
    flowTest(({ offer, expectLanes }) => {
      expectLanes(offer('ab--c', { credit: 2 }).pipe(lossy(debounce(() => timer(2))))).toBe(`
        a       ds
        b        d-a
        c           d-a
        credit  1112112`);
    }),
  );

  it('lets nothing out that its source took back while it was inside', () => {
    const held = new Subject<void>();
    const run = runStage(lossy(debounce<Message<number>>(() => held)), { values: [1], open: true });
    run.source.lose(new Error('cut'));
    held.next();
    expect(run.out).toEqual([]);
    run.clock.advance(5_000);
    held.next();
    expect([run.out, run.log]).toEqual([[1], ['1 taken-back', '1 ack']]);
  });

  it('ends with the operator: its error is that of the flow, and what it held goes back', () => {
    const run = runStage(
      lossy(
        map((message: Message<number>) => {
          if (message.payload === 2) throw new Error('no');
          return message;
        }),
      ),
      { values: [1, 2, 3], open: true },
    );
    run.clock.advance(60_000);
    expect([run.end, run.held]).toEqual(['no', []]);
    expect(run.log[0]).toBe('1 ack');
  });

  it('ends with CONFIG_INVALID over an operator that gives payloads, or nothing: they would be acked and never come out', () => {
    for (const operator of [map((message: Message<number>) => message.payload), () => undefined]) {
      for (const mode of ['latest', 'sync'] as const) {
        const run = runStage(lossy(operator as never, mode), { values: [1, 2, 3], credit: 1 });
        expect([run.out, run.end]).toEqual([[], 'CONFIG_INVALID']);
        expect(run.log.filter((line) => line.includes('ack'))).toEqual([]);
      }
    }
  });

  it('refuses another mode', () => {
    expect(() => lossy(filter<Message<number>>(Boolean), 'all' as 'sync')).toThrow(/mode/);
  });
});
