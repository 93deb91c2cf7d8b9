import { concat, delay, map, NEVER, Observable, Subject, take, throwError } from 'rxjs';
import { describe as group, expect, it } from 'vitest';
import {
  describe,
  each,
  field,
  header,
  mermaid,
  payload,
  route,
  sequence,
  topic,
  where,
  type Flow,
  type Message,
  type Rule,
  type Sink,
  type Stage,
} from 'sluice';
import { testSource } from 'sluice/testing';
import { flowTest } from '../helpers/lanes.js';
import { marbles } from '../helpers/marbles.js';
import { recorder } from '../helpers/message.js';
import { events, recordingSink, settling } from '../helpers/branches.js';

const upper: Stage<string, string> = payload((text) => text.toUpperCase());
const vowels: Rule<string, string> = { name: 'vowels', when: (m) => 'aeiou'.includes(m.payload), to: upper };
const rest: Rule<string, string> = { name: 'rest', when: () => true, to: (source) => source };

group('route', () => {
  it(
    'gives each message to the first rule that matches and merges what comes out',
    marbles((m) => {
      const source = testSource({ values: m.cold<string>('ab-e|'), topic: (value) => value });
      const out = source.flow.pipe(route([vowels, rest]), map(settling));
      m.expect(out).toBeObservable('            Ab-E|');
      m.expect(source.acks$).toBeObservable('   ab-e');
    }),
  );

  it(
    'subscribes its source once and its branches before it',
    marbles((m) => {
      const values = m.cold('     ab|');
      const subscribed = '        ^-!';
      const inputs = [m.cold('    --|'), m.cold('    --|')];
      const { message } = recorder();
      const order: string[] = [];
      const branch =
        (at: number): Stage<string, string> =>
        (source) =>
          new Observable((output) => {
            order.push(`branch ${at}`);
            return concat(source, inputs[at] as unknown as Observable<never>).subscribe(output);
          });
      const source: Flow<string> = new Observable((output) => {
        order.push('source');
        return values.pipe(map((value) => message(value))).subscribe(output);
      });
      const out = source.pipe(
        route([
          { ...vowels, to: branch(0) },
          { ...rest, to: branch(1) },
        ]),
        map(settling),
      );
      m.expect(out).toBeObservable('ab--|');
      m.expect(values).toHaveSubscriptions(subscribed);
      m.expect(inputs[0] as never).toHaveSubscriptions('--^-!');
      m.scheduler.schedule(() => expect(order).toEqual(['branch 0', 'branch 1', 'source']), 9);
    }),
  );

  it(
    'holds the window only for the branch that is slow',
    flowTest(({ offer, expectLanes }) => {
      const source = offer('abcdef|', { credit: 2, topic: (value) => ('ace'.includes(value) ? 'slow' : 'fast') });
      const router = route([
        { name: 'slow', when: topic('slow'), to: (flow: Flow<string>) => flow.pipe(delay(4)) },
        { name: 'fast', when: topic('fast'), to: (flow: Flow<string>) => flow },
      ]);
      expectLanes(source.pipe(router)).toBe(`
        a       d---a
        b        i
        c         d---a
        d          oi
        e           d---a
        f            oi
        credit  110000112`);
    }),
  );

  it(
    'settles what no rule takes, so it leaks no credit',
    flowTest(({ offer, expectLanes }) => {
      const source = offer('abc|', { credit: 1 });
      expectLanes(source.pipe(route([{ ...vowels, to: where<string>(() => false) }], { otherwise: 'drop' }))).toBe(`
        a       S
        b        S
        c         S
        credit  111`);
    }),
  );

  it('carries the same message when one branch takes it, also with match all', () => {
    const { flow, message, log } = recorder();
    const seen: Message<string>[] = [];
    const sent = [message('a'), message('b')];
    const router = route([
      { name: 'one', when: topic('test'), to: (source: Flow<string>) => source },
      { name: 'two', when: header('none'), to: (source: Flow<string>) => source },
    ]);
    const all = route([{ name: 'one', when: topic('test'), to: (source: Flow<string>) => source }], { match: 'all' });
    void flow;
    new Observable<Message<string>>((output) => sent.forEach((each) => output.next(each)))
      .pipe(router, all)
      .subscribe((each) => seen.push(each));
    expect(seen).toEqual(sent);
    expect(seen[0]).toBe(sent[0]);
    expect(log).toEqual([]);
  });

  group('with match all', () => {
    const both = (first: Stage<string, string> | Sink<string>, second: Stage<string, string> | Sink<string>) =>
      route<string, Rule<string, string>[]>(
        [
          { name: 'one', when: topic('test'), to: first },
          { name: 'two', when: header('x'), to: second },
        ],
        { match: 'all' },
      );
    const fields = { headers: { x: '1' } };

    it('acks the message when all branches did', () => {
      const { flow, log, open } = recorder();
      const out: Message<string>[] = [];
      flow(['a'], () => fields)
        .pipe(both(upper, (source) => source))
        .subscribe((message) => out.push(message));
      expect(out.map(({ payload: text }) => text)).toEqual(['A', 'a']);
      out[0]?.ack();
      expect(log).toEqual([]);
      out[1]?.ack();
      expect(log).toEqual(['a ack']);
      expect(open).toEqual([]);
    });

    it('nacks it by the first nack, and still gives it to the others', () => {
      const { flow, log } = recorder();
      const sink = recordingSink<string>();
      const fails = payload((): string => {
        throw new Error('no');
      });
      flow(['a'], () => fields)
        .pipe(both(fails, sink))
        .subscribe();
      expect(sink.taken).toEqual(['a']);
      expect(log).toEqual(['a dead HANDLER_FAILED']);
    });

    it('acks it once when every branch settles at once', () => {
      const { flow, log, late } = recorder();
      flow(['a', 'b'], () => fields)
        .pipe(both(recordingSink(), recordingSink()))
        .subscribe();
      expect(log).toEqual(['a ack', 'b ack']);
      expect(late).toEqual([]);
    });
  });

  group('otherwise', () => {
    const none: Rule<string, string> = { ...rest, when: topic('none') };

    it('nacks as dead with UNROUTED by default, and names the router (ACK-08)', () => {
      const { flow, log, settled } = recorder();
      flow(['a', 'b'])
        .pipe(route([none], { name: 'orders' }))
        .subscribe();
      expect(log).toEqual(['a dead UNROUTED', 'b dead UNROUTED']);
      expect(settled[0]?.by).toBe('orders');
    });

    it('is also for what none of all rules takes (ACK-08)', () => {
      const { flow, log } = recorder();
      flow(['a'])
        .pipe(route([none], { match: 'all' }))
        .subscribe();
      expect(log).toEqual(['a dead UNROUTED']);
    });

    it('acks with a note, counts and reports when told to drop (ACK-08)', () => {
      const { flow, log } = recorder();
      const { seen, stop } = events('message.overflowed');
      flow(['a', 'b'])
        .pipe(route([none], { otherwise: 'drop' }))
        .subscribe();
      stop();
      expect(log).toEqual(['a ack (unrouted)', 'b ack (unrouted)']);
      expect(seen).toMatchObject([
        { connector: 'route', policy: 'unrouted', count: 1 },
        { connector: 'route', policy: 'unrouted', count: 2 },
      ]);
    });

    it('gives it to a stage or a sink', () => {
      const { flow, log } = recorder();
      const sink = recordingSink<string>();
      const out: string[] = [];
      flow(['a'])
        .pipe(route([none], { otherwise: sink }))
        .subscribe();
      flow(['b'])
        .pipe(route([none], { otherwise: upper }))
        .subscribe((message) => out.push(settling(message)));
      expect(sink.taken).toEqual(['a']);
      expect(out).toEqual(['B']);
      expect(log).toEqual(['a ack', 'b ack']);
    });

    it('takes everything when there are no rules', () => {
      const { flow, log } = recorder();
      flow(['a']).pipe(route([])).subscribe();
      expect(log).toEqual(['a dead UNROUTED']);
    });
  });

  group('when a rule throws', () => {
    const fails = (): boolean => {
      throw new Error('no');
    };

    it('nacks that message as dead with HANDLER_FAILED by that rule, and goes on', () => {
      const { flow, log, settled } = recorder();
      const out: string[] = [];
      const rules: Rule<string, string>[] = [
        { name: 'fails', when: (m) => m.payload === 'b' && fails(), to: upper },
        rest,
      ];
      flow(['a', 'b', 'c'])
        .pipe(route(rules))
        .subscribe((message) => out.push(settling(message)));
      expect(out).toEqual(['a', 'c']);
      expect(log).toEqual(['a ack', 'b dead HANDLER_FAILED', 'c ack']);
      expect(settled[1]?.by).toBe('route/fails');
    });

    it('takes no promise for an answer', () => {
      const { flow, log, settled } = recorder();
      const promises = (async () => false) as unknown as () => boolean;
      flow(['a'])
        .pipe(route([{ name: 'fails', when: promises, to: upper }, rest]))
        .subscribe();
      expect(log).toEqual(['a dead HANDLER_FAILED']);
      expect(settled[0]?.by).toBe('route/fails');
    });

    it('names the router alone when no rule can be blamed', () => {
      const { message, settled } = recorder();
      const broken = {
        get a(): string {
          throw new Error('no');
        },
      };
      new Observable<Message<unknown>>((output) => output.next(message(broken)))
        .pipe(route([{ name: 'a', when: field('a', 'x'), to: recordingSink() }]))
        .subscribe();
      expect(settled).toMatchObject([{ outcome: 'dead', code: 'HANDLER_FAILED', by: 'route' }]);
    });
  });

  group('as an Observable', () => {
    it(
      'never emits for never and completes for empty',
      marbles((m) => {
        m.expect((NEVER as Flow<string>).pipe(route([vowels, rest]))).toBeObservable('-');
        m.expect(m.cold<Message<string>>('--|').pipe(route([vowels, rest]))).toBeObservable('--|');
      }),
    );

    it(
      'completes when the source, every stage and every sink are done',
      marbles((m) => {
        const { message, log } = recorder();
        const sink = recordingSink<string>();
        const slow: Stage<string, string> = (source) => source.pipe(delay(3));
        const source = m.cold('a-b-e|').pipe(map((value) => message(value)));
        const router = route<string, Rule<string, string>[]>([
          { ...vowels, to: slow },
          { ...rest, to: sink },
        ]);
        m.expect(source.pipe(router, map(settling))).toBeObservable('---a---(e|)');
        m.scheduler.schedule(() => {
          expect(sink.ended).toEqual(['complete']);
          expect(log).toEqual(['b ack', 'a ack', 'e ack']);
        }, 9);
      }),
    );

    it(
      'ends with the error of the source and tells the sinks',
      marbles((m) => {
        const sink = recordingSink<string>();
        const error = new Error('gone');
        const source = m.cold<Message<string>>('--#', undefined, error);
        m.expect(source.pipe(route([vowels, { ...rest, to: sink }]))).toBeObservable('--#', undefined, error);
        m.scheduler.schedule(() => expect(sink.ended).toEqual(['error gone']), 9);
      }),
    );

    it('hands back what waits when it is unsubscribed, completes sinks, and lets the rest settle', async () => {
      const { message, log, open } = recorder();
      const source = new Subject<Message<string>>();
      const sink = recordingSink<string>();
      const out: Message<string>[] = [];
      const router = route<string, Rule<string, string>[]>([
        { ...vowels, to: (flow) => flow, budget: 1 },
        { ...rest, to: sink },
      ]);
      const subscription = source.pipe(router).subscribe((each) => out.push(each));
      for (const value of ['a', 'e', 'b']) source.next(message(value));
      expect(open).toEqual(['a', 'e']);
      subscription.unsubscribe();
      expect(source.observed).toBe(false);
      expect(log).toEqual(['b ack', 'e release']);
      await new Promise(setImmediate);
      expect(sink.ended).toEqual(['complete']);
      expect(out[0]?.ack()).toBe(true);
      expect(log).toEqual(['b ack', 'e release', 'a ack']);
    });

    it('keeps subscriptions apart', () => {
      const { flow, log } = recorder();
      const states: number[] = [];
      const counting: Stage<string, number> = (source) => {
        let count = 0;
        return source.pipe(payload(() => (count += 1)));
      };
      const routed = flow(['a', 'a']).pipe(route([{ name: 'count', when: topic('test'), to: counting }]));
      for (let round = 0; round < 2; round += 1) routed.subscribe((message) => states.push(settling(message)));
      expect(states).toEqual([1, 2, 1, 2]);
      expect(log).toHaveLength(4);
    });

    it('arms sequences for each subscription', () => {
      const { flow, log } = recorder();
      const login = sequence(topic('failed'), topic('ok'), { withinMs: 1000 });
      const routed = flow(['failed', 'ok', 'ok'], (name) => ({ topic: name })).pipe(
        route([{ name: 'suspicious', when: login, to: recordingSink<string>() }]),
      );
      routed.subscribe();
      expect(log).toEqual(['failed dead UNROUTED', 'ok ack', 'ok dead UNROUTED']);
    });
  });

  it('hands back the part of a branch when another part made the flow end', () => {
    const { message, flow, log, open } = recorder();
    const sink = recordingSink<string>();
    const source = new Subject<Message<string>>();
    const out: Message<string>[] = [];
    const same = (source: Flow<string>): Flow<string> => source;
    const router = route(
      [
        { name: 'one', when: topic('test'), to: same },
        { name: 'two', when: () => true, to: same },
        { name: 'three', when: () => true, to: sink },
      ],
      { match: 'all' },
    );
    source.pipe(router, take(1)).subscribe((each) => out.push(each));
    source.next(message('a'));
    expect(sink.taken).toEqual([]);
    expect(log).toEqual(['a release']);
    // A source that emits while it is being subscribed cannot be stopped yet.
    flow(['b'])
      .pipe(router, take(1))
      .subscribe((each) => out.push(each));
    expect(log).toEqual(['a release', 'b release']);
    expect([open, out.length]).toEqual([[], 2]);
  });

  it('completes a sink that several rules share once, after the last of them', () => {
    const { message, log } = recorder();
    const source = new Subject<Message<string>>();
    const held: Message<string>[] = [];
    const ended: string[] = [];
    const sink: Sink<string> = {
      next: (each) => void (ended.length === 0 ? held.push(each) : each.nack(new Error('closed'))),
      error: () => undefined,
      complete: () => void ended.push('complete'),
    };
    let completed = false;
    source
      .pipe(
        route([
          { name: 'a', when: topic('a'), to: sink },
          { name: 'b', when: topic('b'), to: sink, budget: 1 },
        ]),
      )
      .subscribe({ complete: () => (completed = true) });
    for (const name of ['a', 'b', 'b']) source.next(message(name, { topic: name }));
    source.complete();
    expect(ended).toEqual([]);
    for (const each of held) each.ack();
    expect(log).toEqual(['a ack', 'b ack']);
    return Promise.resolve().then(() => {
      expect(held.map(({ payload: text }) => text)).toEqual(['a', 'b', 'b']);
      expect([ended, completed]).toEqual([['complete'], true]);
      held[2]?.ack();
      expect(log).toEqual(['a ack', 'b ack', 'b ack']);
    });
  });

  it('waits with its completion until its sinks have closed', async () => {
    const { flow } = recorder();
    let close: () => void = () => undefined;
    const sink = { ...recordingSink<string>(), closed: new Promise<void>((resolve) => (close = resolve)) };
    let completed = false;
    flow(['a'])
      .pipe(route([{ ...rest, to: sink }]))
      .subscribe({ complete: () => (completed = true) });
    await Promise.resolve();
    expect(completed).toBe(false);
    close();
    await sink.closed;
    await Promise.resolve();
    expect(completed).toBe(true);
  });

  it('shows its rules in the graph of a flow', () => {
    const flow = (NEVER as Flow<string>).pipe(
      route(
        [
          { name: 'bills', when: topic('orders/+'), to: each(() => 1, { name: 'bill' }) },
          { name: 'log', when: header('type', 'trade'), to: recordingSink<string>() },
        ],
        { name: 'by kind', otherwise: upper },
      ),
    );
    const text = mermaid(describe(flow));
    for (const part of ['by kind', 'bills: topic orders/+', `log: header type = 'trade'`, 'otherwise', 'bill'])
      expect(text).toContain(part);
  });

  it.each<[string, unknown, string]>([
    ['an unknown option', { matches: 'all' }, `unknown option 'matches', did you mean 'match'?`],
    ['an unknown match', { match: 'some' }, 'one of first, all'],
    ['an unknown otherwise', { otherwise: 'requeue' }, 'one of dead, drop'],
    ['a restart that is none', { restart: 5 }, 'made with backoff()'],
  ])('refuses %s with CONFIG_INVALID', (_name, options, text) => {
    expect(() => route([vowels], options as never)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(text) }),
    );
  });

  it('refuses rules that are wrong, by their position and name (B30)', () => {
    expect(() => route([vowels, { ...rest, name: 'vowels' }], { name: 'orders' })).toThrow(
      `orders: rule 1 'vowels': rule 0 has the same name`,
    );
  });

  it('takes 100,000 rules and still finds the last (B30)', () => {
    const { message, log } = recorder();
    const sink = recordingSink<unknown>();
    const rules = Array.from({ length: 100_000 }, (_, at) => ({ name: `r${at}`, when: topic(`t/${at}`), to: sink }));
    new Observable<Message<string>>((output) => output.next(message('a', { topic: 't/99999' })))
      .pipe(route(rules))
      .subscribe();
    expect(log).toEqual(['a ack']);
  });

  it('leaves the other branches alone when one throws on subscribe', () => {
    const { flow, log } = recorder();
    const { seen, stop } = events('stage.failed');
    const broken: Stage<string, string> = () => {
      throw new Error('no stage');
    };
    const failing: Stage<string, string> = () => throwError(() => new Error('no flow'));
    flow(['b'])
      .pipe(
        route([
          { name: 'broken', when: topic('x'), to: broken },
          { name: 'failing', when: topic('y'), to: failing },
          rest,
        ]),
      )
      .subscribe(settling);
    stop();
    expect(log).toEqual(['b ack']);
    expect(seen).toMatchObject([{ stage: 'route/broken' }, { stage: 'route/failing' }]);
  });
});
