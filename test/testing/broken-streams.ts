import { BehaviorSubject, Observable } from 'rxjs';
import { observe, type Flow } from 'sluice';
import {
  altered,
  moreCredit,
  posing,
  raise,
  source,
  twice,
  type Broken,
  type Bytes,
  type Source,
} from './broken-bench.js';

/** Mistakes in what is emitted and when: the stream and its credit. */
export const BROKEN_STREAMS: readonly Broken[] = [
  [
    'delivers the next message from inside a settlement',
    'SRC-02',
    /nesting of next/,
    { wrap: source((right) => (channel, options) => deliversInSettle(right(channel, options), 3)) },
  ],
  [
    'goes on after its end',
    'SRC-03',
    /signal after the end/,
    {
      wrap: source(
        (right, broker) => (channel, options) =>
          altered(right(channel, options), (message, emit) => {
            emit(message);
            // It has seen the end coming and passes its own message on later than that.
            broker.later(() => emit(message));
          }),
      ),
    },
  ],
  [
    'completes with its last message, before that is settled',
    'SRC-04',
    /while something is unsettled/,
    {
      finite: true,
      wrap: source((right) => (channel, options) => {
        let count = 0;
        return altered(right(channel, options), (message, emit, complete) => {
          emit(message);
          if ((count += 1) === 20) complete();
        });
      }),
    },
  ],
  [
    'throws when it is subscribed and cannot connect',
    'SRC-05',
    /unreachable/,
    {
      wrap: (bench) => {
        let refusing = false;
        const refuse = (): void => {
          refusing = true;
        };
        return {
          ...bench,
          net: { ...bench.net, refuse },
          source: (channel, options) => {
            const flow = bench.source(channel, options);
            if (refusing) void Object.assign(flow, { subscribe: () => raise('unreachable') });
            return flow;
          },
        };
      },
    },
  ],
  [
    'gives both of two subscribers everything although they compete',
    'SRC-06',
    /no more/,
    { wrap: source((right) => (channel, options) => altered(right(channel, options), twice)) },
  ],
  [
    'emits one more than its window',
    'CRD-01',
    /credit|exactly/,
    { wrap: source((right) => (channel, options) => right(channel, moreCredit(options))) },
  ],
  [
    'starts although its credit is 0',
    'CRD-02',
    /nothing is delivered/,
    {
      wrap: source((right) => (channel, options) => right(channel, { ...options, credit: 1 })),
    },
  ],
  [
    'deepens the stack with every ack inside next',
    'CRD-03',
    /stack/,
    { wrap: source((right) => (channel, options) => deliversInSettle(right(channel, options), 60)) },
  ],
  [
    'starves timers while it hands over',
    'CRD-03',
    /timer of 10 ms/,
    {
      clock: 'real',
      wrap: source((right) => (channel, options) => hoards(right(channel, { ...options, credit: 2_000 }), 1_000)),
    },
  ],
  ['returns a credit for each settlement', 'CRD-04', /exactly one more/, { wrap: source(leaksCredit) }],
  [
    'takes any credit',
    'CRD-05',
    /refused with the range/,
    {
      wrap: source((right) => (channel, options) => right(channel, { ...options, credit: 1 })),
    },
  ],
  [
    'is given more than its window',
    'CRD-10',
    /wait in the process|with a credit/,
    { wrap: source((right) => (channel, options) => right(channel, moreCredit(options))) },
  ],
  [
    'emits one more than its window',
    'CRD-06',
    /the second is not/,
    { wrap: source((right) => (channel, options) => right(channel, moreCredit(options))) },
  ],
  [
    'emits one more than its window',
    'CRD-07',
    /fast branch is not fed past it/,
    { wrap: source((right) => (channel, options) => right(channel, moreCredit(options))) },
  ],
];

/** Delivers the next message from inside the settlement of the one before it. */
function deliversInSettle(flow: Flow<Uint8Array>, prefetch: number): Flow<Uint8Array> {
  const waiting: Bytes[] = [];
  let started = false;
  let inHand = 0;
  return altered(flow, (arrived, emit) => {
    const deliver = (): void => {
      const message = waiting.shift();
      if (message === undefined) return;
      inHand += 1;
      const ack = (): boolean => {
        const took = message.ack();
        inHand -= 1;
        deliver();
        return took;
      };
      emit(posing(message, { ack }));
    };
    waiting.push(arrived);
    // Holds some back at first, as a prefetching client would, so that there is a next one to deliver.
    started ||= waiting.length >= prefetch;
    if (started && inHand === 0) deliver();
  });
}

/** Every late settlement makes the window one larger. */
function leaksCredit(right: Source): Source {
  return (channel, options) => {
    const credit = new BehaviorSubject(typeof options.credit === 'number' ? options.credit : 1);
    return new Observable((output) => {
      const stop = observe((event) => {
        if (event.type === 'message.late') credit.next(credit.value + 1);
      });
      output.add(stop);
      return right(channel, { ...options, credit }).subscribe(output);
    });
  };
}

/** Hands on everything it gets at once, without a turn for anybody else in between. */
function hoards(flow: Flow<Uint8Array>, count: number): Flow<Uint8Array> {
  const waiting: Bytes[] = [];
  return altered(flow, (arrived, emit) => {
    waiting.push(arrived);
    if (waiting.length === count) for (const message of waiting) emit(message);
  });
}
