import { BehaviorSubject, Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { observe, type Flow, type Message, type Sink } from 'sluice';
import { conformance, runCase, type Bench, type BenchSourceOptions, type CaseId } from 'sluice/testing';
import { nowhere } from '../helpers/case-ids.js';
import { tinyHarness, type Defect, type TinyBroker, type TinyOptions } from './tiny-connector.js';

type Bytes = Message<Uint8Array>;
type BytesSink = Sink<Uint8Array>;
type Source = Bench['source'];

/** A bench whose source is made by `change` from the right one. */
const source =
  (change: (right: Source, broker: TinyBroker) => Source) =>
  (bench: Bench, broker: TinyBroker): Bench => ({ ...bench, source: change(bench.source, broker) });

/** A flow whose messages and end pass through `change`. */
function altered(
  flow: Flow<Uint8Array>,
  change: (message: Bytes, emit: (message: Bytes) => void, complete: () => void) => void,
): Flow<Uint8Array> {
  return new Observable((output) =>
    flow.subscribe({
      next: (message) =>
        change(
          message,
          (given) => output.next(given),
          () => output.complete(),
        ),
      error: (error: unknown) => output.error(error),
      complete: () => output.complete(),
    }),
  );
}

/** The message with some of its members replaced. */
function posing(message: Bytes, members: Partial<Record<keyof Bytes, unknown>>): Bytes {
  const replaced = Object.fromEntries(Object.entries(members).map(([name, value]) => [name, { value }]));
  return Object.create(message, replaced) as Bytes;
}

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

const moreCredit = (options: BenchSourceOptions): BenchSourceOptions =>
  typeof options.credit === 'number' ? { ...options, credit: options.credit + 1 } : options;

const inConnector: readonly (readonly [Defect, CaseId])[] = [
  ['opens before it is subscribed', 'SRC-01'],
  ['waits for ever after a pause', 'CRD-01'],
  ['hands out beyond its window', 'CRD-08'],
  ['forgets to subscribe again', 'CRD-09'],
  ['ignores bytes', 'CRD-11'],
  ['keeps what was acked', 'ACK-01'],
  ['swallows a nack', 'ACK-02'],
  ['drops a nack as if it were acked', 'ACK-02'],
  ['loses the attempt count', 'ACK-02'],
  ['drops what is unsettled on a lost connection', 'ACK-04'],
  ['acks early', 'ACK-05'],
  ['drops what is unsettled on close', 'ACK-05'],
  ['commits the newest position', 'ACK-12'],
  ['confirms before it has it', 'ACK-13'],
  ['drops the headers', 'DEL-02'],
  ['reverses its queue', 'DEL-03'],
  ['gives every group the same queue', 'DEL-04'],
  ['mixes channels', 'DEL-06'],
  ['gives up when the broker is absent', 'REC-01'],
  ['confirms before it has it', 'REC-03'],
  ['forgets to subscribe again', 'REC-04'],
  ['never notices a dead peer', 'REC-05'],
  ['forgets a message while it drains', 'SHU-01'],
  ['forgets a message while it drains', 'SHU-02'],
  ['acks early', 'SHU-08'],
  ['waits for ever after a pause', 'CRD-12'],
  ['tries again in a hot loop', 'REC-07'],
  ['leaves a reader behind', 'REC-08'],
  ['takes slowness for death', 'REC-09'],
  ['tries again after it was denied', 'REC-12'],
  ['forgets a message while it drains', 'SHU-03'],
  ['forgets a message while it drains', 'SHU-04'],
  ['leaves its connection open', 'SHU-05'],
  ['leaves its connection open', 'SHU-07'],
  ['confirms before it has it', 'SNK-01'],
  ['reverses its queue', 'SNK-04'],
  ['confirms before it has it', 'SNK-05'],
  ['confirms what nobody takes', 'SNK-06'],
  ['confirms what finds no room', 'SNK-07'],
  ['sends what is too large', 'SNK-08'],
  ['forgets what comes while nobody reads', 'DEL-10'],
  ['drops the headers', 'DEL-11'],
  ['forgets a message while it drains', 'REC-10'],
  ['keeps its first token', 'REC-11'],
  ['tries again after it was denied', 'ERR-01'],
  ['tells its password', 'ERR-01'],
  ['swallows a nack', 'ERR-02'],
  ['drops a nack as if it were acked', 'ERR-04'],
  ['tells its password', 'SEC-02'],
  ['leaves its connection open', 'RES-03'],
  ['confirms what finds no room', 'OBS-03'],
];

const outside: readonly (readonly [string, CaseId, RegExp, TinyOptions])[] = [
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
    'throws on a second settlement',
    'ACK-03',
    /settled twice/,
    {
      wrap: source(
        (right) => (channel, options) =>
          altered(right(channel, options), (message, emit) => {
            const ack = (): boolean => message.ack() || raise('settled twice');
            emit(posing(message, { ack }));
          }),
      ),
    },
  ],
  [
    'sends settlements of messages from before a reconnect',
    'ACK-04',
    /three come to the next|lost messages/,
    {
      wrap: source(
        (right, broker) => (channel, options) =>
          altered(right(channel, options), (message, emit) => {
            const ack = (): boolean => {
              const took = message.ack();
              if (!took) broker.forget(channel, message.payload);
              return took;
            };
            emit(posing(message, { ack }));
          }),
      ),
    },
  ],
  [
    'never aborts the signal of a message',
    'ACK-11',
    /taken back/,
    {
      wrap: source(
        (right) => (channel, options) =>
          altered(right(channel, options), (message, emit) =>
            emit(posing(message, { signal: new AbortController().signal })),
          ),
      ),
    },
  ],
  [
    'delivers what was never sent',
    'DEL-01',
    /nothing else|unexpected/,
    {
      wrap: source(
        (right) => (channel, options) =>
          altered(right(channel, options), (message, emit) => {
            emit(message);
            if (message.payload.at(-1) === 57) emit(message.with(new TextEncoder().encode('other.w.0')));
          }),
      ),
    },
  ],
  [
    'waits for confirmations for ever',
    'REC-06',
    /the stall is noticed/,
    {
      wrap: (bench) => ({
        ...bench,
        sink: (channel, options) => bench.sink?.(channel, { ...options, confirmTimeoutMs: 0 }) as never,
      }),
    },
  ],
  [
    'reads bytes as text',
    'ERR-03',
    /others are given up/,
    { wrap: source((right) => (channel, options) => altered(right(channel, options), asText)) },
  ],
  [
    'passes on more than it counts',
    'OBS-01',
    /emitted/,
    { wrap: source((right) => (channel, options) => altered(right(channel, options), twice)) },
  ],
  [
    'is given more than its window',
    'CRD-10',
    /wait in the process|with a credit/,
    { wrap: source((right) => (channel, options) => right(channel, moreCredit(options))) },
  ],
  [
    'fails what was in doubt',
    'SNK-02',
    /called failed and delivered/,
    { wrap: (bench) => ({ ...bench, sink: (channel, options) => hasty(bench.sink?.(channel, options) as BytesSink) }) },
  ],
  [
    'sends without a window',
    'SNK-03',
    /window is full/,
    {
      wrap: (bench) => ({
        ...bench,
        sink: (channel, options) => bench.sink?.(channel, { ...options, maxUnconfirmed: 1_000 }) as never,
      }),
    },
  ],
  [
    'closes before it has flushed',
    'SNK-09',
    /confirmed before it closed/,
    {
      wrap: (bench) => ({
        ...bench,
        sink: (channel, options) =>
          bench.sink?.(channel, { ...options, maxUnconfirmed: 1, closeTimeoutMs: 0 }) as never,
      }),
    },
  ],
  [
    'goes on emitting after an unsubscribe',
    'SHU-01',
    /signal after the end|next subscriber gets all/,
    {
      wrap: source(
        (right) => (channel, options) =>
          new Observable((output) => {
            // The teardown is forgotten.
            right(channel, options).subscribe((message) => output.next(message));
          }),
      ),
    },
  ],
];

/** Hands on everything it gets at once, without a turn for anybody else in between. */
function hoards(flow: Flow<Uint8Array>, count: number): Flow<Uint8Array> {
  const waiting: Bytes[] = [];
  return altered(flow, (arrived, emit) => {
    waiting.push(arrived);
    if (waiting.length === count) for (const message of waiting) emit(message);
  });
}

function asText(message: Bytes, emit: (message: Bytes) => void): void {
  emit(message.with(new TextEncoder().encode(new TextDecoder().decode(message.payload))));
}

function twice(message: Bytes, emit: (message: Bytes) => void): void {
  emit(message);
  emit(message);
}

/** Calls everything failed that was not confirmed when its connection broke. */
function hasty(right: BytesSink): BytesSink {
  const sent = new Set<Bytes>();
  right.status$?.subscribe((status) => {
    if (status === 'reconnecting') for (const message of sent) message.nack(new Error('the connection broke'), 'dead');
  });
  const next = (message: Bytes): void => {
    sent.add(message);
    right.next(message);
  };
  return Object.create(right, { next: { value: next } }) as BytesSink;
}

function raise(text: string): never {
  throw new Error(text);
}

describe('a broken connector', () => {
  it.each(inConnector)('that %s is caught by %s', async (defect, id) => {
    const result = await runCase(tinyHarness({ defects: [defect] }), id);
    expect(result.status).toBe('failed');
  });

  it.each(outside)('that %s is caught by %s', async (_defect, id, text, options) => {
    const result = await runCase(tinyHarness(options), id);
    expect(result).toMatchObject({ status: 'failed', error: { message: expect.stringMatching(text) } });
  });

  it('is told from the whole one by nothing but its defect, which passes all of these cases', () => {
    const ids = new Set([...inConnector.map(([, id]) => id), ...outside.map(([, id]) => id)]);
    expect(ids.size).toBeGreaterThanOrEqual(59);
    // Those that are registered for the whole one are run in connector-suite.test.ts.
    const whole = [tinyHarness(), tinyHarness({ finite: true })].flatMap((harness) => conformance(harness, nowhere));
    const run = new Set(whole.filter(({ status }) => status === 'registered').map(({ id }) => id));
    expect([...ids].filter((id) => !run.has(id))).toEqual([]);
  });
});
