import { concat, EMPTY, of, Subject, throwError } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { observe, SluiceError, type Flow, type Message, type SluiceEvent } from 'sluice';
import { defineSource, type ReaderContext, type SourceOptions, type Delivery, type Outcome } from 'sluice/connection';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { attach } from '../../src/connection/attach.js';
import { park } from '../helpers/parking.js';

interface Rig {
  readonly clock: VirtualClock;
  readonly flow: ReturnType<typeof defineSource<number>>;
  readonly settled: [unknown, Outcome][];
  readonly context: () => ReaderContext<number>;
  readonly counts: { opened: number; closed: number; stopped: number; resumed: number };
  failOpen: Error | undefined;
}

/** A source over an endless supply of numbers that are read only while there is credit. */
function rig(options: SourceOptions = {}, supply = Infinity, bytes = 0): Rig {
  const clock = virtualClock();
  const settled: [unknown, Outcome][] = [];
  const counts = { opened: 0, closed: 0, stopped: 0, resumed: 0 };
  let context: ReaderContext<number> | undefined;
  let next = 0;
  const again: Delivery<number>[] = [];
  const made: Rig = {
    clock,
    settled,
    counts,
    failOpen: undefined,
    context: () => context as ReaderContext<number>,
    flow: defineSource<number>(
      {
        connector: 'rig',
        credit: 8,
        open(given) {
          counts.opened += 1;
          if (made.failOpen !== undefined) throw made.failOpen;
          context = given;
          return {
            resume() {
              counts.resumed += 1;
              while (given.ready) {
                const redelivery = again.shift();
                if (redelivery !== undefined) given.offer(redelivery);
                else if (next < supply) {
                  given.offer({ payload: next, topic: 't', position: next, bytes });
                  next += 1;
                } else {
                  given.end();
                  return;
                }
              }
            },
            settle(position, outcome, _reason, message) {
              settled.push([position, outcome]);
              if (outcome === 'requeue' && message !== undefined) {
                again.push({ payload: position as number, topic: 't', position, attempt: message.attempt + 1 });
                given.wake();
              }
            },
            stop: () => void (counts.stopped += 1),
            close: () => void (counts.closed += 1),
          };
        },
      },
      { clock, ...options },
    ),
  };
  return made;
}

function collect(r: Rig): ReturnType<typeof collectFrom> {
  return collectFrom(r.flow);
}

function collectFrom(flow: Flow<number>): { held: Message<number>[]; ends: string[]; unsubscribe: () => void } {
  const held: Message<number>[] = [];
  const ends: string[] = [];
  const subscription = flow.subscribe({
    next: (message) => held.push(message),
    error: (error: unknown) => ends.push((error as SluiceError).code),
    complete: () => ends.push('complete'),
  });
  return { held, ends, unsubscribe: () => subscription.unsubscribe() };
}

/** A source that reads nothing by itself: `bring` is its transport. */
function pushed(options: SourceOptions = {}, settle: (bring: (payload: number) => boolean) => void = () => undefined) {
  const clock = virtualClock();
  const contexts: ReaderContext<number>[] = [];
  const settled: Outcome[] = [];
  const positions: unknown[] = [];
  let closed = 0;
  const bring = (payload: number): boolean =>
    contexts.at(-1)?.offer({ payload, topic: 't', position: payload }) === true;
  const flow = defineSource<number>(
    {
      connector: 'pushed',
      credit: 2,
      needsOverflow: true,
      open(context) {
        contexts.push(context);
        return {
          resume: () => undefined,
          settle(position, outcome) {
            positions.push(position);
            settled.push(outcome);
            settle(bring);
          },
          close: () => void (closed += 1),
        };
      },
    },
    { clock, overflow: 'close', ...options },
  );
  return { clock, flow, bring, settled, positions, opened: () => contexts.length, closed: () => closed };
}

describe('defineSource: credit', () => {
  it.each([1, 2, 16, 1000])('emits exactly the credit of %i and no more (CRD-01, law 2)', (credit) => {
    const r = rig({ credit });
    const { held } = collect(r);
    r.clock.advance(60_000);
    expect(held).toHaveLength(credit);
  });

  it('gives one credit back per settlement, whatever kind, and none for a second one (CRD-04)', () => {
    const r = rig({ credit: 3 });
    const { held } = collect(r);
    r.clock.advance(1);
    held[0]?.ack();
    held[0]?.ack();
    held[0]?.nack('x');
    held[1]?.nack('x', 'drop');
    r.clock.advance(1);
    expect(held).toHaveLength(5);
  });

  it('starts paused at 0 and follows an Observable (CRD-02)', () => {
    const credit = new Subject<number>();
    const r = rig({ credit });
    const { held, unsubscribe } = collect(r);
    r.clock.advance(10);
    expect(held).toHaveLength(0);
    credit.next(5);
    r.clock.advance(10);
    expect(held).toHaveLength(5);
    credit.next(0);
    for (const message of [...held]) message.ack();
    r.clock.advance(10);
    expect(held).toHaveLength(5);
    expect(credit.observed).toBe(true);
    unsubscribe();
    expect(credit.observed).toBe(false);
  });

  it.each([
    ['at 0', of(8, 0)],
    ['without a value', EMPTY],
    ['below 1', of(0.5)],
  ])('fails when its credit completes %s, as nothing would ever come (CRD-02)', (_name, credit) => {
    const r = rig({ credit });
    const errors: unknown[] = [];
    r.flow.subscribe({ error: (error: unknown) => errors.push(error) });
    r.clock.advance(10);
    expect(errors).toMatchObject([{ code: 'SOURCE_FAILED', retriable: false }]);
    expect(String(errors[0])).toContain('The credit of rig completed at 0');
  });

  it('fails when its credit completes later at 0, and not above it, also while nothing comes (CRD-02)', () => {
    for (const [last, ends] of [
      [0, ['SOURCE_FAILED']],
      [2, []],
    ] as const) {
      const credit = new Subject<number>();
      const { clock, flow, bring } = pushed({ credit });
      const seen = collectFrom(flow);
      credit.next(last);
      clock.advance(10);
      credit.complete();
      clock.advance(60_000);
      bring(1);
      expect([seen.ends, seen.held.length]).toEqual([ends, last / 2]);
    }
  });

  it('keeps the last credit above 0 when it completes (CRD-02)', () => {
    const r = rig({ credit: of(1, 3) }, 9);
    const { held, ends } = collect(r);
    r.clock.advance(10);
    expect(held).toHaveLength(3);
    for (const message of held) {
      message.ack();
      r.clock.advance(1);
    }
    expect(held).toHaveLength(9);
    expect(ends).toEqual(['complete']);
  });

  it('lets what is out be settled before it fails for want of credit (CRD-02)', () => {
    const credit = new Subject<number>();
    const r = rig({ credit: concat(of(2), credit) });
    const { held, ends } = collect(r);
    r.clock.advance(10);
    credit.next(0);
    credit.complete();
    r.clock.advance(60_000);
    held[0]?.ack();
    r.clock.advance(10);
    expect(ends).toEqual([]);
    held[1]?.ack();
    r.clock.advance(10);
    expect(ends).toEqual(['SOURCE_FAILED']);
    expect(r.settled).toEqual([
      [0, 'ack'],
      [1, 'ack'],
    ]);
    expect(r.counts).toMatchObject({ opened: 1, closed: 1 });
  });

  it('does not fail for want of credit that nothing needs: all was read, or it is stopped (CRD-02)', () => {
    const credit = new Subject<number>();
    const read = rig({ credit: concat(of(8), credit) }, 2);
    const all = collect(read);
    const left = rig({ credit: concat(of(1), credit) });
    const some = collect(left);
    for (const { clock } of [read, left]) clock.advance(10);
    some.unsubscribe();
    credit.next(0);
    credit.complete();
    for (const message of [...all.held, ...some.held]) message.ack();
    for (const { clock } of [read, left]) clock.advance(10);
    expect([all.ends, some.ends]).toEqual([['complete'], []]);
  });

  it('fails when what was requeued would need credit that cannot come (CRD-02)', () => {
    const credit = new Subject<number>();
    const r = rig({ credit: concat(of(8), credit) }, 2);
    const { held, ends } = collect(r);
    r.clock.advance(10);
    credit.next(0);
    credit.complete();
    held[0]?.ack();
    held[1]?.nack('again');
    r.clock.advance(10);
    expect(ends).toEqual(['SOURCE_FAILED']);
  });

  it('counts bytes as well, the tighter limit wins, and a large one passes alone (CRD-11)', () => {
    const r = rig({ credit: 100, creditBytes: 200 }, Infinity, 100);
    const { held } = collect(r);
    r.clock.advance(10);
    expect(held).toHaveLength(2);
    const large = rig({ credit: 100, creditBytes: 50 }, Infinity, 100);
    const other = collect(large);
    large.clock.advance(10);
    expect(other.held).toHaveLength(1);
  });

  it('delivers never inside a settlement, and never re-entrantly (law 3, SRC-02)', () => {
    const r = rig({ credit: 1 }, 10_000);
    let depth = 0;
    let deepest = 0;
    let insideSettle = false;
    let emittedInside = 0;
    let seen = 0;
    r.flow.subscribe((message) => {
      depth += 1;
      deepest = Math.max(deepest, depth);
      if (insideSettle) emittedInside += 1;
      seen += 1;
      insideSettle = true;
      message.ack();
      insideSettle = false;
      depth -= 1;
    });
    r.clock.advance(1_000);
    expect({ deepest, emittedInside, seen }).toEqual({ deepest: 1, emittedInside: 0, seen: 10_000 });
  });

  it('queues for its next turn what a transport brings inside of next, or of a settlement (law 3, SRC-02)', () => {
    const log: string[] = [];
    const { clock, flow, bring } = pushed({ credit: 3 }, (again) => {
      if (log.length < 6) log.push(`inside ${again(3)}`);
    });
    const held: Message<number>[] = [];
    flow.subscribe((message) => {
      log.push(String(message.payload));
      held.push(message);
      if (message.payload === 1) log.push(`inside ${bring(2)}`);
    });
    clock.advance(0);
    bring(1);
    expect(log).toEqual(['1', 'inside false']);
    clock.advance(0);
    held[0]?.ack();
    expect(log.slice(2)).toEqual(['2', 'inside false']);
    clock.advance(0);
    expect(log.slice(4)).toEqual(['3']);
  });

  it('stamps what comes outside of its turns with the time it came at', () => {
    const { clock, flow, bring } = pushed();
    const { held } = collectFrom(flow);
    clock.advance(1_000);
    const came = clock.now();
    bring(1);
    clock.advance(500);
    bring(2);
    expect(held.map(({ timeMs }) => timeMs - came)).toEqual([0, 500]);
  });

  it('gives each message that brings no id one of its own', () => {
    const { clock, flow, bring } = pushed();
    const ids: string[] = [];
    for (let subscription = 0; subscription < 2; subscription += 1) {
      const { held } = collectFrom(flow);
      clock.advance(0);
      bring(1);
      bring(2);
      ids.push(...held.map(({ id }) => id));
    }
    expect([ids.length, new Set(ids).size]).toEqual([4, 4]);
  });

  it.each([-1, 0.5, NaN, 65_536, Infinity])('refuses a credit of %d and says the range (CRD-05)', (credit) => {
    expect(() => rig({ credit })).toThrow(/CONFIG_INVALID|'credit': expected a whole number from 0 to 65535/);
  });
});

describe('defineSource: the end', () => {
  it('completes once, after the last message was settled, also without credit (SRC-04)', () => {
    const r = rig({ credit: 4 }, 10);
    const { held, ends } = collect(r);
    for (let turn = 0; turn < 10; turn += 1) {
      r.clock.advance(1);
      if (held.length < 10) for (const message of [...held]) message.ack();
    }
    expect(held).toHaveLength(10);
    expect(ends).toEqual([]);
    for (const message of held) message.ack();
    r.clock.advance(1);
    expect(ends).toEqual(['complete']);
    expect(r.counts.closed).toBe(1);
  });

  it('delivers again what was requeued at the end of the input before it completes', () => {
    const r = rig({ credit: 4 }, 2);
    const { held, ends } = collect(r);
    r.clock.advance(1);
    held[0]?.ack();
    held[1]?.nack('once more');
    r.clock.advance(1);
    expect(held).toHaveLength(3);
    expect(held[2]).toMatchObject({ payload: 1, attempt: 2 });
    expect(ends).toEqual([]);
    held[2]?.ack();
    r.clock.advance(1);
    expect(ends).toEqual(['complete']);
  });

  it('turns the last allowed requeue into dead (ERR-02)', () => {
    const r = rig({ credit: 1, maxAttempts: 3 }, 1);
    r.flow.subscribe((message) => message.nack('always'));
    r.clock.advance(10);
    expect(r.settled.map(([, outcome]) => outcome)).toEqual(['requeue', 'requeue', 'dead']);
  });

  it('stops at once on unsubscribe, lets what was emitted settle, then closes (law 6, SHU-01)', () => {
    const r = rig({ credit: 2 });
    const { held, unsubscribe } = collect(r);
    r.clock.advance(1);
    unsubscribe();
    unsubscribe();
    r.clock.advance(100);
    expect(r.counts).toMatchObject({ stopped: 1, closed: 0 });
    expect(held[0]?.ack()).toBe(true);
    expect(held[1]?.ack()).toBe(true);
    r.clock.advance(1);
    expect(held).toHaveLength(2);
    expect(r.counts.closed).toBe(1);
    expect(r.settled).toEqual([
      [0, 'ack'],
      [1, 'ack'],
    ]);
  });

  it('opens nothing and leaves no timer where its Observable of credit fails at once', () => {
    const r = rig({
      credit: concat(
        of(2),
        throwError(() => new Error('no credit')),
      ),
    });
    const { ends } = collect(r);
    r.clock.advance(60_000);
    expect([ends, r.counts.opened, r.clock.pendingTimers]).toEqual([['SOURCE_FAILED'], 0, 0]);
  });

  it('takes back what is unsettled closeTimeoutMs after an unsubscribe: later settlements touch nothing', () => {
    const r = rig({ credit: 1, closeTimeoutMs: 500 });
    const { held, unsubscribe } = collect(r);
    r.clock.advance(1);
    const { signal } = held[0] as Message<number>;
    unsubscribe();
    r.clock.advance(499);
    expect(signal.aborted).toBe(false);
    r.clock.advance(1);
    expect(signal.aborted).toBe(true);
    expect(r.counts.closed).toBe(1);
    expect(held[0]?.ack()).toBe(false);
    expect(r.settled).toEqual([]);
  });

  it('hands back at once what had not been emitted', () => {
    const r = rig({ credit: 1 });
    const { unsubscribe } = collect(r);
    r.clock.advance(1);
    r.context().offer({ payload: 77, topic: 't', position: 77 });
    unsubscribe();
    expect(r.settled).toEqual([[77, 'release']]);
  });

  it('hands back at once what its reader still brings after it was unsubscribed', () => {
    const r = rig({ credit: 2 });
    const { held, unsubscribe } = collect(r);
    r.clock.advance(1);
    unsubscribe();
    expect(r.context().offer({ payload: 77, topic: 't', position: 77 })).toBe(false);
    expect(r.settled).toEqual([[77, 'release']]);
    expect(held[0]?.ack()).toBe(true);
    r.clock.advance(1);
    expect([held.length, r.counts.closed]).toEqual([2, 0]);
  });

  it('closes as soon as all is settled, also where that is inside of next, behind the unsubscribe (SHU-01)', () => {
    const { clock, flow, bring, settled, closed } = pushed();
    const subscription = flow.subscribe((message) => {
      subscription.unsubscribe();
      message.ack();
    });
    clock.advance(0);
    bring(1);
    clock.advance(0);
    expect([settled, closed()]).toEqual([['ack'], 1]);
  });

  it('hands back what waited when its credit fails, and takes in nothing more', () => {
    const credit = new Subject<number>();
    const r = rig({ credit: concat(of(2), credit) });
    const { ends } = collect(r);
    r.clock.advance(1);
    const { offer } = r.context();
    offer({ payload: 77, topic: 't', position: 77 });
    credit.error(new Error('no credit'));
    expect([ends, r.settled]).toEqual([['SOURCE_FAILED'], [[77, 'release']]]);
    expect([offer({ payload: 78, topic: 't', position: 78 }), r.context().ready]).toEqual([false, false]);
    r.clock.advance(60_000);
    expect(r.counts).toMatchObject({ opened: 1, closed: 1 });
  });
});

describe('defineSource: failures', () => {
  it('opens again after a loss with new deliveries; old ones are stale (ACK-04, CRD-09)', () => {
    const r = rig({ credit: 2 });
    const { held } = collect(r);
    r.clock.advance(1);
    const old = r.context();
    old.lost(new Error('reset'));
    r.clock.advance(60_000);
    expect(r.counts).toMatchObject({ opened: 2, closed: 1 });
    expect(held).toHaveLength(4);
    expect(held[0]?.ack()).toBe(false);
    expect(held[1]?.nack('x')).toBe(false);
    r.clock.advance(1);
    expect(r.settled).toEqual([]);
    expect(held).toHaveLength(4);
    expect(old.offer({ payload: 1, topic: 't' })).toBe(false);
    expect(old.ready).toBe(false);
    expect(held).toHaveLength(4);
  });

  it('retries an opening that failed, and errors the flow only for what cannot be retried (REC-12)', () => {
    const r = rig();
    r.failOpen = new Error('refused');
    const { ends, held } = collect(r);
    r.clock.advance(5_000);
    expect(r.counts.opened).toBeGreaterThan(2);
    expect(ends).toEqual([]);
    r.failOpen = undefined;
    r.clock.advance(60_000);
    expect(held).toHaveLength(8);
    const fatal = rig();
    fatal.failOpen = new SluiceError('CONFIG_INVALID', 'no such vhost');
    const other = collect(fatal);
    fatal.clock.advance(60_000);
    expect(fatal.counts.opened).toBe(1);
    expect(other.ends).toEqual(['CONFIG_INVALID']);
  });

  it('nacks the message that something throws on which must not, says so, and goes on (law 5, S0.29)', () => {
    const { clock, flow, settled } = rig({ credit: 1, maxAttempts: 2 }, 3);
    const told: string[] = [];
    const stop = observe((event) => {
      if (event.type === 'stage.failed') told.push(`${event.stage} ${String(event.reason)}`);
      else if (event.type === 'message.late') told.push('late');
    });
    let isDone = false;
    const output = {
      closed: false,
      next(message: Message<number>) {
        if (message.payload !== 1) message.ack();
        if (message.payload > 0) throw new Error('a bug');
      },
      error: () => undefined,
      complete: () => (isDone = true),
    };
    attach(flow, output);
    clock.advance(1);
    stop();
    expect(settled).toEqual([
      [0, 'ack'],
      [1, 'requeue'],
      [1, 'dead'],
      [2, 'ack'],
    ]);
    expect([isDone, told]).toEqual([true, Array(3).fill('rig SluiceError: rig threw: a bug')]);
  });

  it('opens a reader anew that throws when it is asked to go on', () => {
    const clock = virtualClock();
    let opened = 0;
    const seen: number[] = [];
    const broken = defineSource<number>(
      {
        connector: 'broken',
        credit: 4,
        open(context) {
          opened += 1;
          const isBroken = opened === 1;
          return {
            resume() {
              if (isBroken) throw new Error('a bug');
              context.offer({ payload: 7, topic: 't' });
              context.end();
            },
            settle: () => undefined,
            close: () => undefined,
          };
        },
      },
      { clock },
    );
    broken.subscribe((message) => {
      seen.push(message.payload);
      message.ack();
    });
    clock.advance(60_000);
    expect([opened, seen]).toEqual([2, [7]]);
  });

  it('reports what stays unsettled, with the stage that holds it, and second settlements with both settlers', () => {
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    const r = rig({ credit: 1, settleWithinMs: 1_000 });
    const { held } = collect(r);
    r.clock.advance(1_500);
    held[0]?.ack();
    held[0]?.ack();
    stop();
    expect(events.filter(({ type }) => type === 'message.overdue')).toMatchObject([
      { connector: 'rig', message: { topic: 't', stage: 'rig' }, ageMs: 1_000 },
    ]);
    expect(events.filter(({ type }) => type === 'message.late')).toMatchObject([{ first: 'rig', second: 'rig' }]);
  });

  it.each([
    ['drop-oldest', [2, 3, 4], [0, 1, 5, 6]],
    ['drop-newest', [4, 5, 6], [0, 1, 2, 3]],
  ] as const)('gives up by %s what a transport that cannot wait brings too much of', (overflow, dropped, kept) => {
    const { clock, flow, bring, settled, positions } = pushed({ overflow });
    const counts: number[] = [];
    onTestFinished(observe((event) => void (event.type === 'message.overflowed' && counts.push(event.count))));
    const { held } = collectFrom(flow);
    clock.advance(1);
    for (let at = 0; at < 7; at += 1) bring(at);
    expect(held.map(({ payload }) => payload)).toEqual([0, 1]);
    expect([positions, settled, counts]).toEqual([dropped, Array(3).fill('drop'), [1, 2, 3]]);
    for (const message of [...held]) message.ack();
    clock.advance(1);
    expect(held.map(({ payload }) => payload)).toEqual(kept);
  });

  it('opens a reader anew that brings more than may wait, where the policy says so, and takes back what that one brought', () => {
    const { clock, flow, bring, opened } = pushed();
    const lost: unknown[] = [];
    onTestFinished(observe((event) => void (event.type === 'connect.failed' && lost.push(event.reason))));
    const held: Message<number>[] = [];
    flow.subscribe((message) => held.push(message));
    clock.advance(0);
    for (let at = 0; at < 4; at += 1) bring(at);
    expect(lost).toEqual([]);
    bring(4);
    clock.advance(60_000);
    expect([opened(), held.map((message) => message.ack())]).toEqual([2, [false, false]]);
    expect(lost).toMatchObject([{ code: 'OVERFLOW' }]);
  });

  it('refuses a source that cannot be paused without an overflow policy', () => {
    const open = (): never => {
      throw new Error('never opened');
    };
    expect(() => defineSource({ connector: 'tap', credit: 2, needsOverflow: true, open })).toThrow(
      /'overflow' is missing/,
    );
  });

  it('takes back what belongs to another reader by now: it is stale, its credit is free, the rest stays (REC-10)', () => {
    const events: SluiceEvent[] = [];
    const stop = observe((event) => void events.push(event));
    const r = rig({ credit: 4 });
    const { held } = collect(r);
    r.clock.advance(0);
    expect(held).toHaveLength(4);
    r.context().takeBack((position) => (position as number) % 2 === 0, new SluiceError('SETTLE_LOST', 'moved'));
    stop();
    expect(held.map((message) => message.signal.aborted)).toEqual([true, false, true, false]);
    r.clock.advance(0);
    expect(held).toHaveLength(6);
    expect(held.slice(0, 4).map((message) => message.ack())).toEqual([false, true, false, true]);
    expect(r.settled).toEqual([
      [1, 'ack'],
      [3, 'ack'],
    ]);
    const released = events.filter((event) => event.type === 'message.released');
    expect(released.map(({ reason }) => (reason as SluiceError).message)).toEqual(['moved', 'moved']);
    r.clock.advance(0);
    expect(held).toHaveLength(8);
  });

  it('takes back what waits without credit as well, and that alone', () => {
    const r = rig({ credit: 2 }, 2);
    const { held } = collect(r);
    r.clock.advance(0);
    const told: string[] = [];
    const parked = held.map((message) =>
      park(
        message,
        () => told.push(`back ${message.payload}`),
        () => told.push(`gone ${message.payload}`),
      ),
    );
    r.context().takeBack((position) => position === 0, new SluiceError('SETTLE_LOST', 'moved'));
    expect([told, held.map(({ signal }) => signal.aborted)]).toEqual([['gone 0'], [true, false]]);
    parked[1]?.bring();
    r.clock.advance(0);
    expect([told.at(-1), held.map((message) => message.ack())]).toEqual(['back 1', [false, true]]);
  });

  it('takes back what waits for credit, and does nothing for a reader of an earlier connection', () => {
    const r = rig({ credit: 1 });
    const { held } = collect(r);
    r.clock.advance(0);
    const first = r.context();
    for (const position of [101, 102, 103]) first.offer({ payload: position, topic: 't', position });
    first.takeBack((position) => position === 102, new SluiceError('SETTLE_LOST', 'moved'));
    for (const at of [0, 1]) {
      held[at]?.ack();
      r.clock.advance(0);
    }
    expect(held.map(({ payload }) => payload)).toEqual([0, 101, 103]);
    first.lost(new SluiceError('CONNECTION_LOST', 'gone', { retriable: true }));
    r.clock.advance(60_000);
    first.takeBack(() => true, new SluiceError('SETTLE_LOST', 'moved'));
    expect(held.at(-1)?.ack()).toBe(true);
  });
});
