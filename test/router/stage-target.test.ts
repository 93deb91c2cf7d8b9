import { EMPTY, map, merge, NEVER, Observable, retry, Subject, take, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  backoff,
  batch,
  payload,
  route,
  topic,
  unbatch,
  type Flow,
  type Message,
  type Rule,
  SluiceError,
  type Stage,
} from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import { currentScope, withScope, type Scope } from '../../src/connection/scope.js';
import { events, settling } from '../helpers/branches.js';
import { recorder } from '../helpers/message.js';

/** A branch under test beside a healthy one. */
function setUp(to: Stage<string, string>, more: Partial<Rule<string, string>> = {}) {
  const clock = virtualClock();
  const recorded = recorder();
  const source = new Subject<Message<string>>();
  const { seen: failures, stop } = events('stage.failed');
  const out: Message<string>[] = [];
  const ended: string[] = [];
  const rules: Rule<string, string>[] = [
    { name: 'tested', when: topic('tested'), to, ...more },
    { name: 'healthy', when: topic('healthy'), to: payload((text) => text) },
  ];
  const restart = backoff({ initialMs: 100, factor: 2, jitter: 'none', tries: 4 });
  const subscription = source.pipe(route(rules, { clock, restart })).subscribe({
    next: (message) => out.push(message),
    error: () => ended.push('error'),
    complete: () => ended.push('complete'),
  });
  return {
    ...recorded,
    clock,
    source,
    out,
    ended,
    failures,
    stop,
    subscription,
    send(name: 'tested' | 'healthy', ...texts: string[]): void {
      for (const text of texts) source.next(recorded.message(text, { topic: name }));
    },
    outTexts: () => out.map(({ payload: text }) => text),
  };
}

/** Fails on `!`, holds what begins with `h`, hands on the rest. */
const fragile: Stage<string, string> = (source) =>
  new Observable((output) =>
    source.subscribe({
      next(message) {
        if (message.payload === '!') output.error(new Error('broken'));
        else if (!message.payload.startsWith('h')) output.next(message);
      },
      complete: () => output.complete(),
    }),
  );

describe('a branch whose stage fails', () => {
  it('nacks the messages inside it, reports, and is subscribed again; the others flow on', () => {
    const { send, clock, log, settled, out, outTexts, failures, stop, ended } = setUp(fragile);
    send('tested', 'h1', 'a', 'h2', '!');
    stop();
    expect(log).toEqual(['h1', 'h2', '!'].map((text) => `${text} requeue HANDLER_FAILED`));
    expect(settled.map(({ by }) => by)).toEqual(['route/tested', 'route/tested', 'route/tested']);
    expect(failures).toMatchObject([{ stage: 'route/tested' }]);
    send('healthy', 'x');
    clock.advance(0);
    send('tested', 'b');
    expect(outTexts()).toEqual(['a', 'x', 'b']);
    for (const message of out) message.ack();
    expect(log.slice(3)).toEqual(['a ack', 'x ack', 'b ack']);
    expect(ended).toEqual([]);
  });

  it('leaves alone what had left it', () => {
    const { send, out, log } = setUp(fragile);
    send('tested', 'a', 'b', '!');
    expect(log).toEqual(['! requeue HANDLER_FAILED']);
    expect(out.map((message) => message.ack())).toEqual([true, true]);
  });

  it('gives what came meanwhile once it is subscribed again, in order', () => {
    const { send, clock, outTexts, open } = setUp(fragile);
    send('tested', '!', 'a', 'b');
    expect(outTexts()).toEqual([]);
    expect(open).toEqual(['a', 'b']);
    clock.advance(0);
    expect(outTexts()).toEqual(['a', 'b']);
  });

  it('waits longer and longer while it fails without a message, and holds its own messages only', () => {
    let failing = true;
    let subscribed = 0;
    const { send, clock, outTexts } = setUp((source) => {
      subscribed += 1;
      return failing ? throwError(() => new Error('not yet')) : source;
    });
    send('tested', 'a');
    send('healthy', 'x');
    expect(outTexts()).toEqual(['x']);
    clock.advance(99);
    expect(subscribed).toBe(1);
    clock.advance(1);
    expect(subscribed).toBe(2);
    clock.advance(199);
    expect(subscribed).toBe(2);
    failing = false;
    clock.advance(1);
    expect(subscribed).toBe(3);
    expect(outTexts()).toEqual(['x', 'a']);
  });

  it('begins with the shortest wait again after it had taken a message', () => {
    let failing = 1;
    let subscribed = 0;
    const { send, clock } = setUp((source) => {
      subscribed += 1;
      return failing-- > 0 ? throwError(() => new Error('not yet')) : fragile(source);
    });
    clock.advance(100);
    expect(subscribed).toBe(2);
    failing = 1;
    send('tested', '!');
    clock.advance(0);
    expect(subscribed).toBe(3);
    clock.advance(100);
    expect(subscribed).toBe(4);
  });

  it.each<[string, Stage<string, string>]>([
    ['an option out of range', (source) => source.pipe(batch({ size: 0, maxWaitMs: 1 }), unbatch())],
    ['a source that is read twice', (source) => merge(source, source)],
    ['a stage that gives no flow', () => undefined as never],
  ])('ends the flow before it reads anything where trying again cannot help: %s', (_what, to) => {
    let isRead = false;
    const source = new Observable<Message<string>>(() => void (isRead = true));
    const lasting = new Subject<Message<string>>();
    const clock = virtualClock();
    const rules: Rule<string, string>[] = [
      { name: 'lasts', when: topic('a'), to: () => lasting },
      { name: 'wrong', when: topic('b'), to },
    ];
    const ended: unknown[] = [];
    source
      .pipe(route(rules, { clock }))
      .subscribe({ error: (error: unknown) => ended.push((error as SluiceError).code) });
    clock.advance(1_000_000);
    expect([ended, isRead, lasting.observed]).toEqual([['CONFIG_INVALID'], false, false]);
  });

  it('is given up after the tries of restart, and otherwise takes over', () => {
    const { send, clock, log, failures, stop } = setUp(() => throwError(() => new Error('never')));
    send('tested', 'a');
    clock.advance(10_000);
    stop();
    send('tested', 'b');
    expect(log).toEqual(['a dead UNROUTED', 'b dead UNROUTED']);
    expect(failures).toHaveLength(5);
  });

  it('overflows by its policy while it is broken', () => {
    const { send, log } = setUp(() => throwError(() => new Error('not yet')), { budget: 2, overflow: 'drop-oldest' });
    send('tested', 'a', 'b', 'c');
    expect(log).toEqual(['a ack (overflow: drop-oldest)']);
  });

  it('returns its budget with what it nacked', () => {
    const { send, clock, outTexts } = setUp(fragile, { budget: 2 });
    send('tested', 'h', '!', 'a', 'b', 'c');
    clock.advance(0);
    expect(outTexts()).toEqual(['a', 'b']);
  });

  it('is not subscribed again when nothing is left for it', () => {
    let subscribed = 0;
    const { send, source, ended, clock, log } = setUp((flow) => {
      subscribed += 1;
      return fragile(flow);
    });
    send('tested', '!');
    source.complete();
    clock.advance(0);
    expect(ended).toEqual(['complete']);
    expect(subscribed).toBe(1);
    expect(log).toEqual(['! requeue HANDLER_FAILED']);
  });

  it('still gives out what waits when the source completes while it is broken', () => {
    const { send, source, ended, clock, outTexts } = setUp(fragile);
    send('tested', '!', 'a');
    source.complete();
    expect(ended).toEqual([]);
    clock.advance(0);
    expect(outTexts()).toEqual(['a']);
    expect(ended).toEqual(['complete']);
  });

  it('is left behind when what it emits at once lets the flow end while it is being subscribed', () => {
    const { message, log } = recorder();
    let isOpen = false;
    const eager: Stage<string, string> = () =>
      new Observable((output) => {
        isOpen = true;
        output.next(message('at once'));
        return () => (isOpen = false);
      });
    const seen: string[] = [];
    new Subject<Message<string>>()
      .pipe(route([{ name: 'eager', when: topic('test'), to: eager, budget: 1 }]), take(1))
      .subscribe((each) => seen.push(settling(each)));
    expect([seen, log, isOpen]).toEqual([['at once'], ['at once ack'], false]);
  });

  it('tries again, and is not refused, when its first start fails for now only', () => {
    let subscribed = 0;
    const { send, clock, outTexts, ended } = setUp((source) => {
      subscribed += 1;
      return subscribed === 1
        ? throwError(() => new SluiceError('HANDLER_FAILED', 'not yet', { retriable: true }))
        : source;
    });
    send('tested', 'a');
    clock.advance(100);
    expect([outTexts(), ended]).toEqual([['a'], []]);
  });

  it('does not come back after an unsubscribe', () => {
    let subscribed = 0;
    const { send, subscription, clock, log } = setUp((flow) => {
      subscribed += 1;
      return fragile(flow);
    });
    send('tested', '!', 'a');
    subscription.unsubscribe();
    clock.advance(10_000);
    expect(subscribed).toBe(1);
    expect(log).toEqual(['! requeue HANDLER_FAILED', 'a release']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('cancels the wait for the next try on unsubscribe', () => {
    const { subscription, clock } = setUp(() => throwError(() => new Error('not yet')));
    expect(clock.pendingTimers).toBe(1);
    subscription.unsubscribe();
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends the flow with the message settled when it fails while it completes', () => {
    const { source, ended } = setUp(
      (flow) => new Observable((output) => flow.subscribe({ complete: () => output.error(new Error('late')) })),
    );
    source.complete();
    expect(ended).toEqual(['complete']);
  });

  it('is subscribed again in the scope it was subscribed in first', () => {
    const scopes: (Scope | undefined)[] = [];
    const scope: Scope = { addSource: () => undefined };
    const clock = virtualClock();
    const source = new Subject<Message<string>>();
    const stage: Stage<string, string> = (flow) => {
      scopes.push(currentScope());
      return fragile(flow);
    };
    withScope(scope, () => source.pipe(route([{ name: 'a', when: topic('test'), to: stage }], { clock })).subscribe());
    source.next(recorder().message('!'));
    clock.advance(0);
    expect(scopes).toEqual([scope, scope]);
  });
});

describe('a branch whose stage completes early', () => {
  it('is over: what its rule matches goes to otherwise, what it held goes back, the others flow on', () => {
    const { send, log, out, outTexts, failures, stop, ended } = setUp((source) => merge(source.pipe(take(2)), EMPTY));
    send('tested', 'a', 'b', 'c');
    send('healthy', 'x');
    stop();
    expect(outTexts()).toEqual(['a', 'b', 'x']);
    expect(log).toEqual(['c dead UNROUTED']);
    expect(failures).toMatchObject([{ stage: 'route/tested', reason: { code: 'UNROUTED' } }]);
    expect(ended).toEqual([]);
    for (const message of out) expect(message.ack()).toBe(true);
  });

  it('nacks what is inside it', () => {
    const { send, log } = setUp(
      (source) =>
        new Observable((output) =>
          source.subscribe((message) => {
            if (message.payload === '.') output.complete();
          }),
        ),
    );
    send('tested', 'a', '.');
    expect(log).toEqual(['a requeue UNROUTED', '. requeue UNROUTED']);
  });

  it('leaves what it holds to it when the source had completed before', () => {
    const held: Message<string>[] = [];
    const { send, source, log, ended } = setUp(
      (flow) =>
        new Observable((output) =>
          flow.subscribe({ next: (message) => held.push(message), complete: () => output.complete() }),
        ),
    );
    send('tested', 'a');
    source.complete();
    expect(ended).toEqual(['complete']);
    expect(log).toEqual([]);
    expect(held[0]?.ack()).toBe(true);
  });

  it('lets the flow complete when the source does', () => {
    const { source, ended } = setUp(() => EMPTY);
    expect(ended).toEqual([]);
    source.complete();
    expect(ended).toEqual(['complete']);
  });
});

describe('a branch and its source', () => {
  it('hands messages to a stage that subscribes itself again, and nacks what that had lost', () => {
    const { send, log, outTexts } = setUp((source) =>
      source.pipe(
        map((message) => {
          if (message.payload === '!') throw new Error('no');
          return message;
        }),
        retry(),
      ),
    );
    send('tested', 'a', '!', 'b');
    expect(outTexts()).toEqual(['a', 'b']);
    expect(log).toEqual(['! requeue HANDLER_FAILED']);
  });

  it('lets messages wait while nobody is subscribed', () => {
    const gate = new Subject<void>();
    const { send, clock, outTexts } = setUp(
      (source) => new Observable((output) => gate.subscribe(() => source.subscribe(output))),
    );
    send('tested', 'a');
    expect(outTexts()).toEqual([]);
    gate.next();
    clock.advance(0);
    expect(outTexts()).toEqual(['a']);
  });

  it('refuses a second reader: each message would be settled twice', () => {
    const { send, failures, stop, clock } = setUp((source) => merge(source, source));
    clock.advance(0);
    stop();
    expect(failures[0]).toMatchObject({
      reason: { code: 'CONFIG_INVALID', message: expect.stringContaining('fanout') },
    });
    send('tested', 'a');
  });

  it('tells a flow that outlived its branch that it is over', () => {
    let kept: Flow<string> = NEVER;
    const { subscription } = setUp((source) => {
      kept = source;
      return source;
    });
    subscription.unsubscribe();
    const ended: string[] = [];
    kept.subscribe({ complete: () => ended.push('complete') });
    expect(ended).toEqual(['complete']);
  });

  it('gives the credit back to a real source after each failure, until attempts are exhausted', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 2, maxAttempts: 3, topic: 'tested' });
    const out: string[] = [];
    source.flow
      .pipe(route([{ name: 'tested', when: topic('tested'), to: fragile }], { clock }))
      .subscribe((message) => out.push(settling(message)));
    for (const text of ['!', 'a', 'b']) source.offer(text);
    clock.advance(60_000);
    expect(out).toEqual(['a', 'b']);
    expect([source.unsettled, source.queued]).toEqual([[], []]);
  });
});
