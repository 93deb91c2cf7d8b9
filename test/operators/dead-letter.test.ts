import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  batch,
  batchPartial,
  deadLetter,
  decode,
  each,
  flow,
  headerText,
  json,
  memoryBroker,
  memorySink,
  memorySource,
  observe,
  payload,
  run,
  SluiceError,
  type Fault,
  type Flow,
  type Message,
  type Sink,
} from 'sluice';
import { defineSource } from 'sluice/connection';
import { fileSink } from 'sluice/file';
import { testSource, virtualClock } from 'sluice/testing';
import { type Scope, withScope } from '../../src/connection/scope.js';
import { collect } from '../helpers/collect.js';
import { runStage } from '../helpers/stage.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (raw: unknown): string => new TextDecoder().decode(raw as Uint8Array);

function sinkOf(answer: (message: Message<unknown>) => void): Sink<unknown> & { completed: number } {
  const sink = {
    completed: 0,
    next: answer,
    error: () => undefined,
    complete: () => void (sink.completed += 1),
  };
  return sink;
}

describe('deadLetter', () => {
  it('keeps what a later stage gives up, raw and with its reason, and acks the original after the sink (S3.84, ERR-03)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (const body of ['{"n":1}', '{"n":', '{"n":3}']) broker.publish({ topic: 'in', payload: bytes(body) });
    const letters: Message<unknown>[] = [];
    const source = memorySource<Uint8Array>(broker, { topic: 'in', clock });
    const seen = collect(
      source.pipe(deadLetter(sinkOf((letter) => void letters.push(letter))), decode(json<{ n: number }>())),
      (message) => message.ack(),
    );
    clock.advance(1);
    expect(seen.payloads).toEqual([{ n: 1 }, { n: 3 }]);
    expect(letters.map((letter) => text(letter.payload))).toEqual(['{"n":']);
    const [letter] = letters as [Message<unknown>];
    expect(headerText(letter.headers, 'x-dead-reason')).toContain('invalid JSON at byte 5');
    expect(headerText(letter.headers, 'x-dead-code')).toBe('DECODE_FAILED');
    expect(headerText(letter.headers, 'x-dead-stage')).toBe('decode(json)');
    expect(headerText(letter.headers, 'x-dead-topic')).toBe('in');
    expect(headerText(letter.headers, 'x-dead-position')).toContain('offset 1');
    expect(broker.peek.unsettled('in')).toBe(1);
    letter.ack();
    clock.advance(1);
    expect([broker.peek.unsettled('in'), broker.peek.depth('in')]).toEqual([0, 0]);
  });

  it('tells whoever observes, and the run it belongs to, what it keeps and what else its source says', async () => {
    const observed: string[] = [];
    onTestFinished(
      observe((event) => event.type === 'message.nacked' && observed.push(`${event.connector} ${event.then}`)),
    );
    const clock = virtualClock();
    const source = testSource<string>({ clock });
    const told: string[] = [];
    const scope: Scope = {
      addSource: () => undefined,
      event: (event) => void told.push(`${event.type} ${'connector' in event ? event.connector : ''}`.trim()),
    };
    const kept = deadLetter<string>(sinkOf((letter) => letter.ack()))(source.flow);
    withScope(scope, () =>
      kept.subscribe((message) => {
        message.nack('no', message.payload === 'dead' ? 'dead' : 'drop');
        message.ack();
      }),
    );
    for (const value of ['dead', 'drop']) source.offer(value);
    clock.advance(0);
    expect(observed).toEqual(['deadLetter dead', 'test source drop']);
    expect(told).toEqual([
      'message.nacked deadLetter',
      'message.late test source',
      'message.nacked test source',
      'message.late test source',
    ]);
  });

  it('takes the last allowed requeue for a dead one (ERR-02)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    broker.publish({ topic: 'in', payload: 1 });
    const letters: string[] = [];
    let tries = 0;
    collect(
      memorySource<number>(broker, { topic: 'in', maxAttempts: 3, clock }).pipe(
        deadLetter(
          sinkOf((letter) => {
            letters.push(
              `${headerText(letter.headers, 'x-dead-code')} ${headerText(letter.headers, 'x-dead-attempt')}`,
            );
            letter.ack();
          }),
        ),
        each(() => {
          tries += 1;
          throw new Error('always');
        }),
      ),
    );
    clock.advance(60_000);
    expect(tries).toBe(3);
    expect(letters).toEqual(['ATTEMPTS_EXHAUSTED 3']);
  });

  it('loses nothing while the sink refuses: the message comes again later, without counting an attempt (ERR-05)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    broker.publish({ topic: 'in', payload: 1 });
    const attempts: string[] = [];
    const dead = sinkOf((letter) => {
      attempts.push(headerText(letter.headers, 'x-dead-attempt') ?? '');
      if (attempts.length < 4) letter.nack(new SluiceError('SINK_FAILED', 'down'));
      else letter.ack();
    });
    collect(
      memorySource<number>(broker, { topic: 'in', maxAttempts: 2, clock }).pipe(
        deadLetter(dead, { retryMs: 100 }),
        payload(() => {
          throw new Error('poison');
        }),
      ),
    );
    clock.advance(99);
    expect(attempts).toEqual(['1']);
    clock.advance(1_000);
    expect(attempts).toEqual(['1', '1', '1', '1']);
    expect([broker.peek.unsettled('in'), broker.peek.depth('in')]).toEqual([0, 0]);
  });

  it('fails the flow when its sink has failed for good: what is given up would come again for ever (F9)', async () => {
    const broker = memoryBroker();
    broker.publish({ topic: 'in', payload: bytes('{') });
    // No file can be made under something that is none.
    const letters = fileSink({ path: '/dev/null/letters', record: () => 'x' });
    const source = memorySource<Uint8Array>(broker, { topic: 'in' });
    const running = run(source.pipe(deadLetter(letters), decode(json())), memorySink(broker, { topic: 'out' }));
    await expect(running.done).rejects.toMatchObject({ code: 'FILE_MISSING' });
    // Not acked: it is still there for who starts the flow with a sink that works.
    await vi.waitFor(() => expect([broker.peek.depth('in'), broker.peek.unsettled('in')]).toEqual([1, 0]));
  });

  it('passes ack, requeue and drop on as they are, and a sink that throws counts as one that refuses', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (const value of ['ack', 'requeue', 'drop', 'dead']) broker.publish({ topic: 'in', payload: value });
    let throws = 1;
    const dead = sinkOf((letter) => {
      throws -= 1;
      if (throws >= 0) throw new Error('no');
      letter.ack();
    });
    const seen = collect(
      memorySource<string>(broker, { topic: 'in', clock }).pipe(deadLetter(dead, { retryMs: 10 })),
      (message) => {
        const { payload: how } = message;
        if (how === 'ack' || message.attempt > 1) message.ack();
        else message.nack('x', how as 'requeue');
      },
    );
    clock.advance(1_000);
    expect(seen.messages.map(({ payload: how, attempt }) => `${how} ${attempt}`).sort()).toEqual([
      'ack 1',
      'dead 1',
      'dead 1',
      'drop 1',
      'requeue 1',
      'requeue 2',
    ]);
    expect([broker.peek.unsettled('in'), broker.peek.depth('in')]).toEqual([0, 0]);
  });

  it('keeps the records that the source itself could not read', () => {
    const clock = virtualClock();
    const letters: string[] = [];
    const settled: string[] = [];
    const source = defineSource<number>(
      {
        connector: 'rows',
        credit: 4,
        open(context) {
          let at = 0;
          return {
            resume() {
              while (context.ready && at < 3) {
                at += 1;
                const facts = { topic: 'rows', position: at, meta: { line: at } };
                if (at === 2) {
                  context.refuse({ ...facts, payload: 'raw' }, new SluiceError('DECODE_FAILED', 'ragged'));
                } else context.offer({ ...facts, payload: at });
              }
              if (at === 3) context.end();
            },
            settle: (position, outcome) => void settled.push(`${String(position)} ${outcome}`),
            close: () => undefined,
          };
        },
      },
      { clock },
    );
    const dead = sinkOf((letter) => {
      letters.push(`${String(letter.payload)} ${headerText(letter.headers, 'x-dead-position')}`);
      letter.ack();
    });
    const seen = collect(source.pipe(deadLetter(dead)), (message) => message.ack());
    clock.advance(1);
    expect(seen).toMatchObject({ payloads: [1, 3], completed: true });
    expect(letters).toEqual(['raw line 2']);
    expect(settled).toEqual(['1 ack', '2 ack', '3 ack']);
    expect(dead.completed).toBeGreaterThan(0);
  });

  it('keeps only the members of a batch that were given up, each with its own facts', () => {
    const letters: string[] = [];
    const dead = sinkOf((letter) => {
      const { headers, id, payload: all } = letter;
      letters.push(`${id} ${String(all)} ${headerText(headers, 'x-dead-code')} ${headerText(headers, 'x-dead-stage')}`);
      letter.ack();
    });
    const stage = (source: Flow<number>): Flow<number[]> =>
      flow(
        source,
        batch<number>({ size: 3, maxWaitMs: 10 }),
        deadLetter(dead),
        payload((all: number[]) => [...all]),
      );
    const run = runStage(stage, {
      values: [1, 2, 3],
      maxAttempts: 2,
      sink: (message) => message.nack(batchPartial(new Map([[1, new SluiceError('SINK_FAILED', 'two')]])), 'dead'),
    });
    expect(run.log).toEqual(['1 ack', '2 ack dead letter', '3 ack']);
    expect(letters).toEqual(['1 2 SINK_FAILED payload']);
  });

  it('gives up only those members of a requeued batch that had their last attempt', () => {
    const letters: unknown[] = [];
    const dead = sinkOf((letter) => {
      letters.push(letter.payload);
      letter.ack();
    });
    const stage = (source: Flow<number>): Flow<number[]> =>
      flow(source, batch<number>({ size: 2, maxWaitMs: 10 }), deadLetter(dead));
    let calls = 0;
    const run = runStage(stage, {
      values: [1],
      open: true,
      maxAttempts: 2,
      sink: (message) => void ((calls += 1) < 3 ? message.nack(new Error('no')) : message.ack()),
    });
    run.clock.advance(10);
    run.source.offer(2);
    run.clock.advance(100);
    expect(run.out).toEqual([[1], [1, 2], [2]]);
    expect([letters, run.log]).toEqual([[[1]], ['1 requeue no', '1 ack dead letter', '2 requeue no', '2 ack']]);
  });

  it('tells the running flow what was given up', async () => {
    const broker = memoryBroker();
    broker.publish({ topic: 'in', payload: 1 });
    const faults: Fault[] = [];
    const flow = memorySource<number>(broker, { topic: 'in' }).pipe(
      deadLetter(memorySink(broker, { topic: 'dead' })),
      payload(() => {
        throw new Error('poison');
      }),
    );
    const running = run(flow, memorySink(broker, { topic: 'out' }));
    running.faults$.subscribe((fault) => faults.push(fault));
    await expect.poll(() => faults.length).toBe(1);
    expect(faults).toMatchObject([
      { type: 'message.nacked', then: 'dead', message: { topic: 'in', stage: 'payload' } },
    ]);
    await running.stop();
  });
});
