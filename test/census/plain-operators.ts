import {
  asyncScheduler,
  auditTime,
  bufferCount,
  bufferTime,
  catchError,
  combineLatest,
  concatMap,
  count,
  debounceTime,
  delay,
  distinctUntilChanged,
  EMPTY,
  exhaustMap,
  filter,
  finalize,
  first,
  groupBy,
  ignoreElements,
  interval,
  last,
  map,
  merge,
  mergeAll,
  mergeMap,
  NEVER,
  observeOn,
  of,
  pairwise,
  race,
  reduce,
  retry,
  sampleTime,
  scan,
  share,
  skip,
  startWith,
  subscribeOn,
  switchMap,
  take,
  takeUntil,
  takeWhile,
  tap,
  throttleTime,
  timeout,
  timer,
  toArray,
  withLatestFrom,
  zip,
  type Observable,
} from 'rxjs';
import type { Flow, Message } from 'sluice';

/** What becomes of the messages of a flow under a plain operator, worst last. */
export type CensusClass = 'safe' | 'degrades' | 'stalls' | 'settles twice';

/** One plain operator, used in one way. */
export interface CensusRow {
  readonly name: string;
  readonly apply: (flow: Flow<number>) => Observable<unknown>;
  readonly expected: CensusClass;
  readonly why: string;
  /** Empty: the operator may stay. */
  readonly instead: string;
}

type Apply = CensusRow['apply'];

function rows(expected: CensusClass): (name: string, apply: Apply, why: string, instead?: string) => CensusRow {
  return (name, apply, why, instead = '') => ({ name, apply, expected, why, instead });
}

const safe = rows('safe');
const degrades = rows('degrades');
const stalls = rows('stalls');
const twice = rows('settles twice');

const ONCE = 'each message comes out once';
const HELD = 'each comes out once; holds at most the credit';
const BACK = 'the flow ends; what is unsettled goes back to its source';
const GIVEN_UP = 'nobody settles what is left out';
const REPLACED = 'nobody settles what is replaced; a window of one stays';
const WAITS = 'waits for an end that the used up window keeps away';

const later = (message: Message<number>): Observable<Message<number>> => of(message).pipe(delay(5));
const adding = (sum: Message<number>, message: Message<number>): Message<number> =>
  message.with(sum.payload + message.payload);
const isEven = (message: Message<number>): boolean => message.payload % 2 === 0;

/** Fails once, on the seventh message. */
function failingOnce(flow: Flow<number>): Flow<number> {
  let failed = false;
  return flow.pipe(
    map((message) => {
      if (failed || message.payload !== 7) return message;
      failed = true;
      throw new Error('no');
    }),
  );
}

/** The plain operators of RxJS 7.8 on a flow with a credit of 4, and what to use instead of those that leak. */
export const PLAIN_OPERATORS: readonly CensusRow[] = [
  safe('`map(m => m.with(…))`', (flow) => flow.pipe(map((m) => m.with(m.payload + 1))), ONCE),
  safe('`tap`', (flow) => flow.pipe(tap(() => undefined)), ONCE),
  safe('`finalize`', (flow) => flow.pipe(finalize(() => undefined)), ONCE),
  safe('`startWith`', (flow) => flow.pipe(startWith('first')), ONCE),
  safe('`scan` to `m.with(…)`', (flow) => flow.pipe(scan(adding)), ONCE),
  safe('`withLatestFrom` a setting', (flow) => flow.pipe(withLatestFrom(of('setting'))), ONCE),
  safe('`delay`', (flow) => flow.pipe(delay(5)), HELD),
  safe('`observeOn`', (flow) => flow.pipe(observeOn(asyncScheduler)), HELD),
  safe('`subscribeOn`', (flow) => flow.pipe(subscribeOn(asyncScheduler)), ONCE),
  safe('`zip` with a timer', (flow) => zip(flow, interval(5)), HELD),
  safe('`concatMap`, one result', (flow) => flow.pipe(concatMap(later)), HELD),
  safe('`mergeMap`, one result', (flow) => flow.pipe(mergeMap(later)), HELD),
  safe('`mergeMap`, one result, 2 at a time', (flow) => flow.pipe(mergeMap(later, 2)), HELD),
  safe(
    '`merge` of flows',
    (flow) => merge(flow, flow),
    'each flow has its own credit; where payloads differ, name both: `const all: Flow<A \\| B> = merge(a, b)`',
  ),
  safe('`race`, won', (flow) => race(flow, NEVER), ONCE),
  safe('`timeout`, not hit', (flow) => flow.pipe(timeout({ first: 50 })), ONCE),
  safe('`groupBy`, all groups read', (flow) => flow.pipe(groupBy(isEven), mergeAll()), ONCE),
  safe('`bufferCount`, up to the credit', (flow) => flow.pipe(bufferCount(4)), 'if every member is settled', '`batch`'),
  safe('`bufferTime`', (flow) => flow.pipe(bufferTime(5)), 'if every member is settled', '`batch`'),
  safe('`take`', (flow) => flow.pipe(take(6)), BACK),
  safe('`first`', (flow) => flow.pipe(first()), BACK),
  safe('`takeWhile`', (flow) => flow.pipe(takeWhile((m) => m.payload < 6)), BACK),
  safe('`takeUntil`', (flow) => flow.pipe(delay(5), takeUntil(timer(12))), BACK),
  safe(
    '`retry`',
    (flow) => failingOnce(flow).pipe(retry(1)),
    'what is unsettled is delivered again',
    '`each({ retry })`',
  ),
  safe('`catchError`', (flow) => failingOnce(flow).pipe(catchError(() => EMPTY)), BACK, '`each({ onError })`'),

  degrades('`debounceTime`', (flow) => flow.pipe(debounceTime(5)), REPLACED, '`lossy(debounceTime(ms))`'),
  degrades('`auditTime`', (flow) => flow.pipe(auditTime(5)), REPLACED, '`lossy(auditTime(ms))`'),
  degrades('`sampleTime`', (flow) => flow.pipe(sampleTime(5)), REPLACED, '`lossy(sampleTime(ms))`'),
  degrades('`switchMap`', (flow) => flow.pipe(switchMap(later)), REPLACED, '`latest`'),
  degrades('`exhaustMap`', (flow) => flow.pipe(exhaustMap(later)), 'nobody settles what is refused', '`busy`'),
  degrades('`skip`, fewer than the credit', (flow) => flow.pipe(skip(3)), GIVEN_UP, '`where`'),

  stalls('`filter`', (flow) => flow.pipe(filter(isEven)), GIVEN_UP, '`where`'),
  stalls(
    '`distinctUntilChanged`',
    (flow) => flow.pipe(distinctUntilChanged((a, b) => a.payload >> 1 === b.payload >> 1)),
    GIVEN_UP,
    '`dedupe`',
  ),
  stalls('`skip`, the credit or more', (flow) => flow.pipe(skip(4)), GIVEN_UP, '`where`'),
  stalls('`throttleTime`', (flow) => flow.pipe(throttleTime(5)), GIVEN_UP, "`lossy(throttleTime(ms), 'sync')`"),
  stalls('`concatMap`, no result', (flow) => flow.pipe(concatMap(() => EMPTY)), GIVEN_UP, '`each`'),
  stalls('`ignoreElements`', (flow) => flow.pipe(ignoreElements()), GIVEN_UP, '`run`'),
  stalls('`bufferCount`, above the credit', (flow) => flow.pipe(bufferCount(5)), 'waits for what it blocks', '`batch`'),
  stalls('`toArray`', (flow) => flow.pipe(toArray()), WAITS, '`batch`'),
  stalls('`reduce`', (flow) => flow.pipe(reduce((_, m) => m)), WAITS, '`values`, then fold'),
  stalls('`last`', (flow) => flow.pipe(last()), WAITS, '`values`, then fold'),
  stalls('`count`', (flow) => flow.pipe(count()), WAITS, '`values`, then fold'),
  stalls(
    '`groupBy`, a group unread',
    (flow) =>
      flow.pipe(
        groupBy(isEven),
        filter((group) => group.key),
        mergeAll(),
      ),
    'nobody settles what the group holds',
    '`each({ lane })`',
  ),
  stalls(
    '`filter` twice, `partition`',
    (flow) => merge(flow.pipe(filter((m) => m.payload % 4 < 2)), flow.pipe(filter((m) => m.payload % 4 > 1))),
    'two consumers share the messages, and each leaves half of its own',
    '`route`',
  ),

  twice(
    '`mergeMap`, the message twice',
    (flow) => flow.pipe(mergeMap((m) => of(m, m))),
    'one settlement for two',
    '`each`',
  ),
  twice('`pairwise`', (flow) => flow.pipe(pairwise()), 'each is in two pairs', '`values`, then fold'),
  // It leaves messages as well; the worse of the two names its class.
  twice(
    '`combineLatest`',
    (flow) => combineLatest([flow, interval(5)]),
    'repeats one message, leaves others',
    '`values`, then fold',
  ),
  twice(
    '`share`, two consumers',
    (flow) => {
      const shared = flow.pipe(share());
      return merge(shared, shared);
    },
    'the first one to settle decides for both',
    '`fanout`',
  ),
];
