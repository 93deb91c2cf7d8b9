import { BehaviorSubject, delay, filter, NEVER, of, Subject, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { isSluiceError, type Message, useClock, where } from 'sluice';
import { testSource, virtualClock, type TestSourceEvent } from 'sluice/testing';
import { marbles } from '../helpers/marbles.js';

const ack = (message: Message<unknown>): void => void message.ack();
const numbers = { 0: 0, 1: 1, 2: 2, 3: 3, 4: 4 };

describe('testSource in a marble test', () => {
  it(
    'shows what was delivered, what was acked and the credit left',
    marbles((m) => {
      const source = testSource({ values: m.cold('abc|'), credit: 2 });
      source.flow.pipe(delay(2)).subscribe(ack);
      m.expect(source.delivered$).toBeObservable('abc');
      m.expect(source.acks$).toBeObservable('--abc');
      m.expect(source.credit$).toBeObservable('10-12', numbers);
    }),
  );

  it(
    'holds what is offered beyond the credit until something is settled',
    marbles((m) => {
      const source = testSource({ values: m.hot('abcd'), credit: 1 });
      source.flow.pipe(delay(3)).subscribe(ack);
      m.expect(source.delivered$).toBeObservable('a--b--c--d');
      m.expect(source.acks$).toBeObservable('---a--b--c--d');
      m.expect(source.credit$).toBeObservable('0-----------1', numbers);
    }),
  );

  it(
    'completes once everything was delivered and settled',
    marbles((m) => {
      const source = testSource({ values: m.cold('ab|'), credit: 1 });
      const ended$ = new Subject<string>();
      source.flow.pipe(delay(2)).subscribe({ next: ack, complete: () => ended$.next('end') });
      m.expect(source.acks$).toBeObservable('--a-b');
      m.expect(ended$).toBeObservable('----e', { e: 'end' });
    }),
  );

  it(
    'completes at once when nothing ever came, and never when it never ends',
    marbles((m) => {
      m.expect(testSource({ values: m.cold('--|') }).flow).toBeObservable('--|');
      m.expect(testSource({ values: NEVER }).flow, '^---!').toBeObservable('-----');
    }),
  );

  it(
    'delivers again what was requeued, before what was offered after it, and gives up after maxAttempts',
    marbles((m) => {
      const source = testSource({ values: m.cold('ab|'), credit: 1, maxAttempts: 3 });
      const attempts: string[] = [];
      source.flow.pipe(delay(1)).subscribe((message) => {
        attempts.push(`${message.payload}${message.attempt}`);
        if (message.payload === 'a') message.nack(new Error('no'));
        else message.ack();
      });
      const kinds: string[] = [];
      source.events$.subscribe((event) => kinds.push(`${event.record.value}:${event.type}@${event.atMs}`));
      m.expect(source.nacks$).toBeObservable('-aaa');
      m.expect(source.acks$).toBeObservable('----b');
      m.flush();
      expect(attempts).toEqual(['a1', 'a2', 'a3', 'b1']);
      expect(kinds).toContain('a:dead@3');
      expect(kinds).toContain('b:waiting@1');
    }),
  );

  it(
    'follows credit that is an Observable, 0 pauses',
    marbles((m) => {
      const credit = m.hot('             0--2---0--4', numbers);
      const source = testSource({ values: m.cold('a----b---c'), credit });
      source.flow.subscribe(ack);
      m.expect(source.delivered$).toBeObservable('---a-b----c');
      m.expect(source.credit$).toBeObservable('   0--2---0--4', numbers);
    }),
  );
});

describe('testSource', () => {
  const drive = (credit: number): { source: ReturnType<typeof testSource<string>>; seen: Message<string>[] } => {
    const source = testSource<string>({ credit, clock, closeTimeoutMs: 50 });
    const seen: Message<string>[] = [];
    source.flow.subscribe((message) => seen.push(message));
    return { source, seen };
  };
  const clock = virtualClock();

  it('shows its queue and what is unsettled, with the stage that holds it', () => {
    const { source, seen } = drive(2);
    for (const value of 'abcd') source.offer(value);
    clock.advance(0);
    expect(source.queued).toEqual(['c', 'd']);
    expect(source.unsettled.map((record) => record.value)).toEqual(['a', 'b']);
    seen[0]?.ack();
    expect(source.queued).toEqual(['c', 'd']);
    clock.advance(0);
    expect(source.queued).toEqual(['d']);
  });

  it('is one queue for all who listen: what one gives back the other gets', () => {
    const source = testSource<string>({ credit: 1, clock, topic: (value) => `t/${value}`, key: (value) => value });
    const first: Message<string>[] = [];
    const second: Message<string>[] = [];
    source.flow.subscribe((message) => first.push(message));
    source.flow.pipe(filter((message) => message.topic !== 't/')).subscribe((message) => second.push(message));
    clock.advance(0);
    source.offer('a');
    source.offer('b');
    clock.advance(0);
    expect([...first, ...second].map((message) => [message.payload, message.topic, message.key])).toEqual([
      ['a', 't/a', 'a'],
      ['b', 't/b', 'b'],
    ]);
    expect(first).toHaveLength(1);
    expect(second).toHaveLength(1);
  });

  it('keeps what it is given before anybody listens', () => {
    const source = testSource<number>({ clock, credit: 8 });
    source.offer(1);
    source.offer(2);
    source.end();
    const seen: number[] = [];
    let completed = false;
    source.flow.subscribe({
      next: (message) => {
        seen.push(message.payload);
        message.ack();
      },
      complete: () => (completed = true),
    });
    expect(seen).toEqual([]);
    clock.advance(0);
    expect(seen).toEqual([1, 2]);
    expect(completed).toBe(true);
  });

  it('takes back what is unsettled when the connection is cut, and delivers it again after the reconnect', () => {
    const { source, seen } = drive(4);
    source.offer('a');
    source.offer('b');
    clock.advance(0);
    seen[0]?.ack();
    source.lose(new Error('cut'));
    expect(seen[1]?.ack()).toBe(false);
    clock.advance(1_000);
    expect(seen.map((message) => `${message.payload}${message.attempt}`)).toEqual(['a1', 'b1', 'b2']);
    expect(seen[2]?.ack()).toBe(true);
    expect(source.unsettled).toEqual([]);
  });

  it('hands back at once what was not delivered, and after closeTimeoutMs what was not settled', () => {
    const source = testSource<string>({ credit: 2, clock, closeTimeoutMs: 50 });
    const seen: Message<string>[] = [];
    for (const value of 'abc') source.offer(value);
    source.flow.pipe(take(2)).subscribe((message) => seen.push(message));
    clock.advance(0);
    expect(seen[0]?.ack()).toBe(true);
    expect(source.queued).toEqual(['c']);
    clock.advance(50);
    expect(source.queued).toEqual(['b', 'c']);
    expect(seen[1]?.ack()).toBe(false);
  });

  it('delivers a message that came back after the end before it completes', () => {
    const source = testSource<string>({ credit: 4, clock });
    const events: TestSourceEvent<string>['type'][] = [];
    source.events$.subscribe((event) => events.push(event.type));
    let completed = false;
    const seen: Message<string>[] = [];
    source.flow.subscribe({ next: (message) => seen.push(message), complete: () => (completed = true) });
    source.offer('a');
    source.end();
    clock.advance(0);
    seen[0]?.nack(new Error('later'));
    clock.advance(0);
    expect(completed).toBe(false);
    seen[1]?.ack();
    clock.advance(0);
    expect(completed).toBe(true);
    expect(events).toEqual(['delivered', 'requeue', 'delivered', 'ack']);
  });

  it('works in the time of the clock in force when none is named', () => {
    const other = virtualClock({ startMs: 5 });
    const restore = useClock(other);
    try {
      const source = testSource<string>({ credit: new BehaviorSubject(1) });
      const seen: string[] = [];
      source.flow.pipe(where((value) => value !== 'a')).subscribe((message) => seen.push(message.payload));
      source.offer('a');
      source.offer('b');
      other.advance(0);
      expect(seen).toEqual(['b']);
      expect(source.unsettled[0]?.message?.timeMs).toBe(5);
    } finally {
      restore();
    }
  });

  it('refuses options that are unknown or out of range', () => {
    const said = (options: object): string => {
      try {
        testSource(options);
        return '';
      } catch (error) {
        return isSluiceError(error, 'CONFIG_INVALID') ? error.message : '';
      }
    };
    expect(said({ credit: -1 })).toContain("'credit': expected a whole number");
    expect(said({ value: of(1) })).toBe("testSource: unknown option 'value', did you mean 'values'?");
    expect(said({ values: [1] })).toBe("testSource: 'values': expected an Observable, got an array.");
  });
});
