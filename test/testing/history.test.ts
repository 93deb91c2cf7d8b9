import { describe, expect, it } from 'vitest';
import { checkHistory, history } from 'sluice/testing';

describe('history', () => {
  it('numbers the messages of each writer', () => {
    const run = history('r');
    const a = run.writer('a');
    const b = run.writer('b');
    expect([a(), a(), b()]).toEqual(['r.a.0', 'r.a.1', 'r.b.0']);
  });

  it('refuses names that would make ids ambiguous', () => {
    expect(() => history('a.b')).toThrow(/'run': expected a name without a full stop/);
    expect(() => history('r').writer('')).toThrow(/'writer': expected a name/);
  });

  it('writes down what happened, in order, with what was left out filled in', () => {
    const run = history('r');
    run.attempted('r.a.0');
    run.delivered('r.a.0');
    run.settled('r.a.0', 'ack');
    run.committed(7);
    run.drained();
    expect(run.events).toEqual([
      { type: 'attempted', id: 'r.a.0' },
      { type: 'delivered', id: 'r.a.0', attempt: 1, bytes: 0, position: undefined, partition: undefined },
      { type: 'settled', id: 'r.a.0', outcome: 'ack' },
      { type: 'committed', position: 7, partition: '' },
      { type: 'drained' },
    ]);
    expect(run.check()).toEqual(checkHistory(run.events));
  });
});
