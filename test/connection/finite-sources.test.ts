import { BehaviorSubject, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { fromAsyncIterable, fromReadableStream, messages, type Flow, type Message, type SourceOptions } from 'sluice';
import { csv } from 'sluice/csv';
import { fileSource } from 'sluice/file';
import { testSource, virtualClock } from 'sluice/testing';
import { defineSource } from '../../src/connection/define-source.js';
import { WebSocketConnection } from '../../src/links/websocket-connection.js';
import { framesIn } from '../../src/links/websocket-flow.js';
import { collect } from '../helpers/collect.js';
import { temporaryFolder } from '../helpers/folder.js';
import { until } from '../helpers/until.js';
import { fakeWire } from '../helpers/websocket.js';

type Finite = (options: SourceOptions) => Flow<unknown>;

const values = ['1', '2', '3'];

/** A reader at its far side that finds out about its end only when it looks for more. */
const lazy: Finite = (options) => {
  const queue = values.map((payload) => ({ payload, topic: 't', attempt: 1 }));
  return defineSource<string>(
    {
      connector: 'lazy',
      credit: 8,
      open: (context) => ({
        resume() {
          while (context.ready) {
            const next = queue.shift();
            if (next === undefined) context.end();
            else context.offer({ ...next, position: next });
          }
        },
        peek() {
          if (queue.length === 0) context.end();
        },
        settle(position, outcome) {
          if (outcome !== 'requeue') return;
          const { payload, topic, attempt } = position as (typeof queue)[number];
          queue.unshift({ payload, topic, attempt: attempt + 1 });
        },
        close: () => undefined,
      }),
    },
    options,
  );
};

const inTest: Finite = (options) => {
  const source = testSource<string>(options);
  for (const value of values) source.offer(value);
  source.end();
  return source.flow;
};

/** The connection of a client that sent all and closed before anybody subscribed, or soon after. */
function gone(closesFirst: boolean): Finite {
  return (options) => {
    const wire = fakeWire();
    const { clock = virtualClock() } = options;
    const limits = { maxBytes: 1_000, maxBufferedBytes: 1_000 };
    const settings = { clock, topic: 't', maxBufferedBytes: 1_000, keepAliveMs: 500, closed: () => undefined };
    const connection = new WebSocketConnection(wire, settings);
    if (closesFirst) wire.events.closed(1000, '');
    else {
      clock.timer(1, () => {
        for (const value of values) wire.events.data(value, value.length);
        wire.events.closed(1000, '');
      });
    }
    return framesIn({ connection, limits }, options);
  };
}

function stream(chunks: readonly string[]): ReadableStream<string> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

async function* generated(): AsyncGenerator<string> {
  yield* values;
}

const VIRTUAL: Readonly<Record<string, Finite>> = {
  'an array': (options) => fromAsyncIterable(values, options),
  'a generator': (options) => fromAsyncIterable(generated(), options),
  'a stream': (options) => fromReadableStream(stream(values), options),
  'an Observable': (options) => messages({ ...options, overflow: 'close' })(of(...values)),
  'a client of a WebSocket server': gone(false),
  'a test source': inTest,
  'a reader that looks': lazy,
};

const EMPTY: Readonly<Record<string, Finite>> = {
  'an array': (options) => fromAsyncIterable([], options),
  'a stream': (options) => fromReadableStream(stream([]), options),
  'an Observable': (options) => messages({ ...options, overflow: 'close' })(of()),
  'a client that is gone': gone(true),
};

/** A consumer of a source whose credit it can set to 0. */
function consumer(source: Finite, credit: BehaviorSubject<number>, settle?: (message: Message<unknown>) => void) {
  const clock = virtualClock();
  const seen = collect(source({ credit, clock, maxAttempts: 3 }), settle);
  return { clock, seen };
}

describe('a finite source (SRC-04)', () => {
  it.each(Object.entries(VIRTUAL))('completes while its credit is 0: %s', async (_name, source) => {
    const credit = new BehaviorSubject(8);
    const { clock, seen } = consumer(source, credit);
    await clock.run(10);
    expect(seen.payloads).toEqual(values);
    credit.next(0);
    await clock.run(10);
    expect(seen.completed).toBe(false);
    for (const message of seen.messages) message.ack();
    await clock.run(10);
    expect(seen).toMatchObject({ completed: true, errors: [] });
  });

  it.each(Object.entries(EMPTY))('completes with a credit of 0 when there is nothing: %s', async (_name, source) => {
    const { clock, seen } = consumer(source, new BehaviorSubject(0));
    await clock.run(10);
    expect(seen).toMatchObject({ payloads: [], completed: true, errors: [] });
  });

  it.each(Object.entries(VIRTUAL))('stays open while its credit is 0 and there is more: %s', async (_name, source) => {
    const credit = new BehaviorSubject(1);
    const { clock, seen } = consumer(source, credit, (message) => {
      credit.next(0);
      message.ack();
    });
    await clock.run(10);
    for (const soFar of [1, 2]) {
      expect(seen).toMatchObject({ payloads: values.slice(0, soFar), completed: false });
      credit.next(1);
      await clock.run(10);
    }
    expect(seen).toMatchObject({ payloads: values, completed: true, errors: [] });
  });

  it.each(Object.entries(VIRTUAL))('completes however the last one was settled: %s', async (_name, source) => {
    for (const then of ['requeue', 'dead', 'drop'] as const) {
      const { clock, seen } = consumer(source, new BehaviorSubject(8), (message) => void message.nack('no', then));
      await clock.run(10);
      expect(seen, then).toMatchObject({ completed: true, errors: [] });
    }
  });
});

const FILES: readonly [string, string, (path: string, options: SourceOptions) => Flow<unknown>][] = [
  ['lines', '', (path, options) => fileSource({ ...options, path })],
  ['bytes', '', (path, options) => fileSource({ ...options, path, format: 'bytes' })],
  ['csv', 'a\n', (path, options) => fileSource({ ...options, path, format: csv({ columns: { a: 'string' } }) })],
];

describe.each(FILES)('a file read as %s (SRC-04)', (_name, empty, source) => {
  it('completes while its credit is 0', async () => {
    await using folder = await temporaryFolder();
    const path = await folder.write('a', 'a\nb\nc\n');
    const credit = new BehaviorSubject(8);
    const seen = collect(source(path, { credit }));
    await until(() => expect(seen.payloads.length).toBeGreaterThan(0));
    credit.next(0);
    for (const message of seen.messages) message.ack();
    await until(() => expect(seen).toMatchObject({ completed: true, errors: [] }));
  });

  it('completes with a credit of 0 when there is nothing', async () => {
    await using folder = await temporaryFolder();
    const path = await folder.write('a', empty);
    const seen = collect(source(path, { credit: new BehaviorSubject(0) }));
    await until(() => expect(seen).toMatchObject({ completed: true, errors: [] }));
  });
});

describe('a source that had reached its end', () => {
  it('comes back after a lost link, and does not complete before', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 4 });
    const seen = collect(source.flow);
    for (const value of values) source.offer(value);
    source.end();
    clock.advance(0);
    seen.messages[0]?.ack();
    source.lose(new Error('cut'));
    clock.advance(0);
    expect([seen.completed, source.queued]).toEqual([false, ['2', '3']]);
    clock.advance(60_000);
    for (const message of seen.messages.slice(3)) message.ack();
    clock.advance(0);
    expect([seen.payloads, seen.completed, source.queued]).toEqual([['1', '2', '3', '2', '3'], true, []]);
  });
});
