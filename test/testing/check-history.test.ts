import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { history, type History } from 'sluice/testing';

/** A history with `count` confirmed messages of one writer. */
function written(count: number, writer = 'w'): { run: History; ids: string[] } {
  const run = history('run');
  const next = run.writer(writer);
  const ids = Array.from({ length: count }, next);
  for (const id of ids) {
    run.attempted(id);
    run.confirmed(id);
  }
  return { run, ids };
}

function through(run: History, ...ids: string[]): void {
  for (const id of ids) {
    run.delivered(id);
    run.settled(id, 'ack');
  }
}

describe('checkHistory', () => {
  it('finds nothing wrong where each message was delivered and settled once', () => {
    const { run, ids } = written(3);
    through(run, ...ids);
    run.drained();
    expect(run.check()).toEqual({
      valid: true,
      invalid: '',
      attempted: 3,
      confirmed: 3,
      delivered: 3,
      lost: [],
      unexpected: [],
      duplicated: [],
      duplicates: 0,
      recovered: [],
      disordered: [],
      losses: {},
      maxInFlight: 1,
      maxInFlightBytes: 0,
      committedPast: [],
    });
  });

  it('is invalid without a full drain at the end, however good it looks', () => {
    const { run, ids } = written(1);
    through(run, ...ids);
    expect(run.check()).toMatchObject({ valid: false, invalid: expect.stringContaining('full drain') });
    run.drained();
    run.delivered('run.w.0');
    expect(run.check().valid).toBe(false);
    run.drained();
    expect(run.check()).toMatchObject({ valid: false, invalid: expect.stringContaining('unsettled') });
  });

  it('says where in the sequence the losses were', () => {
    const { run, ids } = written(6);
    through(run, ids[1] as string, ids[3] as string);
    run.drained();
    const report = run.check();
    expect(report.lost).toEqual(['run.w.0', 'run.w.2', 'run.w.4', 'run.w.5']);
    expect(report.losses).toEqual({ 'run.w': { prefix: 1, middle: 1, postfix: 2 } });
  });

  it('counts as lost what was delivered, not settled and never delivered again', () => {
    const run = history('run');
    const id = run.writer('w')();
    run.attempted(id);
    run.delivered(id);
    run.drained();
    expect(run.check().lost).toEqual([id]);
  });

  it('does not count as lost what was refused, unknown, or given up on purpose', () => {
    const run = history('run');
    const next = run.writer('w');
    const [refused, unknown, dead] = [next(), next(), next()];
    for (const id of [refused, unknown, dead]) run.attempted(id);
    run.refused(refused);
    run.unknown(unknown);
    run.confirmed(dead);
    run.delivered(dead);
    run.settled(dead, 'dead');
    run.drained();
    expect(run.check().lost).toEqual([]);
  });

  it('tells what nobody sent, what was refused and came all the same, and what nobody could say', () => {
    const run = history('run');
    const next = run.writer('w');
    const [refused, unknown] = [next(), next()];
    run.attempted(refused);
    run.refused(refused);
    run.attempted(unknown);
    run.unknown(unknown);
    through(run, 'other.w.0', refused, unknown);
    run.drained();
    const report = run.check();
    expect(report.unexpected).toEqual([refused, 'other.w.0']);
    expect(report.recovered).toEqual([unknown]);
  });

  it('tells a duplicate from a redelivery that was asked for', () => {
    const { run, ids } = written(2);
    const [a, b] = ids as [string, string];
    run.delivered(a);
    run.settled(a, 'requeue');
    through(run, a);
    run.delivered(b);
    run.delivered(b, { attempt: 2 });
    run.settled(b, 'ack');
    through(run, b);
    run.drained();
    expect(run.check()).toMatchObject({ duplicated: [b], duplicates: 2, lost: [] });
  });

  it('finds what came after a later one of the same writer, by first deliveries', () => {
    const { run, ids } = written(4);
    const [a, b, c, d] = ids as [string, string, string, string];
    through(run, a, c, b, d, a);
    run.drained();
    expect(run.check().disordered).toEqual([b]);
  });

  it('finds commits that passed an unsettled message of their partition', () => {
    const { run, ids } = written(3);
    const [a, b, c] = ids as [string, string, string];
    run.delivered(a, { position: 10, partition: 'p' });
    run.delivered(b, { position: 11, partition: 'p' });
    run.delivered(c, { position: 5, partition: 'q' });
    run.settled(b, 'ack');
    run.committed(10, 'p');
    expect(run.check().committedPast).toEqual([]);
    run.committed(12, 'p');
    expect(run.check().committedPast).toEqual([a]);
  });

  it('agrees with a naive count, whatever happens', () => {
    const step = fc.record({ what: fc.constantFrom('deliver', 'ack', 'requeue'), which: fc.nat(9), bytes: fc.nat(9) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { run, ids } = written(10);
        const open = new Map<string, number>();
        const done = new Set<string>();
        let most = 0;
        let mostBytes = 0;
        for (const { what, which, bytes } of steps) {
          const id = ids[which] as string;
          if (what === 'deliver') {
            run.delivered(id, { bytes });
            open.set(id, bytes);
            done.delete(id);
            most = Math.max(most, open.size);
            mostBytes = Math.max(
              mostBytes,
              [...open.values()].reduce((sum, size) => sum + size, 0),
            );
          } else if (open.delete(id)) {
            run.settled(id, what);
            if (what === 'ack') done.add(id);
          }
        }
        run.drained();
        const report = run.check();
        expect(report.lost).toEqual(ids.filter((id) => !done.has(id)));
        expect([report.maxInFlight, report.maxInFlightBytes]).toEqual([most, mostBytes]);
        expect(report.valid).toBe(open.size === 0);
      }),
    );
  });
});
