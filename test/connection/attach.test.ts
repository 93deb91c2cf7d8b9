import { map, mergeMap, Observable, of, Subject, throwError } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  deadLetter,
  deliver,
  each,
  fanout,
  memoryBroker,
  memorySink,
  memorySource,
  observe,
  route,
  run,
  toAsyncIterable,
  values as valuesOf,
  type Flow,
  type Message,
  type Sink,
  type Stage,
} from 'sluice';
import { attach, attachable, type Output, subscribeTo } from '../../src/connection/attach.js';
import { currentScope, type Scope, withScope } from '../../src/connection/scope.js';
import { recorder as messages } from '../helpers/message.js';
import { codeOf } from '../helpers/stage.js';

const { message } = messages();

/** An output that notes what it is told. */
function recorder(): Output<unknown> & { readonly told: string[] } {
  const told: string[] = [];
  return {
    told,
    closed: false,
    next: (message: Message<unknown>) => void told.push(String(message.payload)),
    error: (error: unknown) => void told.push(`error ${(error as Error).message}`),
    complete: () => void told.push('complete'),
  };
}

describe('attach', () => {
  it('hands the output itself to a flow of ours, without a subscriber in between', () => {
    let given: unknown;
    const flow = attachable((output) => {
      given = output;
      return () => undefined;
    });
    const output = recorder();
    attach(flow, output);
    expect(given).toBe(output);
  });

  it('subscribes to any other Observable', () => {
    const output = recorder();
    attach(of(message(1), message(2)), output);
    expect(output.told).toEqual(['1', '2', 'complete']);
  });

  it('unsubscribes with what it returns, either way', () => {
    const ended: string[] = [];
    const direct = attachable(() => () => void ended.push('attached'));
    const plain = new Observable<never>(() => () => void ended.push('subscribed'));
    for (const flow of [direct, plain]) attach(flow, recorder())();
    expect(ended).toEqual(['attached', 'subscribed']);
  });

  it('tells the output of a flow that fails while it is being attached to', () => {
    const thrower = attachable(() => {
      throw new Error('no');
    });
    for (const flow of [thrower, throwError(() => new Error('no'))]) {
      const output = recorder();
      attach(flow, output)();
      expect(output.told).toEqual(['error no']);
    }
  });

  it('leaves a flow a plain Observable for everybody else', () => {
    const flow = memorySource<number>(memoryBroker(), { topic: 'numbers' });
    expect(flow).toBeInstanceOf(Observable);
    expect(Object.keys(flow)).not.toContain('connect');
  });
});

describe('subscribeTo', () => {
  const nowhere = { next: () => undefined, error: () => undefined, complete: () => undefined };
  const scope = (): Scope => ({ addSource: () => undefined });

  /** Says in which scope it was attached to. */
  function witness(): { readonly flow: Observable<Message<unknown>>; readonly seen: (Scope | undefined)[] } {
    const seen: (Scope | undefined)[] = [];
    const flow = attachable<unknown>(() => {
      seen.push(currentScope());
      return () => undefined;
    });
    return { flow, seen };
  }

  it('gives what an operator subscribes later the scope of the one at the end of its chain, whatever is in force then', () => {
    const start$ = new Subject<void>();
    const [inner, outer] = [scope(), scope()];
    const { flow, seen } = witness();
    const late = start$.pipe(
      map(() => 1),
      mergeMap(() => flow),
    );
    const subscription = withScope(inner, () => subscribeTo(late, nowhere));
    start$.next();
    withScope(outer, () => start$.next());
    expect(seen).toEqual([inner, inner]);
    expect(currentScope()).toBeUndefined();
    subscription.unsubscribe();
    expect(start$.observed).toBe(false);
  });

  it.each([
    ['a number', 1, 'number'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['an object that is no message', { payload: 1 }, 'object'],
  ])('ends a flow that gives %s instead of messages, and says what to do', (_what, value, kind) => {
    for (const inside of [undefined, scope()]) {
      const values = new Subject<unknown>();
      const output = recorder();
      const subscribe = (): unknown => subscribeTo(values as unknown as Flow<never>, output);
      if (inside === undefined) subscribe();
      else withScope(inside, subscribe);
      for (const each of [value, value]) values.next(each);
      values.complete();
      const cure =
        'put messages() or fromAsyncIterable() in front of plain values, and change payloads with payload() instead of map().';
      expect(output.told).toEqual([`error flow: expected messages, got a value of type ${kind}: ${cure}`]);
      expect(values.observed).toBe(false);
    }
  });

  it('is what everything reads a flow by: none stumbles over values', async () => {
    const values = of(1, 2) as unknown as Flow<number>;
    const sink = (): Sink<number> => memorySink<number>(memoryBroker(), { topic: 'out' });
    const reading: Readonly<Record<string, Stage<number, unknown>>> = {
      each: each((n) => n),
      fanout: fanout([each((n: number) => n)]),
      route: route([{ name: 'all', when: () => true, to: sink() }]),
      deadLetter: deadLetter(sink()),
      deliver: deliver(sink()),
    };
    const failures: string[] = [];
    for (const stage of Object.values(reading))
      stage(values).subscribe({ error: (error: unknown) => failures.push(codeOf(error)) });
    valuesOf<number>()(values).subscribe({ error: (error: unknown) => failures.push(codeOf(error)) });
    const rejected = [run(values, sink()).done, toAsyncIterable(values)[Symbol.asyncIterator]().next()];
    for (const { reason } of (await Promise.allSettled(rejected)) as { reason?: unknown }[])
      failures.push(codeOf(reason));
    expect(failures).toEqual(Array(8).fill('CONFIG_INVALID'));
  });

  it('ends a branch that gives values, and tells it', () => {
    const told: unknown[] = [];
    onTestFinished(observe((event) => event.type === 'stage.failed' && told.push(codeOf(event.reason))));
    const { flow, log } = messages();
    const unwrapped = map((one: Message<number>) => one.payload) as unknown as Stage<number, number>;
    flow([1])
      .pipe(fanout([unwrapped]))
      .subscribe();
    flow([2])
      .pipe(route([{ name: 'all', when: () => true, to: unwrapped }]))
      .subscribe();
    expect([told, log]).toEqual([
      ['CONFIG_INVALID', 'CONFIG_INVALID'],
      ['1 requeue CONFIG_INVALID', '2 requeue CONFIG_INVALID'],
    ]);
  });

  it('gives none without one, and none where the chain is broken', () => {
    const start$ = new Subject<void>();
    const { flow, seen } = witness();
    const late = start$.pipe(mergeMap(() => flow));
    const broken = new Observable<Message<unknown>>((subscriber) =>
      late.subscribe((message) => subscriber.next(message)),
    );
    subscribeTo(late, nowhere);
    withScope(scope(), () => subscribeTo(broken, nowhere));
    start$.next();
    expect(seen).toEqual([undefined, undefined]);
  });
});
