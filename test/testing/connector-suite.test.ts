import { describe, expect, it } from 'vitest';
import { conformance, runCase, type CaseRecord, type Features, type Harness, type Runner } from 'sluice/testing';
import { memoryHarness } from '../helpers/memory-bench.js';
import { tinyHarness } from './tiny-connector.js';

// S0.2: a connector that is no part of the library passes the same suite as those that are.
conformance(tinyHarness(), { describe, it, expect });
conformance(tinyHarness({ finite: true, features: { nackRequeue: false } }), { describe, it, expect });

/** Registers with a runner that only writes down. */
function registered(harness: Harness): { records: readonly CaseRecord[]; ran: string[]; skipped: string[] } {
  const ran: string[] = [];
  const skipped: string[] = [];
  const it = Object.assign((name: string): void => void ran.push(name), {
    skip: (name: string): void => void skipped.push(name),
  });
  const runner: Runner = { it, describe: (_name, body) => body() };
  return { records: conformance(harness, runner), ran, skipped };
}

const COUNTS = { SRC: 6, CRD: 12, ACK: 13, DEL: 11, REC: 12, SHU: 8, SNK: 9, RPC: 8, ERR: 6, SEC: 2, RES: 3, OBS: 4 };
const TOTAL = Object.values(COUNTS).reduce((sum, count) => sum + count);

const NOTHING: Features = { ack: 'none', confirms: 'none', flowControl: 'none', headers: 'none' };

describe('conformance', () => {
  it('has all its cases, each with a number of its own', () => {
    const { records } = registered(tinyHarness());
    const areas = records.map(({ id }) => id.slice(0, 3));
    const counts = Object.fromEntries(
      [...new Set(areas)].map((area) => [area, areas.filter((a) => a === area).length]),
    );
    expect(counts).toEqual(COUNTS);
    expect(new Set(records.map(({ id }) => id)).size).toBe(TOTAL);
  });

  it('runs a case or skips it with a reason in its name, never neither', () => {
    const { records, ran, skipped } = registered(tinyHarness());
    expect(ran.length + skipped.length).toBe(TOTAL);
    expect(skipped).toContainEqual(expect.stringMatching(/^SRC-04 .* \(skipped: needs the flag finite\)$/));
    const without = records.flatMap((record) => (record.status === 'skipped' ? [record.reason] : []));
    expect(without).toHaveLength(skipped.length);
    expect(without.filter((reason) => !/\w \w/.test(reason))).toEqual([]);
  });

  it('names what is missing: a flag, one of several, a kind of ack, a verb, or a flag that must not be set', () => {
    const { records } = registered({ ...tinyHarness(), features: { ...NOTHING, finite: true }, can: [] });
    const reasons = Object.fromEntries(
      records.map((record) => [record.id, record.status === 'skipped' ? record.reason : '']),
    );
    expect(reasons).toMatchObject({
      'SRC-01': 'needs peek.opened on the bench',
      'SRC-04': '',
      'CRD-06': 'needs one of ordered, orderedPerKey, orderedSingleConsumer',
      'CRD-12': 'does not apply with the flag finite',
      'ACK-01': 'needs ack: manual, it is none',
      'DEL-04': 'needs the flag consumerGroups',
    });
  });

  it('skips what the harness gives a reason for', async () => {
    const harness: Harness = { ...tinyHarness(), skips: { 'CRD-01': 'its window is fixed' } };
    expect(registered(harness).skipped[1]).toContain('CRD-01');
    expect(await runCase(harness, 'CRD-01')).toEqual({ status: 'skipped', reason: 'its window is fixed' });
  });

  it('fails a harness that cannot be set up, instead of skipping it', async () => {
    const harness: Harness = { ...tinyHarness(), open: () => Promise.reject(new Error('no broker')) };
    const result = await runCase(harness, 'DEL-01');
    expect(result).toMatchObject({ status: 'failed', error: { message: 'no broker (DEL-01 of tiny, seed 1)' } });
  });

  it('runs in real time too', async () => {
    const harness = { ...tinyHarness({ clock: 'real' }), maxMessages: 200, quietMs: 20, withinMs: 45_000 };
    for (const id of ['SRC-02', 'CRD-01', 'CRD-03', 'ACK-13', 'DEL-02', 'REC-04', 'SHU-02'] as const) {
      expect(await runCase(harness, id), id).toEqual({ status: 'passed' });
    }
  });

  it('runs each case for each seed, gives it to the bench, and names the one that fails', async () => {
    const opened: number[] = [];
    const right = tinyHarness();
    const harness: Harness = {
      ...right,
      name: 'moody',
      open(kit) {
        opened.push(kit.seed);
        if (kit.seed === 3) throw new Error('not today');
        return right.open(kit);
      },
    };
    const bodies = new Map<string, () => Promise<void>>();
    const register = (name: string, body: () => Promise<void>): void => void bodies.set(name.slice(0, 6), body);
    const runner: Runner = {
      it: Object.assign(register, { skip: () => undefined }),
      describe: (_name, body) => body(),
    };
    conformance(harness, runner, { seeds: [1, 2, 3, 4] });
    await expect(bodies.get('CRD-04')?.()).rejects.toThrow(/^not today \(CRD-04 of moody, seed 3\)$/);
    expect(opened).toEqual([1, 2, 3]);
    expect(await runCase(harness, 'CRD-04', { seed: 3 })).toMatchObject({ status: 'failed', seed: 3 });
    const real = await runCase({ ...harness, clock: 'real' }, 'CRD-04', { seed: 3 });
    expect(real).toMatchObject({ status: 'failed', seed: undefined, error: { message: 'not today' } });
  });

  it('does not take a first connect that failed for a loss', async () => {
    const harness: Harness = {
      ...memoryHarness,
      async open(kit) {
        const bench = await memoryHarness.open(kit);
        void bench.net?.refuse?.();
        kit.clock.timer(5, () => void bench.net?.heal?.());
        return bench;
      },
    };
    expect(await runCase(harness, 'REC-04', { seed: 1 })).toEqual({ status: 'passed' });
  });

  it('waits for a far side that hears of a connection after its client has it', async () => {
    const right = tinyHarness();
    const harness: Harness = {
      ...right,
      async open(kit) {
        const bench = await right.open(kit);
        let heard = 0;
        const opened = async (): Promise<number> => {
          const now = (await bench.peek?.opened?.()) ?? 0;
          kit.clock.timer(20, () => void (heard = now));
          return heard;
        };
        return { ...bench, peek: { ...bench.peek, opened } };
      },
    };
    expect(await runCase(harness, 'SRC-01')).toEqual({ status: 'passed' });
  });

  it('runs with other seeds', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      expect(await runCase(tinyHarness(), 'ACK-05', { seed }), `seed ${seed}`).toEqual({ status: 'passed' });
    }
  });
});
