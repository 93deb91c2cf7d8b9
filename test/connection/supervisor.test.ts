import { describe, expect, it, onTestFinished } from 'vitest';
import { backoff, observe, SluiceError } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { StatusCell } from '../../src/connection/status-cell.js';
import { NOT_YET, type Supervised, Supervisor } from '../../src/connection/supervisor.js';

/** Where the test says what opens, and reads what became of it: `log` has each step, `waits` the time before each try. */
function rig(plan: Partial<Supervised<string>> = {}) {
  const clock = virtualClock();
  const log: string[] = [];
  const waits: number[] = [];
  const status = new StatusCell('rig');
  const supervisor: Supervisor<string> = new Supervisor<string>({
    clock,
    backoff: { ...backoff({ initialMs: 100, factor: 2, jitter: 'none' }), stableMs: 5_000 },
    connectTimeoutMs: 10_000,
    status,
    open: () => 'it',
    close: (value) => void log.push(`close ${value}`),
    up: (value) => void log.push(`up ${value}`),
    down: () => void log.push('down'),
    fatal: ({ code }) => void log.push(`fatal ${code}`),
    ...plan,
  });
  onTestFinished(observe((event) => event.type === 'connect.failed' && waits.push(event.retryInMs)));
  return { clock, log, waits, status, supervisor };
}

/** Tries that each stay open until the test ends them. */
function tries() {
  const all: { readonly opened: (value: string) => void; readonly failed: (error: Error) => void }[] = [];
  const dropped: number[] = [];
  const open: Supervised<string>['open'] = (_lost, abandoned) => {
    const at = all.length;
    abandoned(() => void dropped.push(at));
    return new Promise<string>((opened, failed) => all.push({ opened, failed }));
  };
  return { all, dropped, open };
}

describe('Supervisor', () => {
  it('drops what is half open when it is stopped, once, and closes what opens all the same', async () => {
    const { all, dropped, open } = tries();
    const { clock, log, status, supervisor } = rig({ open });
    supervisor.start();
    await supervisor.stop();
    expect(dropped).toEqual([0]);
    all[0]?.opened('late');
    await clock.run(60_000);
    expect([log, dropped, status.value, clock.pendingTimers]).toEqual([['close late'], [0], 'closed', 0]);
  });

  it('drops what does not open in time and tries again, but nothing that is open (REC-03)', async () => {
    const { all, dropped, open } = tries();
    const { clock, log, supervisor } = rig({ open });
    supervisor.start();
    await clock.run(10_100);
    expect([all.length, dropped]).toEqual([2, [0]]);
    all[1]?.opened('second');
    await clock.run(0);
    expect(clock.pendingTimers).toBe(0);
    await supervisor.stop();
    expect([log, dropped]).toEqual([['up second', 'close second'], [0]]);
  });

  it('drops at once what a try brings after it was given up', () => {
    const dropped: string[] = [];
    const late: ((drop: () => void) => void)[] = [];
    const { supervisor } = rig({
      open: (_lost, abandoned) => {
        late.push(abandoned);
        return new Promise<string>(() => undefined);
      },
    });
    supervisor.start();
    void supervisor.stop();
    late[0]?.(() => void dropped.push('late'));
    expect(dropped).toEqual(['late']);
  });

  it('keeps no deadline of a try that has failed', async () => {
    const { all, open } = tries();
    const { clock, supervisor } = rig({ open });
    supervisor.start();
    all[0]?.failed(new Error('refused'));
    await clock.run(0);
    expect(clock.pendingTimers).toBe(1);
    await clock.run(100);
    expect(all.length).toBe(2);
    void supervisor.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('waits longer and longer until it was up for stableMs, also when it was up before (G10)', () => {
    let isAway = false;
    const { clock, waits, supervisor } = rig({
      open: () => {
        if (isAway) throw new Error('away');
        return 'it';
      },
    });
    supervisor.start();
    supervisor.lose(new Error('cut'));
    clock.advance(100);
    supervisor.lose(new Error('cut'));
    clock.advance(200 + 5_000);
    isAway = true;
    supervisor.lose(new Error('cut'));
    clock.advance(20_000);
    expect(waits.slice(0, 8)).toEqual([100, 200, 100, 200, 400, 800, 1_600, 3_200]);
    isAway = false;
    clock.advance(60_000);
    void supervisor.stop();
    isAway = true;
    waits.length = 0;
    supervisor.start();
    expect(waits).toEqual([100]);
  });

  it('tries at once where the loss says so', () => {
    let lost: (error: unknown, immediately?: boolean) => void = () => undefined;
    const { clock, log, waits, supervisor } = rig({
      open: (given) => {
        lost = given;
        return 'it';
      },
    });
    supervisor.start();
    lost(new Error('moved'), true);
    clock.advance(0);
    expect([log, waits]).toEqual([['up it', 'down', 'close it', 'up it'], [0]]);
  });

  it('tries once when it is told that it can, and not when it was stopped meanwhile', () => {
    let [opened, isThere] = [0, false];
    const open = (): string | typeof NOT_YET => {
      opened += 1;
      return isThere ? 'it' : NOT_YET;
    };
    const { supervisor } = rig({ open });
    supervisor.start();
    supervisor.retry();
    expect(opened).toBe(2);
    void supervisor.stop();
    supervisor.retry();
    expect(opened).toBe(2);
    isThere = true;
    supervisor.start();
    supervisor.retry();
    expect(opened).toBe(3);
  });

  it('does not try again when closing what was lost has stopped it', () => {
    const walk: string[] = [];
    const { clock, status, supervisor } = rig({ close: () => void supervisor.stop() });
    status.status$.subscribe((value) => walk.push(value));
    supervisor.start();
    supervisor.lose(new SluiceError('CONNECTION_LOST', 'cut', { retriable: true }));
    clock.advance(60_000);
    expect([walk, clock.pendingTimers]).toEqual([['idle', 'connecting', 'connected', 'closing', 'closed'], 0]);
  });
});
