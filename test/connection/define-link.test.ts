import { describe, expect, it } from 'vitest';
import { backoff, observe, SluiceError } from 'sluice';
import { defineLink, isLegalStep, type LinkContext, type LinkOptions, type Status } from 'sluice/connection';
import { virtualClock, type VirtualClock } from 'sluice/testing';

interface Rig {
  readonly clock: VirtualClock;
  readonly link: ReturnType<typeof defineLink<number>>;
  readonly walk: Status[];
  readonly attemptsMs: number[];
  readonly closed: number[];
  readonly context: () => LinkContext;
  readonly told: string[];
  use: () => () => PromiseLike<void> | undefined;
  answer: (attempt: number) => number | Promise<number>;
  pong: boolean;
  cannotAsk: boolean;
  onAsked: (() => Promise<void>) | undefined;
}

function rig(options: LinkOptions & { ping?: boolean } = {}): Rig {
  const { ping = false, ...rest } = options;
  const clock = virtualClock();
  const walk: Status[] = [];
  const attemptsMs: number[] = [];
  const closed: number[] = [];
  const told: string[] = [];
  let context: LinkContext | undefined;
  const made: Rig = {
    clock,
    walk,
    attemptsMs,
    closed,
    told,
    context: () => context as LinkContext,
    answer: (attempt) => attempt,
    pong: true,
    cannotAsk: false,
    onAsked: undefined,
    use: () => made.link.use({ down: () => void told.push('down'), fatal: (error) => void told.push(error.code) }),
    link: defineLink<number>(
      {
        connector: 'rig',
        connect(given) {
          context = given;
          attemptsMs.push(clock.elapsed());
          return made.answer(attemptsMs.length);
        },
        disconnect: (connection) => void closed.push(connection),
        ...(ping ? { ping: () => asked(made) } : {}),
      },
      { clock, ...rest },
    ),
  };
  made.link.status$.subscribe((status) => walk.push(status));
  return made;
}

function asked({ pong, cannotAsk, onAsked }: Rig): Promise<void> {
  if (onAsked !== undefined) return onAsked();
  if (cannotAsk) throw new Error('no frame');
  return pong ? Promise.resolve() : new Promise(() => undefined);
}

function assertLegal(walk: readonly Status[]): void {
  for (let at = 1; at < walk.length; at += 1) {
    expect(isLegalStep(walk[at - 1] as Status, walk[at] as Status), `${walk[at - 1]} to ${walk[at]}`).toBe(true);
  }
}

const refuse = (): never => {
  throw new Error('refused');
};

describe('defineLink', () => {
  it('opens with its first user, closes with its last, and can be opened again', () => {
    const r = rig();
    expect(r.walk).toEqual(['idle']);
    const first = r.use();
    const second = r.use();
    expect(r.link.connection()).toBe(1);
    first();
    first();
    expect(r.closed).toEqual([]);
    second();
    expect(r.closed).toEqual([1]);
    r.use();
    expect(r.link.connection()).toBe(2);
    expect(r.walk).toEqual(['idle', 'connecting', 'connected', 'closing', 'closed', 'connecting', 'connected']);
    assertLegal(r.walk);
  });

  it('gives the connection as soon as there is one (REC-01)', async () => {
    const r = rig();
    r.answer = (attempt) => (attempt < 4 ? refuse() : attempt);
    r.use();
    const waiting = Promise.resolve(r.link.connection());
    await r.clock.run(30_000);
    await expect(waiting).resolves.toBe(4);
    expect(r.walk).toEqual(['idle', 'connecting', 'reconnecting', 'connected']);
  });

  it('says after how many tries it gave up, behind what went wrong last', () => {
    for (const said of ['connect ECONNREFUSED', 'The broker is away.']) {
      const clock = virtualClock();
      const reasons: string[] = [];
      const connect = (): never => {
        throw new SluiceError('CONNECT_FAILED', said, { retriable: true });
      };
      const options = { clock, reconnect: backoff({ tries: 2 }) };
      defineLink({ connector: 'rig', connect, disconnect: () => undefined }, options).use({
        down: () => undefined,
        fatal: ({ message }) => void reasons.push(message),
      });
      clock.advance(60_000);
      expect(reasons).toEqual([`${said.replace(/\.$/, '')}. Given up after 2 tries.`]);
    }
  });

  it('waits between tries as the schedule says, with full jitter and never a hot loop (REC-07)', () => {
    const spread = Array.from({ length: 20 }, (_, seed) => {
      const clock = virtualClock({ seed });
      const attemptsMs: number[] = [];
      const connect = (): never => {
        attemptsMs.push(clock.elapsed());
        return refuse();
      };
      defineLink({ connector: 'rig', connect, disconnect: () => undefined }, { clock }).use({
        down: () => undefined,
        fatal: () => undefined,
      });
      clock.advance(600_000);
      const waits = attemptsMs.slice(1).map((at, index) => at - (attemptsMs[index] as number));
      waits.forEach((wait, index) => {
        expect(wait).toBeGreaterThanOrEqual(100);
        expect(wait).toBeLessThanOrEqual(Math.min(30_000, 500 * 2 ** index));
      });
      return waits.slice(0, 8).reduce((sum, wait) => sum + wait, 0);
    });
    expect(Math.max(...spread) / Math.min(...spread)).toBeGreaterThan(1.2);
  });

  it('waits besides for as long as the far side asks, up to a minute', () => {
    for (const [asked, fromMs] of [
      [5_000, 5_000],
      [3_600_000, 60_000],
      ['soon', 0],
    ] as const) {
      const r = rig({ reconnect: backoff({ initialMs: 10, maxMs: 10 }) });
      r.answer = () => {
        throw new SluiceError('CONNECT_FAILED', 'later', { retriable: true, details: { retryAfterMs: asked } });
      };
      r.use();
      r.clock.advance(fromMs + 100);
      expect(r.attemptsMs[1]).toBeGreaterThanOrEqual(fromMs);
      expect(r.attemptsMs[1]).toBeLessThanOrEqual(fromMs + 10);
    }
  });

  it('starts the schedule again only after a stable period', () => {
    const r = rig({ reconnect: backoff({ jitter: 'none', initialMs: 100, stableMs: 10_000 }) });
    r.use();
    const losses: number[] = [];
    for (const upMs of [0, 0, 0, 10_000]) {
      r.clock.advance(upMs);
      const lostAt = r.clock.elapsed();
      r.context().lost(new Error('flap'));
      r.clock.advance(1_000);
      losses.push((r.attemptsMs.at(-1) as number) - lostAt);
    }
    expect(losses).toEqual([100, 200, 400, 100]);
  });

  it.each(['connected', 'reconnecting'] as const)('stays closed when it is left for being %s', async (when) => {
    const r = rig({ ping: true, heartbeatMs: 1_000 });
    r.answer = (attempt) => Promise.resolve(attempt);
    const leave = r.use();
    r.link.status$.subscribe((status) => {
      if (status === when) leave();
    });
    await r.clock.run(1);
    r.context().lost(new Error('cut'));
    await r.clock.run(600_000);
    expect([r.walk.at(-1), r.attemptsMs.length, r.closed, r.clock.pendingTimers]).toEqual(['closed', 1, [1], 0]);
    assertLegal(r.walk);
    const again = r.use();
    await r.clock.run(1);
    expect([r.walk.at(-1), r.link.connection()]).toEqual(['connected', 2]);
    again();
  });

  it('ends for good on an error that is not retriable, and tells its users (REC-12)', () => {
    const r = rig();
    r.answer = () => {
      throw new SluiceError('CONFIG_INVALID', 'bad credentials');
    };
    r.use();
    r.clock.advance(600_000);
    expect(r.attemptsMs).toHaveLength(1);
    expect(r.told).toEqual(['CONFIG_INVALID']);
    expect(r.walk.at(-1)).toBe('closed');
    assertLegal(r.walk);
  });

  it('says why it has ended to who asks for its connection, also to who was waiting, until it is used anew', async () => {
    const r = rig();
    let refused: ((error: Error) => void) | undefined;
    r.answer = () => new Promise((_resolve, reject) => (refused = reject));
    const leave = r.use();
    const waiting = Promise.resolve(r.link.connection());
    refused?.(new SluiceError('AUTH_FAILED', 'no'));
    await expect(waiting).rejects.toMatchObject({ code: 'AUTH_FAILED' });
    for (const ask of [() => r.link.current(), () => r.link.connection()]) expect(ask).toThrow('no');
    leave();
    r.answer = (attempt) => attempt;
    r.use();
    expect([r.link.current(), r.link.connection()]).toEqual([{ connection: 2 }, 2]);
  });

  it('says that it is closed once nobody uses it and what was open is closed', async () => {
    for (const closingMs of [0, 10]) {
      const clock = virtualClock();
      const log: string[] = [];
      const close = (): void | Promise<void> => {
        if (closingMs > 0) return new Promise((resolve) => void clock.timer(closingMs, resolve));
      };
      const link = defineLink<number>(
        {
          connector: 'rig',
          connect: () => log.push('open'),
          disconnect: close,
          closed: () => log.push(`closed ${clock.elapsed()}`),
        },
        { clock },
      );
      const user = { down: () => undefined, fatal: () => undefined };
      const [one, two] = [link.use(user), link.use({ ...user })];
      one();
      await clock.run(100);
      expect(log).toEqual(['open']);
      two();
      await clock.run(100);
      expect(log).toEqual(['open', `closed ${100 + closingMs}`]);
    }
  });

  it('is degraded, and well again, as its connector says', () => {
    const r = rig();
    r.link.degrade(true);
    const leave = r.use();
    r.link.degrade(true);
    r.link.degrade(false);
    leave();
    expect(r.walk).toEqual(['idle', 'connecting', 'connected', 'degraded', 'connected', 'closing', 'closed']);
  });

  it('gives up on a connect that takes longer than connectTimeoutMs and closes it should it still come', async () => {
    const r = rig({ connectTimeoutMs: 50 });
    const failures: unknown[] = [];
    const stop = observe((event) => {
      if (event.type === 'connect.failed' && event.connector === 'rig') failures.push(event.reason);
    });
    let late: ((connection: number) => void) | undefined;
    r.answer = (attempt) => (attempt === 1 ? new Promise((resolve) => (late = resolve)) : attempt);
    r.use();
    await r.clock.run(5_000);
    stop();
    expect(failures).toMatchObject([{ code: 'CONNECT_TIMEOUT', retriable: true }]);
    expect(r.link.connection()).toBe(2);
    late?.(99);
    await r.clock.run(1);
    expect(r.closed).toEqual([99]);
    expect(r.link.connection()).toBe(2);
  });

  it('finds a silent peer within 15 s at default options, degraded before that (REC-05)', async () => {
    const r = rig({ ping: true });
    r.use();
    await r.clock.run(60_000);
    expect(r.attemptsMs).toHaveLength(1);
    r.pong = false;
    const silentMs = r.clock.elapsed();
    await r.clock.runUntil(() => r.attemptsMs.length === 2, 30_000);
    expect(r.told).toEqual(['down']);
    expect(r.walk.slice(2)).toEqual(['connected', 'degraded', 'reconnecting', 'connected']);
    expect((r.attemptsMs[1] as number) - silentMs).toBeLessThanOrEqual(15_500);
  });

  it('is well again with the next answer, however often one is missing', async () => {
    const r = rig({ ping: true, heartbeatMs: 1_000 });
    let unanswered: (() => void) | undefined;
    r.onAsked = () => new Promise((resolve) => (unanswered = resolve));
    r.use();
    for (let at = 0; at < 3; at += 1) {
      await r.clock.runUntil(() => r.walk.at(-1) === 'degraded', 10_000);
      unanswered?.();
      await r.clock.runUntil(() => r.walk.at(-1) === 'connected', 10_000);
    }
    expect([r.told, r.attemptsMs.length]).toEqual([[], 1]);
    expect(r.walk.slice(2)).toEqual(['connected', ...Array(3).fill(['degraded', 'connected']).flat()]);
  });

  it('loses a connection over which it cannot ask, and goes on asking over the next one', async () => {
    const r = rig({ ping: true, heartbeatMs: 1_000 });
    const reasons: unknown[] = [];
    const stop = observe((event) => event.type === 'connect.failed' && reasons.push(event.reason));
    r.cannotAsk = true;
    r.use();
    await r.clock.run(1_500);
    expect(r.told).toEqual(['down']);
    expect(reasons).toMatchObject([{ code: 'CONNECT_FAILED', message: expect.stringContaining('no frame') as string }]);
    r.cannotAsk = false;
    r.pong = false;
    await r.clock.run(10_000);
    stop();
    expect(reasons.at(-1)).toMatchObject({ code: 'PEER_LOST' });
  });

  it('takes whatever comes in as a sign of life (REC-09)', async () => {
    const r = rig({ ping: true });
    r.pong = false;
    r.use();
    for (let at = 0; at < 30; at += 1) {
      r.context().alive();
      await r.clock.run(1_000);
    }
    expect(r.attemptsMs).toHaveLength(1);
  });

  it('waits for a slow close before it opens for a new user', async () => {
    const clock = virtualClock();
    const log: string[] = [];
    let closedNow: (() => void) | undefined;
    const link = defineLink<number>(
      {
        connector: 'slow',
        connect: () => log.push('open'),
        disconnect: () => new Promise<void>((resolve) => (closedNow = resolve)),
      },
      { clock },
    );
    const nobody = { down: () => undefined, fatal: () => undefined };
    const leave = link.use(nobody);
    const other = link.use({ ...nobody });
    expect(other()).toBeUndefined();
    leave()?.then(() => void log.push('closed'));
    expect(leave()).toBeUndefined();
    link.use(nobody);
    await clock.run(10);
    expect(log).toEqual(['open']);
    closedNow?.();
    await clock.run(10);
    expect(log).toEqual(['open', 'open', 'closed']);
  });

  it('waits for a slow close also where somebody has come and left meanwhile', async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const walk: Status[] = [];
    const link = defineLink<number>(
      {
        connector: 'slow',
        connect: () => log.push('open'),
        disconnect: () =>
          new Promise<void>((resolve) => void clock.timer(100, resolve)).then(() => void log.push('gone')),
        closed: () => void log.push('closed'),
      },
      { clock },
    );
    link.status$.subscribe((status) => walk.push(status));
    const user = { down: () => undefined, fatal: () => undefined };
    void link.use(user)();
    void link
      .use(user)()
      ?.then(() => void log.push('left'));
    const leave = link.use(user);
    await clock.run(99);
    expect(log).toEqual(['open']);
    await clock.run(1);
    expect([log, link.current()]).toEqual([['open', 'gone', 'closed', 'open', 'left'], { connection: 4 }]);
    void leave();
    await clock.run(1_000);
    assertLegal(walk);
    expect([log.slice(5), walk.at(-1)]).toEqual([['gone', 'closed'], 'closed']);
  });

  it('goes on whatever a connector throws as a try is given up, or as it is told that the link is closed', async () => {
    const clock = virtualClock();
    let connects = 0;
    const fails = (): never => {
      throw new Error('no');
    };
    const link = defineLink<number>(
      {
        connector: 'rig',
        connect(context) {
          connects += 1;
          context.abandoned(fails);
          return connects === 1 ? new Promise<number>(() => undefined) : connects;
        },
        disconnect: () => new Promise<void>((resolve) => void clock.timer(10, resolve)),
        closed: fails,
      },
      { clock },
    );
    const leave = link.use({ down: () => undefined, fatal: () => undefined });
    await clock.run(30_000);
    expect(link.current()).toEqual({ connection: 2 });
    const left = leave();
    link.use({ down: () => undefined, fatal: () => undefined });
    await clock.run(20);
    await left;
    expect(link.current()).toEqual({ connection: 3 });
  });
});
