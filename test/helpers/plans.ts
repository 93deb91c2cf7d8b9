import fc from 'fast-check';
import { distinctUntilChanged, Observable, of, switchMap } from 'rxjs';
import {
  backoff,
  batch,
  busy,
  deadLetter,
  dedupe,
  deliver,
  each,
  fanout,
  latest,
  lossy,
  payload,
  route,
  tapMessage,
  through,
  unbatch,
  where,
  type BranchOverflow,
  type Flow,
  type Message,
  type Rule,
  type Sink,
  type Stage,
} from 'sluice';
import type { VirtualClock } from 'sluice/testing';

/** A stage that works per message, as data, so that a failing pipeline is printed as what it is made of. */
export type Leaf =
  | { readonly is: 'payload' | 'where' | 'tap'; readonly every: number; readonly throws: boolean }
  | {
      readonly is: 'each' | 'through';
      readonly gives: 'value' | 'nothing' | 'promise' | 'none' | 'one' | 'three' | 'error';
      readonly every: number;
      readonly delayMs: number;
      readonly concurrency: number;
      readonly lanes: boolean;
      readonly tries: number;
      readonly timeoutMs: number | undefined;
      readonly onError: 'requeue' | 'dead' | 'drop';
    }
  | {
      readonly is: 'batch';
      readonly size: number;
      readonly maxWaitMs: number;
      /** A stage that handles the batches. */
      readonly between: 'nothing' | 'dedupe' | 'deadLetter' | 'through' | 'fanout' | 'branch' | 'lanes';
      readonly unbatch: boolean;
    }
  | { readonly is: 'latest' | 'busy'; readonly every: number; readonly delayMs: number }
  | { readonly is: 'lossy'; readonly delayMs: number | 'sync' }
  | { readonly is: 'dedupe'; readonly modulo: number }
  /** With a sink that takes so long, and refuses some. */
  | { readonly is: 'deliver' | 'deadLetter'; readonly delayMs: number; readonly refuses: number };

/** A stage that has stages in it. */
export type Plan =
  | Leaf
  | {
      readonly is: 'route';
      readonly match: 'first' | 'all';
      readonly otherwise: 'dead' | 'drop';
      readonly rules: readonly {
        readonly every: number;
        readonly budget: number | undefined;
        readonly overflow: BranchOverflow;
        readonly to: readonly Leaf[];
      }[];
    }
  | { readonly is: 'fanout'; readonly settle: 'all' | 'any'; readonly branches: readonly (readonly Leaf[])[] };

const every = fc.integer({ min: 2, max: 7 });
const delayMs = fc.constantFrom(0, 0, 1, 5);
const leaf: fc.Arbitrary<Leaf> = fc.oneof(
  fc.record({ is: fc.constantFrom('payload', 'where', 'tap'), every, throws: fc.boolean() }),
  {
    weight: 4,
    arbitrary: fc.record({
      is: fc.constantFrom('each', 'through'),
      gives: fc.constantFrom('value', 'nothing', 'promise', 'none', 'one', 'three', 'error'),
      every,
      delayMs,
      concurrency: fc.integer({ min: 1, max: 4 }),
      lanes: fc.boolean(),
      tries: fc.integer({ min: 1, max: 3 }),
      timeoutMs: fc.constantFrom(undefined, undefined, 3),
      onError: fc.constantFrom('requeue', 'dead', 'drop'),
    }),
  },
  fc.record({
    is: fc.constant('batch'),
    size: fc.integer({ min: 1, max: 5 }),
    maxWaitMs: fc.constantFrom(0, 3, 20),
    between: fc.constantFrom('nothing', 'nothing', 'dedupe', 'deadLetter', 'through', 'fanout', 'branch', 'lanes'),
    unbatch: fc.boolean(),
  }),
  fc.record({ is: fc.constantFrom('latest', 'busy'), every, delayMs }),
  fc.record({ is: fc.constant('lossy'), delayMs: fc.constantFrom<number | 'sync'>('sync', 0, 2) }),
  fc.record({ is: fc.constant('dedupe'), modulo: fc.integer({ min: 2, max: 50 }) }),
  fc.record({ is: fc.constantFrom('deliver', 'deadLetter'), delayMs, refuses: fc.constantFrom(0, 0.3) }),
);
const leaves = fc.array(leaf, { minLength: 1, maxLength: 3 });

/** Any stage. */
export const anyPlan: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 6, arbitrary: leaf },
  fc.record({
    is: fc.constant('route'),
    match: fc.constantFrom('first', 'all'),
    otherwise: fc.constantFrom('dead', 'drop'),
    rules: fc.array(
      fc.record({
        every,
        budget: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
        overflow: fc.constantFrom('wait', 'wait', 'drop-oldest', 'drop-newest', 'conflate', 'fail'),
        to: leaves,
      }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
  fc.record({
    is: fc.constant('fanout'),
    settle: fc.constantFrom('all', 'any'),
    branches: fc.array(leaves, { minLength: 1, maxLength: 3 }),
  }),
);

/** Hits some payloads and not others, whatever was done to them before. */
export const hits = (value: number, every: number): boolean => value % every === 1;

function later<T>(clock: VirtualClock, delayMs: number, values: readonly T[]): Observable<T> {
  if (delayMs === 0) return of(...values);
  return new Observable((output) => {
    const cancel = clock.timer(delayMs, () => {
      for (const value of values) output.next(value);
      output.complete();
    });
    return cancel;
  });
}

/** The stage of a plan, for a source with this credit. */
export function stageOf(plan: Plan, clock: VirtualClock, credit: number): Stage<number, number> {
  switch (plan.is) {
    case 'payload':
    case 'where':
    case 'tap':
      return plain(plan);
    case 'each':
    case 'through':
      return working(plan, clock, credit);
    case 'batch': {
      const batched = batch<number>({ size: Math.min(plan.size, credit), maxWaitMs: plan.maxWaitMs });
      const handled = handling(plan.between, clock);
      const after: Stage<number[], number> = plan.unbatch ? unbatch() : payload((values: number[]) => values.length);
      return (source) => after(handled(batched(source)));
    }
    case 'latest':
    case 'busy': {
      const work = (value: number): number | Observable<number> =>
        hits(value, plan.every) ? later(clock, plan.delayMs, [value]) : value;
      // Given up, not delivered again: two parts of one message that meet here would send each other back for ever.
      return plan.is === 'latest' ? latest(work) : busy(work);
    }
    case 'lossy': {
      if (plan.delayMs === 'sync')
        return lossy(
          distinctUntilChanged((a, b) => a.payload === b.payload),
          'sync',
        );
      const { delayMs } = plan;
      return lossy(switchMap((message: Message<number>) => later(clock, delayMs, [message])));
    }
    case 'dedupe':
      return dedupe({ by: (message) => String(message.payload % plan.modulo), maxKeys: 8 });
    case 'deliver':
      return deliver(refusing(clock, plan));
    case 'deadLetter':
      return deadLetter(refusing(clock, plan), { retryMs: 5 });
    case 'route':
      return route(
        plan.rules.map(({ every, budget, overflow, to }, at): Rule<number, number> => ({
          name: `rule${at}`,
          when: ({ payload: value }) => (at === 0 ? value > every : hits(value, every)),
          to: chain(to, clock, credit),
          ...(budget === undefined ? {} : { budget, overflow }),
        })),
        { match: plan.match, otherwise: plan.otherwise },
      );
    case 'fanout':
      return fanout(
        plan.branches.map((branch) => chain(branch, clock, credit)),
        { settle: plan.settle },
      );
  }
}

/** A stage for batches, as most of them that can stand between `batch` and `unbatch` are. */
function handling(between: Extract<Leaf, { is: 'batch' }>['between'], clock: VirtualClock): Stage<number[], number[]> {
  switch (between) {
    case 'nothing':
      return (source) => source;
    case 'dedupe':
      return dedupe({ by: ({ payload: values }) => values.join(), maxKeys: 4 });
    case 'deadLetter':
      return deadLetter(refusing(clock, { delayMs: 1, refuses: 0.3 }), { retryMs: 5 });
    case 'through':
      return through((values$) => values$);
    case 'fanout':
      return fanout([(source: Flow<number[]>) => source, where(() => false)]);
    case 'branch':
      return route([{ name: 'all', when: () => true, to: (source: Flow<number[]>) => source, budget: 1 }]);
    case 'lanes':
      return each((values: number[]) => (values.length > 1 ? later(clock, 2, [values]) : values), {
        lane: ({ payload: values }) => String(values[0]! % 2),
      });
  }
}

/** A sink that refuses some. By chance, as in turn it could be the same one for ever. */
function refusing<T>(clock: VirtualClock, plan: { readonly delayMs: number; readonly refuses: number }): Sink<T> {
  return {
    next(message) {
      const isRefused = clock.random() < plan.refuses;
      const answer = (): void => void (isRefused ? message.nack(new Error('refused')) : message.ack());
      if (plan.delayMs === 0) answer();
      else clock.timer(plan.delayMs, answer);
    },
    error: () => undefined,
    complete: () => undefined,
  };
}

function chain(plans: readonly Plan[], clock: VirtualClock, credit: number): Stage<number, number> {
  return (source) => plans.reduce((upstream, plan) => stageOf(plan, clock, credit)(upstream), source);
}

function plain(plan: Extract<Leaf, { throws: boolean }>): Stage<number, number> {
  const work = (value: number): boolean => {
    if (plan.throws && hits(value, plan.every)) throw new Error('broken');
    return !hits(value, plan.every);
  };
  if (plan.is === 'where') return where(work);
  if (plan.is === 'tap') return tapMessage((message: Message<number>) => void work(message.payload));
  return payload((value: number) => (work(value) ? value + 1 : value));
}

function working(
  plan: Extract<Leaf, { is: 'each' | 'through' }>,
  clock: VirtualClock,
  credit: number,
): Stage<number, number> {
  const { gives } = plan;
  const work = (value: number): unknown => {
    if (!hits(value, plan.every)) return value;
    if (gives === 'nothing') return undefined;
    if (gives === 'promise') return new Promise((resolve) => void clock.timer(plan.delayMs, () => resolve(value)));
    if (gives === 'none') return later(clock, plan.delayMs, []);
    if (gives === 'one') return later(clock, plan.delayMs, [value]);
    if (gives === 'three') return later(clock, plan.delayMs, [value, value + 1, value + 2]);
    if (gives === 'error') throw new Error('failed');
    return value;
  };
  const options = {
    concurrency: Math.min(plan.concurrency, credit),
    onError: plan.onError,
    ...(plan.lanes ? { lane: (message: Message<number>) => String(message.payload % 3) } : {}),
    ...(plan.tries > 1 ? { retry: backoff({ tries: plan.tries, initialMs: 2, minMs: 0 }) } : {}),
    ...(plan.timeoutMs === undefined ? {} : { timeoutMs: plan.timeoutMs }),
  };
  if (plan.is === 'each') return each((value: number) => work(value) as number, options);
  return through(
    switchMap((value: number) => {
      const result = work(value);
      if (result instanceof Observable || result instanceof Promise) return result as Observable<number>;
      return result === undefined ? of() : of(result as number);
    }),
    options,
  );
}
