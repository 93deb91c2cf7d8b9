import { describe, expect, it } from 'vitest';
import { batch, flow, type Flow, payload, unbatch } from 'sluice';
import { runStage, stageLaws } from '../helpers/stage.js';

const pairs = (source: Flow<number>): Flow<number> =>
  flow(
    source,
    batch({ size: 2, maxWaitMs: 10 }),
    payload((all) => all.map((n) => n * 10)),
    unbatch(),
  );

describe('unbatch', () => {
  stageLaws<number, number>(() => pairs, [1, 2, 3, 4, 5]);

  it('gives each member of a batch its own settlement back', () => {
    const run = runStage(pairs, {
      values: [1, 2, 3, 4],
      sink: (message) => void (message.payload === 20 ? message.nack(new Error('no'), 'dead') : message.ack()),
    });
    expect(run.out).toEqual([10, 20, 30, 40]);
    expect(run.log).toEqual(['1 ack', '2 dead no', '3 ack', '4 ack']);
  });

  it('splits any other list: acked when all were, an empty one at once', () => {
    const run = runStage(unbatch<string>(), { values: [['a', 'b'], []], sink: 'hold' });
    expect([run.out, run.log]).toEqual([['a', 'b'], [' ack empty'.trim()]]);
    run.messages[0]?.ack();
    expect(run.log.length).toBe(1);
    run.messages[1]?.ack();
    expect(run.log.at(-1)).toBe('a,b ack');
  });
});
