import { Observable } from 'rxjs';
import type { Bench } from 'sluice/testing';
import {
  altered,
  ignores,
  posing,
  raise,
  sink,
  source,
  tooEarly,
  twice,
  type Broken,
  type Bytes,
  type BytesSink,
} from './broken-bench.js';
import type { TinyOptions } from './tiny-connector.js';

/** What copies exactly once, at a size that a broken one shows at. */
const COPIES = { features: { exactlyOnce: true }, maxMessages: 500 } satisfies TinyOptions;

/** Mistakes in what becomes of a message: settled, delivered, sent, handed back. */
export const BROKEN_DELIVERIES: readonly Broken[] = [
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
  ['fails what was in doubt', 'SNK-02', /called failed and delivered/, { wrap: sink(hasty) }],
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
  [
    'loses messages of its own accord',
    'ACK-08',
    /all are settled/,
    { wrap: source((right) => (channel, options) => altered(right(channel, options), picky)) },
  ],
  ['gives nothing up', 'ACK-09', /1 acked, 1 dead/, { wrap: source(ignores('maxAttempts')) }],
  [
    'sends nothing twice of what has the same id',
    'ACK-09',
    /both are settled/,
    {
      wrap(bench) {
        const sent = new Set<string>();
        return sink((right) => once(right, sent))(bench);
      },
    },
  ],
  [
    'gives both of many subscribers everything although they compete',
    'DEL-05',
    /nothing else is/,
    { wrap: source((right) => (channel, options) => altered(right(channel, options), twice)) },
  ],
  ['begins where the others stopped', 'DEL-07', /one has all/, { wrap: source(ignores('replay')) }],
  [
    'copies in two steps',
    'DEL-08',
    /nothing comes twice/,
    { ...COPIES, wrap: (bench) => ({ ...bench, copy: (from, to) => inTwoSteps(bench, from, to) }) },
  ],
  [
    'brings again what it delivered',
    'DEL-09',
    /not delivered again/,
    { features: { ack: 'auto' }, defects: ['keeps what was acked'] },
  ],
  [
    'acks before it hands out',
    'SHU-06',
    /waited until the deadline/,
    { wrap: source((right) => (channel, options) => altered(right(channel, options), tooEarly)) },
  ],
];

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

/** Passes on what it likes and leaves the rest as it is, as RxJS's filter does. */
function picky(message: Bytes, emit: (message: Bytes) => void): void {
  if (message.payload.at(-1) !== 49) emit(message);
}

/** Lets the first message with an id pass, and forgets that the others wait for their settlement. */
function once(right: BytesSink, sent: Set<string>): BytesSink {
  const next = (message: Bytes): void => {
    if (!sent.has(message.id)) right.next(message);
    sent.add(message.id);
  };
  return Object.create(right, { next: { value: next } }) as BytesSink;
}

/** Publishes first and strikes off a while later, with room for a kill in between. */
function inTwoSteps({ source: read, sink: write }: Bench, from: string, to: string): { stop(): void } {
  const out = write?.(to, {}) as BytesSink;
  const subscription = read(from, {}).subscribe((message) => out.next(message));
  return { stop: () => subscription.unsubscribe() };
}
