import { describe, expect, it } from 'vitest';
import { payload } from 'sluice';
import { runStage, stageLaws } from '../helpers/stage.js';

describe('payload', () => {
  stageLaws<number, number>(() => payload((n) => n * 10), [1, 2, 3, 4, 5]);

  it('changes the payload and carries the settlement', () => {
    const run = runStage(
      payload((n: number, message) => `${message.topic} ${n}`),
      { values: [1, 2] },
    );
    expect(run.out).toEqual(['test 1', 'test 2']);
    expect(run.log).toEqual(['1 ack', '2 ack']);
    expect(run.messages[0]?.topic).toBe('test');
  });

  it('changes 0 to -0, and NaN to NaN', () => {
    const run = runStage(
      payload((n: number) => -n),
      { values: [0, -0, NaN] },
    );
    expect(run.out).toEqual([-0, 0, NaN]);
  });

  it('nacks as dead what its function throws on, and goes on (ACK-06)', () => {
    const run = runStage(
      payload((n: number) => {
        if (n === 2) throw new TypeError('no');
        return n;
      }),
      { values: [1, 2, 3] },
    );
    expect(run.log).toEqual(['1 ack', '2 dead HANDLER_FAILED', '3 ack']);
  });
});
