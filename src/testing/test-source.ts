import { Observable, ReplaySubject, type Subscription } from 'rxjs';
import { currentClock } from '../clock.js';
import { attachable, subscribeTo } from '../connection/attach.js';
import { defineSource, SOURCE_RULES, type ReaderContext, type SourceOptions } from '../connection/define-source.js';
import type { Flow } from '../connection/flow.js';
import { callable, called, checkOptions, either, text } from '../connection/options.js';
import type { Envelope } from '../message/envelope.js';
import type { MessageHeaders } from '../message/headers.js';
import type { Message } from '../message/message.js';
import type { Outcome } from '../message/settlement.js';

/** Options of {@link testSource}. */
export interface TestSourceOptions<T> extends SourceOptions {
  /**
   * What comes in and when, for example `m.cold('ab|')`. Subscribed once, with the first subscription of the flow. Its
   * completion ends the source, its error cuts the connection. Default: only what is offered.
   */
  readonly values?: Observable<T>;
  /** Default `test`. */
  readonly topic?: string | ((value: T) => string);
  /** Default: none. */
  readonly key?: (value: T) => string | undefined;
  /** Default: none. */
  readonly headers?: (value: T) => MessageHeaders;
  /** What reports call it. Default `test source`. */
  readonly connector?: string;
}

/**
 * One value and where it stands.
 *
 * @see testSource
 */
export interface TestRecord<T> {
  readonly value: T;
  /** 0 for the first value that was offered. */
  readonly index: number;
  /** Deliveries so far. */
  readonly attempt: number;
  /** The message while it is delivered and unsettled. */
  readonly message: Message<T> | undefined;
}

/**
 * What happened to a value. `waiting`: offered, and there was no credit for it. `taken-back`: its source lost it.
 *
 * @see TestSource
 */
export interface TestSourceEvent<T> {
  readonly type: 'waiting' | 'delivered' | 'taken-back' | Outcome;
  readonly record: TestRecord<T>;
  /** On the monotonic scale of the clock. */
  readonly atMs: number;
  /** An ack's note, or why it was nacked. */
  readonly reason?: unknown;
}

/**
 * A source in the hands of a test. Its observables replay from the start, so it does not matter when they are subscribed.
 *
 * @see testSource
 */
export interface TestSource<T> {
  readonly flow: Flow<T>;
  /** Hands a value in, as the transport would. It waits in {@link queued} while there is no credit. */
  offer(value: T): void;
  /** Nothing more comes in. The flow completes once all was delivered and settled. */
  end(): void;
  /** Cuts the connection: what is unsettled comes again after the reconnect. */
  lose(error: unknown): void;
  /** Offered and not delivered, in order. */
  readonly queued: readonly T[];
  /** Delivered and not settled, in order of their index. */
  readonly unsettled: readonly TestRecord<T>[];
  readonly delivered$: Observable<T>;
  readonly acks$: Observable<T>;
  /** Refused or handed back, whatever becomes of it. */
  readonly nacks$: Observable<T>;
  /** The credit left, once per frame in which it changed and as it stands at its end. */
  readonly credit$: Observable<number>;
  readonly events$: Observable<TestSourceEvent<T>>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A source driven by a marble diagram or by `offer`, built on the same kit as the connectors: credit, turns, settlement
 * and draining are the real ones. What is requeued goes to the front and comes again.
 *
 * @example
 * import { delay } from 'rxjs';
 * import { configure } from 'rxjs-marbles';
 * import { useClock } from 'sluice';
 * import { testSchedulerClock, testSource } from 'sluice/testing';
 * import { it, onTestFinished } from 'vitest';
 * const { marbles } = configure({ run: true });
 * it('returns the credit', marbles((m) => {
 *   onTestFinished(useClock(testSchedulerClock(m.scheduler))); // not earlier: `m.expect` subscribes after this function
 *   const source = testSource({ values: m.cold('abc|'), credit: 2 });
 *   source.flow.pipe(delay(2)).subscribe((message) => message.ack());
 *   m.expect(source.delivered$).toBeObservable('abc');
 *   m.expect(source.acks$).toBeObservable('--abc');
 *   m.expect(source.credit$).toBeObservable('10-12', { 0: 0, 1: 1, 2: 2 });
 * }));
 * @throws SluiceError `CONFIG_INVALID` for an option that is unknown or out of range
 * @see flowTest
 */
export function testSource<T>(options: TestSourceOptions<T> = {}): TestSource<T> {
  checkOptions<TestSourceOptions<T>>('testSource', options, {
    ...SOURCE_RULES,
    values: called('an Observable', 'subscribe'),
    topic: either(text, callable),
    key: callable,
    headers: callable,
    connector: text,
  });
  const { values, topic = 'test', key, headers, connector = 'test source', ...sourceOptions } = options;
  const queue: Mutable<TestRecord<T>>[] = [];
  const held = new Set<Mutable<TestRecord<T>>>();
  const readers = new Set<ReaderContext<T>>();
  const events$ = new ReplaySubject<TestSourceEvent<T>>(Infinity);
  const credit$ = new ReplaySubject<number>(Infinity);
  let offered = 0;
  let ended = false;
  let lastCredit: number | undefined;
  let creditAsked = false;
  /** Of all subscriptions together: what comes in does not depend on who listens. */
  let input: Subscription | undefined;

  function tell(type: TestSourceEvent<T>['type'], record: TestRecord<T>, reason?: unknown): void {
    const atMs = (options.clock ?? currentClock()).elapsed();
    events$.next(reason === undefined ? { type, record, atMs } : { type, record, atMs, reason });
    readers.forEach(creditChanged);
  }

  function creditChanged(context: ReaderContext<T>): void {
    if (creditAsked) return;
    creditAsked = true;
    context.clock.yield(() => {
      creditAsked = false;
      if (context.free !== lastCredit) credit$.next((lastCredit = context.free));
    });
  }

  function deliver(context: ReaderContext<T>): void {
    const record = queue.shift() as Mutable<TestRecord<T>>;
    record.attempt += 1;
    held.add(record);
    tell('delivered', record);
    context.offer({
      payload: record.value,
      topic: typeof topic === 'string' ? topic : topic(record.value),
      key: key?.(record.value),
      headers: headers?.(record.value),
      id: String(record.index),
      attempt: record.attempt,
      position: record,
    });
  }

  function pump(): void {
    for (const context of readers) {
      while (queue.length > 0 && context.ready) deliver(context);
      if (queue.length > 0) context.wake();
      else if (ended) context.end();
    }
  }

  /** Back to where it came from: before everything that was offered after it. */
  function putBack(record: Mutable<TestRecord<T>>): void {
    held.delete(record);
    record.message = undefined;
    const at = queue.findIndex((other) => other.index > record.index);
    queue.splice(at === -1 ? queue.length : at, 0, record);
  }

  function offer(value: T): void {
    const record: Mutable<TestRecord<T>> = { value, index: offered, attempt: 0, message: undefined };
    offered += 1;
    queue.push(record);
    pump();
    if (queue.includes(record)) tell('waiting', record);
  }

  function end(): void {
    ended = true;
    pump();
  }

  function lose(error: unknown): void {
    // What errors may be subscribed again at once, as with `retry`.
    for (const context of [...readers]) context.lost(error);
  }

  const { credit } = sourceOptions;
  const source = defineSource<T>(
    {
      connector,
      credit: 16,
      open(context) {
        readers.add(context);
        creditChanged(context);
        input ??= values?.subscribe({ next: offer, error: lose, complete: end });
        return {
          resume: pump,
          peek() {
            if (queue.length === 0) pump();
          },
          settle(position, outcome, reason) {
            const record = position as Mutable<TestRecord<T>>;
            tell(outcome, record, reason);
            if (outcome === 'release') record.attempt -= 1;
            if (outcome === 'requeue' || outcome === 'release') {
              putBack(record);
              context.wake();
            } else {
              held.delete(record);
              record.message = undefined;
            }
          },
          stop: () => void readers.delete(context),
          close() {
            readers.delete(context);
            for (const record of [...held]) {
              tell('taken-back', record);
              putBack(record);
            }
            creditChanged(context);
          },
        };
      },
    },
    {
      ...sourceOptions,
      ...(typeof credit === 'object' ? { credit: watched(credit, () => readers.forEach(creditChanged)) } : {}),
    },
  );
  const flow = attachable<T>((output) => {
    const subscription = subscribeTo(source, {
      next(message) {
        (((message as Envelope<T>).facts as { position?: unknown }).position as Mutable<TestRecord<T>>).message =
          message;
        output.next(message);
      },
      error: (error: unknown) => output.error(error),
      complete: () => output.complete(),
    });
    return () => subscription.unsubscribe();
  });
  return {
    flow,
    offer,
    end,
    lose,
    get queued() {
      return queue.map((record) => record.value);
    },
    get unsettled() {
      return [...held].toSorted((a, b) => a.index - b.index);
    },
    events$,
    credit$,
    delivered$: valuesOf(events$, 'delivered'),
    acks$: valuesOf(events$, 'ack'),
    nacks$: valuesOf(events$, 'requeue', 'dead', 'drop', 'release'),
  };
}

function valuesOf<T>(events$: Observable<TestSourceEvent<T>>, ...types: TestSourceEvent<T>['type'][]): Observable<T> {
  return new Observable((subscriber) =>
    events$.subscribe((event) => {
      if (types.includes(event.type)) subscriber.next(event.record.value);
    }),
  );
}

function watched(credit: Observable<number>, changed: () => void): Observable<number> {
  return new Observable((subscriber) =>
    credit.subscribe({
      next(limit) {
        subscriber.next(limit);
        changed();
      },
      error: (error: unknown) => subscriber.error(error),
      complete: () => subscriber.complete(),
    }),
  );
}
