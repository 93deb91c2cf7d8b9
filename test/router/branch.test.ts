import { delay, Observable, Subject, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { each, payload, route, topic, type BranchOverflow, type Flow, type Message, type Stage } from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import type { Envelope } from '../../src/message/envelope.js';
import type { RelayBound } from '../../src/message/settler.js';
import { events, recordingSink, settling } from '../helpers/branches.js';
import { flowTest } from '../helpers/lanes.js';
import { recorder, type MessageFields } from '../helpers/message.js';

/** One branch with a budget whose stage holds what it gets, beside one without that lets everything through. */
function setUp(budget: number, overflow?: BranchOverflow) {
  const clock = virtualClock();
  const recorded = recorder();
  const source = new Subject<Message<string>>();
  const held: Message<string>[] = [];
  const through: string[] = [];
  let completed = false;
  const subscription = source
    .pipe(
      route(
        [
          {
            name: 'slow',
            when: topic('slow/#'),
            to: payload((text: string) => text),
            budget,
            ...(overflow === undefined ? {} : { overflow }),
          },
          { name: 'fast', when: topic('fast'), to: payload((text: string) => text) },
        ],
        { clock },
      ),
    )
    .subscribe({
      next: (message) => void (message.topic === 'fast' ? through.push(settling(message)) : held.push(message)),
      complete: () => (completed = true),
    });
  return {
    ...recorded,
    clock,
    source,
    held,
    through,
    subscription,
    isCompleted: () => completed,
    send(...texts: string[]): void {
      for (const text of texts) source.next(recorded.message(text, { topic: 'slow' }));
    },
    sendAs(text: string, fields: MessageFields): void {
      source.next(recorded.message(text, fields));
    },
    holds: () => held.map(({ payload: text }) => text),
    settleNext(): void {
      held.shift()?.ack();
      clock.advance(0);
    },
  };
}

describe('a branch with a budget', () => {
  it('holds back, unsettled and in order, what is beyond it; the other branches flow on (S1.55)', () => {
    const { send, sendAs, holds, settleNext, through, log, open } = setUp(2);
    send('a', 'b', 'c', 'd');
    sendAs('x', { topic: 'fast' });
    expect(holds()).toEqual(['a', 'b']);
    expect(through).toEqual(['x']);
    expect(open).toEqual(['a', 'b', 'c', 'd']);
    settleNext();
    expect(holds()).toEqual(['b', 'c']);
    send('e');
    settleNext();
    settleNext();
    settleNext();
    settleNext();
    expect(log).toEqual(['x ack', 'a ack', 'b ack', 'c ack', 'd ack', 'e ack']);
  });

  it('never gives a message from within a settlement', () => {
    const { send, held, holds, clock } = setUp(1);
    send('a', 'b');
    held.shift()?.ack();
    expect(holds()).toEqual([]);
    clock.advance(0);
    expect(holds()).toEqual(['b']);
  });

  it('does not let a message that comes meanwhile overtake', () => {
    const { send, held, holds, clock } = setUp(1);
    send('a', 'b');
    held.shift()?.ack();
    send('c');
    expect(holds()).toEqual([]);
    clock.advance(0);
    expect(holds()).toEqual(['b']);
  });

  it('returns the budget whatever the settlement is, and passes it on as it is', () => {
    const { send, held, log, clock, holds } = setUp(1);
    send('a', 'b', 'c');
    held.shift()?.nack(new Error('no'), 'dead');
    clock.advance(0);
    held.shift()?.nack(new Error('later'));
    clock.advance(0);
    expect(log).toEqual(['a dead no', 'b requeue later']);
    expect(holds()).toEqual(['c']);
  });

  it('counts a second settlement once', () => {
    const { send, held, late, clock, holds } = setUp(1);
    send('a', 'b', 'c');
    const a = held.shift() as Message<string>;
    expect([a.ack(), a.ack()]).toEqual([true, false]);
    clock.advance(0);
    expect(holds()).toEqual(['b']);
    expect(late).toEqual(['a']);
  });

  it('does not begin what its source took back while it waited', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 4, topic: 'slow' });
    const held: Message<string>[] = [];
    source.flow
      .pipe(route([{ name: 'slow', when: topic('slow'), to: payload((text: string) => text), budget: 1 }], { clock }))
      .subscribe((message) => held.push(message));
    for (const text of ['a', 'b', 'c']) source.offer(text);
    clock.advance(0);
    expect(held.map(({ payload: text }) => text)).toEqual(['a']);
    source.lose(new Error('cut'));
    clock.advance(60_000);
    // What came again waits behind nothing that is stale: the budget counts what can still be settled.
    expect(held.map(({ payload: text }) => text)).toEqual(['a', 'a']);
    held.shift()?.ack();
    clock.advance(0);
    const [again] = held;
    expect(held).toHaveLength(1);
    expect([again?.payload, again?.attempt]).toEqual(['a', 2]);
    for (let left = 3; left > 0; left -= 1) {
      held.shift()?.ack();
      clock.advance(0);
    }
    expect(source.unsettled).toEqual([]);
    expect(source.queued).toEqual([]);
  });

  it('does not begin what was settled while it waited', () => {
    const { message, source, send, settleNext, holds } = setUp(1);
    send('a');
    const waiting = message('b', { topic: 'slow' });
    source.next(waiting);
    send('c');
    waiting.ack();
    settleNext();
    expect(holds()).toEqual(['c']);
  });

  it('tells a settlement that comes after the source took the message back as late', () => {
    const { message, source, held, late, clock, send, holds } = setUp(1);
    const taken = message('a', { topic: 'slow' });
    source.next(taken);
    send('b');
    (taken as Envelope<string>).release();
    held.shift()?.ack();
    clock.advance(0);
    expect(late).toEqual(['a']);
    expect(holds()).toEqual(['b']);
  });

  it('completes after what waited was given out', () => {
    const { source, send, settleNext, isCompleted, log } = setUp(1);
    send('a', 'b', 'c');
    source.complete();
    settleNext();
    expect(isCompleted()).toBe(false);
    settleNext();
    expect(isCompleted()).toBe(true);
    settleNext();
    expect(log).toEqual(['a ack', 'b ack', 'c ack']);
  });

  it('completes at once where something waited and nothing does any more', () => {
    const { source, send, settleNext, isCompleted } = setUp(1);
    send('a', 'b');
    settleNext();
    source.complete();
    expect(isCompleted()).toBe(true);
  });

  it.each([
    ['with a budget', { to: (flow: Flow<string>) => flow, budget: 1 }],
    ['that is a sink', { to: recordingSink<string>() }],
  ])('%s hands back its part of a message on which another branch let the flow end', (_which, late) => {
    const { message, log } = recorder();
    const source = new Subject<Message<string>>();
    const when = topic('test');
    const rules = [
      { name: 'first', when, to: (flow: Flow<string>) => flow },
      { name: 'late', when, ...late },
    ];
    const out: string[] = [];
    source.pipe(route(rules, { match: 'all' }), take(1)).subscribe((each) => out.push(settling(each)));
    source.next(message('a'));
    expect([out, log]).toEqual([['a'], ['a release']]);
  });

  it('hands back what waits when the flow is unsubscribed, and begins nothing after', () => {
    const { send, subscription, log, held, clock, holds } = setUp(1);
    send('a', 'b');
    subscription.unsubscribe();
    expect(log).toEqual(['b release']);
    held.shift()?.ack();
    clock.advance(0);
    expect(log).toEqual(['b release', 'a ack']);
    expect(holds()).toEqual([]);
  });

  it('leaves timers their turn when much waited, and goes on afterwards', () => {
    let elapsedMs = 0;
    const clock = virtualClock();
    const busy = { ...clock, elapsed: () => (elapsedMs += 1) };
    const { message, open } = recorder();
    const source = new Subject<Message<number>>();
    const gate = new Subject<void>();
    const gated: Stage<number, number> = (flow) =>
      new Observable((output) => gate.subscribe(() => void flow.subscribe(output)));
    let out = 0;
    source.pipe(route([{ name: 'gated', when: topic('test'), to: gated }], { clock: busy })).subscribe((each) => {
      each.ack();
      out += 1;
    });
    for (let at = 0; at < 1000; at += 1) source.next(message(at));
    gate.next();
    let atTimer = 0;
    clock.timer(0, () => (atTimer = out));
    clock.advance(0);
    expect(atTimer).toBeGreaterThan(0);
    expect(atTimer).toBeLessThan(1000);
    expect([out, open]).toEqual([1000, []]);
  });

  it('says that it is full to whoever waits for more', () => {
    const { send, held, clock } = setUp(2);
    send('a');
    const { settler } = (held[0] as Envelope<string>).root;
    const bound = settler.bound as RelayBound;
    let told = 0;
    const stop = bound.onFull(() => (told += 1));
    expect([bound.isFull(), settler.limit()]).toEqual([false, 2]);
    send('b');
    expect([bound.isFull(), told]).toEqual([true, 1]);
    held.shift()?.ack();
    expect(bound.isFull()).toBe(false);
    held.shift()?.ack();
    send('half');
    expect(told).toBe(1);
    stop();
    send('c');
    clock.advance(0);
    expect(told).toBe(1);
  });

  it('lets others in for what waits in a lane, and it again in its order once there is a place', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 8 });
    const atWork = new Map<string, () => void>();
    const started: string[] = [];
    const work = (text: string): Observable<string> =>
      new Observable((output) => {
        started.push(text);
        atWork.set(text, () => {
          atWork.delete(text);
          output.next(text);
          output.complete();
        });
      });
    const lane = ({ payload: text }: Message<string>): string => text.charAt(0);
    const to = each(work, { lane, laneCredit: 1, concurrency: 8, clock });
    source.flow
      .pipe(route([{ name: 'slow', when: () => true, to, budget: 2 }], { clock }))
      .subscribe((message) => message.ack());
    for (const text of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) source.offer(text);
    source.end();
    clock.advance(0);
    expect(started).toEqual(['a1', 'b1']);
    while (atWork.size > 0) {
      expect(atWork.size).toBeLessThanOrEqual(2);
      const [[, finish]] = atWork as unknown as [[string, () => void]];
      finish();
      clock.advance(0);
    }
    expect([...started].sort()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1']);
    expect(started.filter((text) => text.startsWith('a'))).toEqual(['a1', 'a2', 'a3']);
    expect(source.unsettled).toEqual([]);
  });

  it('names itself while it holds a message', () => {
    const { send, message, source } = setUp(1);
    send('a');
    const waits = message('b', { topic: 'slow' });
    source.next(waits);
    expect((waits as Envelope<string>).root.holder).toBe('route/slow');
  });

  it(
    'holds no more of the credit than its budget and what waits',
    flowTest(({ offer, expectLanes }) => {
      const source = offer('abcd|', { credit: 4, topic: 'slow' });
      const slow: Stage<string, string> = (flow) => flow.pipe(delay(2));
      expectLanes(source.pipe(route([{ name: 'slow', when: topic('slow'), to: slow, budget: 1 }]))).toBe(`
        a       d-a
        b        d--a
        c         d---a
        d          d----a
        credit  322122334`);
    }),
  );
});

describe('overflow', () => {
  it('drop-newest gives up the one that comes', () => {
    const { send, holds, log } = setUp(2, 'drop-newest');
    const { seen, stop } = events('message.overflowed');
    send('a', 'b', 'c', 'd');
    stop();
    expect(holds()).toEqual(['a', 'b']);
    expect(log).toEqual(['c ack (overflow: drop-newest)', 'd ack (overflow: drop-newest)']);
    expect(seen).toEqual([
      { type: 'message.overflowed', connector: 'route/slow', policy: 'drop-newest', count: 1 },
      { type: 'message.overflowed', connector: 'route/slow', policy: 'drop-newest', count: 2 },
    ]);
  });

  it('drop-oldest holds as many as the budget and gives up the one that waited longest', () => {
    const { send, holds, settleNext, log } = setUp(2, 'drop-oldest');
    send('a', 'b', 'c', 'd', 'e', 'f');
    expect(log).toEqual(['c ack (overflow: drop-oldest)', 'd ack (overflow: drop-oldest)']);
    settleNext();
    settleNext();
    expect(holds()).toEqual(['e', 'f']);
  });

  it('conflate keeps the newest of each key, in the place of the first, and topics where there is no key', () => {
    const { send, sendAs, settleNext, held, log } = setUp(1, 'conflate');
    send('now');
    sendAs('a1', { topic: 'slow', key: 'a' });
    sendAs('b1', { topic: 'slow', key: 'b' });
    sendAs('a2', { topic: 'slow', key: 'a' });
    sendAs('t1', { topic: 'slow/a' });
    sendAs('t2', { topic: 'slow/a' });
    expect(log).toEqual(['a1 ack (overflow: conflate)', 't1 ack (overflow: conflate)']);
    const order: string[] = [];
    while (held.length > 0) {
      order.push((held[0] as Message<string>).payload);
      settleNext();
    }
    expect(order).toEqual(['now', 'a2', 'b1', 't2']);
  });

  it('gives nothing up twice: what was settled while it waited is only forgotten', () => {
    const { message, source, send, sendAs, late, log } = setUp(1, 'conflate');
    send('now');
    const older = message('a1', { topic: 'slow', key: 'a' });
    source.next(older);
    older.ack();
    sendAs('a2', { topic: 'slow', key: 'a' });
    expect(log).toEqual(['a1 ack']);
    expect(late).toEqual([]);
  });

  it('fail nacks the one that comes with OVERFLOW, to be delivered again', () => {
    const { send, holds, settled } = setUp(1, 'fail');
    send('a', 'b');
    expect(holds()).toEqual(['a']);
    expect(settled).toEqual([{ payload: 'b', outcome: 'requeue', code: 'OVERFLOW', by: 'route/slow' }]);
  });

  it('of one branch does not decide for the others of the same message', () => {
    const { message, log } = recorder();
    const source = new Subject<Message<string>>();
    const held: Message<string>[] = [];
    const router = route(
      [
        { name: 'lossy', when: topic('test'), to: (flow: Flow<string>) => flow, budget: 1, overflow: 'drop-newest' },
        { name: 'careful', when: (m: Message<string>) => m.topic === 'test', to: (flow: Flow<string>) => flow },
      ],
      { match: 'all' },
    );
    source.pipe(router).subscribe((each) => held.push(each));
    source.next(message('a'));
    source.next(message('b'));
    expect(held.map(({ payload: text }) => text)).toEqual(['a', 'a', 'b']);
    held[2]?.nack(new Error('no'), 'dead');
    expect(log).toEqual(['b dead no']);
  });
});
