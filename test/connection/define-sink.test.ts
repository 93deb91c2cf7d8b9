import { describe, expect, it, onTestFinished } from 'vitest';
import {
  backoff,
  memoryBroker,
  memorySource,
  observe,
  SluiceError,
  type Message,
  type Sink,
  type SluiceEvent,
} from 'sluice';
import { defineLink, defineSink, type Sending, type SinkOptions, type WriterContext } from 'sluice/connection';
import { testSource, virtualClock, type VirtualClock } from 'sluice/testing';
import type { SinkHandle } from '../../src/connection/scope.js';
import { isOpen } from '../../src/message/envelope.js';

interface Rig {
  readonly clock: VirtualClock;
  readonly sink: Sink<number>;
  readonly sent: Sending<number>[];
  readonly counts: { opened: number; closed: number; flushed: number };
  readonly context: () => WriterContext;
  answer: (sending: Sending<number>) => boolean | void;
  failOpen: Error | undefined;
}

function rig(options: SinkOptions = {}): Rig {
  const clock = virtualClock();
  const sent: Sending<number>[] = [];
  const counts = { opened: 0, closed: 0, flushed: 0 };
  let context: WriterContext | undefined;
  const made: Rig = {
    clock,
    sent,
    counts,
    context: () => context as WriterContext,
    answer: () => undefined,
    failOpen: undefined,
    sink: defineSink<number>(
      {
        connector: 'rig',
        maxUnconfirmed: 3,
        open(given) {
          counts.opened += 1;
          if (made.failOpen !== undefined) throw made.failOpen;
          context = given;
          return {
            send(sending) {
              sent.push(sending);
              return made.answer(sending);
            },
            flush: () => void (counts.flushed += 1),
            close: () => void (counts.closed += 1),
          };
        },
      },
      { clock, ...options },
    ),
  };
  return made;
}

/** Messages whose settlements are seen: from a memory topic that gives them all at once. */
function messages(clock: VirtualClock, count: number): { taken: Message<number>[]; log: string[] } {
  const broker = memoryBroker({ clock });
  for (let at = 0; at < count; at += 1) broker.publish({ topic: 'in', payload: at });
  const taken: Message<number>[] = [];
  const log: string[] = [];
  memorySource<number>(broker, { topic: 'in', credit: count, maxAttempts: 1, clock }).subscribe((message) => {
    taken.push(message);
    const { ack, nack } = message;
    Object.assign(message, {
      ack: () => (log.push(`${message.payload} ack`), ack.call(message)),
      nack: (reason: unknown, then = 'requeue') => {
        log.push(`${message.payload} ${then} ${(reason as SluiceError).code}`);
        return nack.call(message, reason, 'drop');
      },
    });
  });
  clock.advance(1);
  return { taken, log };
}

describe('defineSink', () => {
  it('opens with its first message and not before (SRC-01)', () => {
    const r = rig();
    r.clock.advance(60_000);
    expect(r.counts.opened).toBe(0);
    r.sink.next(messages(r.clock, 1).taken[0] as Message<number>);
    expect(r.counts.opened).toBe(1);
  });

  it('closes with what it holds where open gives no writer, as of plain JavaScript that forgot to return it', async () => {
    for (const given of [undefined, Promise.resolve(), {}]) {
      const clock = virtualClock();
      const sink = defineSink<number>({ connector: 'eager', maxUnconfirmed: 3, open: () => given as never }, { clock });
      const source = testSource<number>({ clock });
      let nacks = 0;
      source.nacks$.subscribe(() => (nacks += 1));
      source.flow.subscribe(sink);
      source.offer(1);
      await clock.run(100);
      expect(nacks).toBe(1);
      const told = expect.stringMatching(/what open gives.*expected a writer with send and close/) as string;
      expect(sink.failure).toMatchObject({ code: 'CONFIG_INVALID', message: told, details: { connector: 'eager' } });
    }
  });

  it('acks when confirmed, and sends at most maxUnconfirmed before (SNK-03, ACK-13)', () => {
    const r = rig();
    const { taken, log } = messages(r.clock, 5);
    for (const message of taken) r.sink.next(message);
    expect(r.sent.map(({ message }) => message.payload)).toEqual([0, 1, 2]);
    expect(log).toEqual([]);
    r.sent[1]?.confirm();
    r.sent[1]?.confirm();
    expect(log).toEqual(['1 ack']);
    expect(r.sent).toHaveLength(4);
  });

  it('nacks what the far side refused by onError, or as the writer says; a throw counts as refused', () => {
    const r = rig({ onError: 'dead', maxUnconfirmed: 9 });
    r.answer = (sending) => {
      if (sending.message.payload === 0) throw new Error('bad');
      if (sending.message.payload === 1) sending.fail(new Error('full'), 'requeue');
      if (sending.message.payload === 2) sending.fail(new SluiceError('PAYLOAD_TOO_LARGE', 'too big'));
    };
    const { taken, log } = messages(r.clock, 3);
    for (const message of taken) r.sink.next(message);
    expect(log).toEqual(['0 dead SINK_FAILED', '1 requeue SINK_FAILED', '2 dead PAYLOAD_TOO_LARGE']);
  });

  it('says why it could not send, as where a function of its user throws', () => {
    const reasons: unknown[] = [];
    onTestFinished(observe((event) => void (event.type === 'message.nacked' && reasons.push(event.reason))));
    const r = rig({ onError: 'dead' });
    r.answer = () => {
      throw new TypeError('no such field');
    };
    for (const message of messages(r.clock, 1).taken) r.sink.next(message);
    const message = 'The rig sink could not send: no such field';
    expect(reasons).toMatchObject([{ code: 'SINK_FAILED', message, retriable: true, details: { connector: 'rig' } }]);
  });

  it('waits when the writer asks for it', () => {
    const r = rig();
    r.answer = () => false;
    const { taken } = messages(r.clock, 3);
    for (const message of taken) r.sink.next(message);
    expect(r.sent).toHaveLength(1);
    r.context().resume();
    expect(r.sent).toHaveLength(2);
  });

  it('sends again in order what was unconfirmed when the writer was lost, and says so (REC-06)', () => {
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    const r = rig({ confirmTimeoutMs: 0 });
    const { taken, log } = messages(r.clock, 4);
    for (const message of taken) r.sink.next(message);
    r.sent[0]?.confirm();
    const stale = r.sent[1];
    r.context().lost(new Error('reset'));
    r.clock.advance(60_000);
    stop();
    expect(r.counts).toMatchObject({ opened: 2, closed: 1 });
    expect(r.sent.map(({ message }) => message.payload)).toEqual([0, 1, 2, 3, 1, 2, 3]);
    expect(events.filter(({ type }) => type === 'sink.resent')).toMatchObject([{ count: 3 }]);
    stale?.confirm();
    expect(log).toEqual(['0 ack']);
    for (const sending of r.sent.slice(4)) sending.confirm();
    expect(log).toEqual(['0 ack', '1 ack', '2 ack', '3 ack']);
  });

  it('loses a connection that confirms nothing for confirmTimeoutMs (REC-06)', () => {
    const r = rig({ confirmTimeoutMs: 1_000, reconnect: backoff({ jitter: 'none', initialMs: 200 }) });
    const { taken, log } = messages(r.clock, 1);
    r.sink.next(taken[0] as Message<number>);
    r.clock.advance(999);
    expect(r.counts.closed).toBe(0);
    r.clock.advance(201);
    expect(r.counts).toMatchObject({ opened: 2, closed: 1 });
    expect(r.sent).toHaveLength(2);
    r.sent[1]?.confirm();
    expect(log).toEqual(['0 ack']);
  });

  it('is degraded and lets no deadline run out while the far side says that it takes nothing (F7, SNK-07)', () => {
    const r = rig({ confirmTimeoutMs: 1_000 });
    const walk: string[] = [];
    r.sink.status$?.subscribe((status) => walk.push(status));
    const { taken, log } = messages(r.clock, 1);
    r.sink.next(taken[0] as Message<number>);
    r.clock.advance(900);
    r.context().blocked(true, new Error('full'));
    r.context().blocked(true);
    r.clock.advance(60_000);
    expect([r.sent.length, walk]).toEqual([1, ['idle', 'connecting', 'connected', 'degraded']]);
    r.context().blocked(false);
    r.clock.advance(999);
    expect(r.sent.length).toBe(1);
    r.sent[0]?.confirm();
    r.clock.advance(60_000);
    expect([r.sent.length, log, walk.at(-1)]).toEqual([1, ['0 ack'], 'connected']);
  });

  it('watches again once the far side takes again, and after a loss', () => {
    const r = rig({ confirmTimeoutMs: 1_000, reconnect: backoff({ initialMs: 100, jitter: 'none' }) });
    const { taken } = messages(r.clock, 1);
    r.sink.next(taken[0] as Message<number>);
    r.context().blocked(true);
    r.clock.advance(5_000);
    r.context().blocked(false);
    r.clock.advance(1_100);
    expect(r.counts.opened).toBe(2);
    r.context().blocked(true);
    r.context().lost(new Error('cut'));
    r.clock.advance(200);
    expect(r.counts.opened).toBe(3);
    r.clock.advance(1_500);
    expect(r.counts.opened).toBe(4);
  });

  it('gives up a message whose error cannot be retried, unless it is dropped anyway', () => {
    const told = (options: SinkOptions): string[] => {
      const r = rig(options);
      r.answer = (sending) => sending.fail(new SluiceError('PAYLOAD_TOO_LARGE', 'too big'));
      const { taken, log } = messages(r.clock, 1);
      r.sink.next(taken[0] as Message<number>);
      return log;
    };
    expect(told({})).toEqual(['0 dead PAYLOAD_TOO_LARGE']);
    expect(told({ onError: 'drop' })).toEqual(['0 drop PAYLOAD_TOO_LARGE']);
  });

  it('does not send what its source took back meanwhile', () => {
    const r = rig({ maxUnconfirmed: 1 });
    const { taken } = messages(r.clock, 3);
    for (const message of taken) r.sink.next(message);
    taken[1]?.ack();
    r.sent[0]?.confirm();
    expect(r.sent.map(({ message }) => message.payload)).toEqual([0, 2]);
  });

  it('flushes on complete, closes after the last confirmation, then refuses (SNK-09)', async () => {
    const r = rig();
    const { taken, log } = messages(r.clock, 5);
    for (const message of taken.slice(0, 4)) r.sink.next(message);
    r.sink.complete();
    expect(r.counts).toMatchObject({ flushed: 0, closed: 0 });
    r.sent[0]?.confirm();
    expect(r.counts.flushed).toBe(1);
    for (const sending of r.sent) sending.confirm();
    await r.sink.closed;
    expect(r.counts).toMatchObject({ flushed: 1, closed: 1 });
    r.sink.next(taken[4] as Message<number>);
    expect(log.at(-1)).toBe('3 ack');
    // Handed back after a while, without an attempt counted.
    expect(isOpen(taken[4] as Message<number>)).toBe(false);
    expect(taken.length).toBe(5);
    r.clock.advance(1_000);
    expect([taken.length, taken[5]?.payload, taken[5]?.attempt]).toEqual([6, 4, 1]);
  });

  it('opens another writer where one cannot flush, and none once all is confirmed', async () => {
    for (const fails of [() => Promise.reject(new Error('disk')), thrown]) {
      for (const isLate of [false, true]) {
        const clock = virtualClock();
        const events: string[] = [];
        onTestFinished(observe(({ type }) => void events.push(type)));
        const sent: Sending<number>[] = [];
        let opened = 0;
        const sink = defineSink<number>(
          {
            connector: 'rig',
            maxUnconfirmed: 2,
            open: () => {
              opened += 1;
              return {
                send: (sending) => void sent.push(sending),
                flush: () => (opened === 1 ? fails() : sent.at(-1)?.confirm()),
                close: () => undefined,
              };
            },
          },
          { clock },
        );
        const { taken, log } = messages(clock, 1);
        sink.next(taken[0] as Message<number>);
        sink.complete();
        // The refusal of a promise comes in a turn of its own.
        if (isLate) sent[0]?.confirm();
        await clock.run(10_000);
        await sink.closed;
        expect(log).toEqual(['0 ack']);
        expect([opened, sink.failure]).toEqual([isLate && fails !== thrown ? 1 : 2, undefined]);
        expect(events.includes('connect.failed')).toBe(opened === 2);
      }
    }
  });

  it('nacks the rest closeTimeoutMs after complete', async () => {
    const r = rig({ closeTimeoutMs: 500, confirmTimeoutMs: 0 });
    const { taken, log } = messages(r.clock, 4);
    for (const message of taken) r.sink.next(message);
    r.sink.complete();
    r.clock.advance(500);
    await r.sink.closed;
    expect(log).toEqual(taken.map(({ payload }) => `${payload} requeue CONFIRM_TIMEOUT`));
    expect(r.counts.closed).toBe(1);
  });

  it('gives up on what cannot be retried: settles all, closes and keeps the reason', async () => {
    const r = rig();
    r.failOpen = new SluiceError('CONFIG_INVALID', 'no such exchange');
    const { taken, log } = messages(r.clock, 2);
    r.sink.next(taken[0] as Message<number>);
    await r.sink.closed;
    expect(r.sink.failure).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(log).toEqual(['0 requeue CONFIG_INVALID']);
    const told: string[] = [];
    onTestFinished(observe((event) => event.type === 'stage.failed' && told.push(String(event.reason))));
    r.sink.next(taken[1] as Message<number>);
    expect(told).toEqual([
      expect.stringContaining('The rig sink failed with CONFIG_INVALID and takes nothing any more.'),
    ]);
  });

  it('nacks with OVERFLOW beyond maxQueued, which trying again can cure (S2.17)', () => {
    const r = rig({ maxUnconfirmed: 1, maxQueued: 1 });
    const { taken, log } = messages(r.clock, 3);
    const reasons: unknown[] = [];
    onTestFinished(observe((event) => void ('reason' in event && reasons.push(event.reason))));
    for (const message of taken) r.sink.next(message);
    expect(log).toEqual(['2 requeue OVERFLOW']);
    expect(reasons).toContainEqual(expect.objectContaining({ code: 'OVERFLOW', retriable: true }));
  });

  it('has no more waiting than its source has out, however often that takes them back meanwhile (law 2)', async () => {
    const r = rig({ maxUnconfirmed: 1, maxQueued: 8, reconnect: backoff({ initialMs: 60_000, jitter: 'none' }) });
    r.failOpen = new SluiceError('CONNECT_FAILED', 'away', { retriable: true });
    const reconnect = backoff({ initialMs: 10, factor: 1, jitter: 'none' });
    const source = testSource<number>({ clock: r.clock, credit: 4, reconnect });
    const outcomes: string[] = [];
    source.events$.subscribe(({ type }) => outcomes.push(type));
    for (let at = 0; at < 4; at += 1) source.offer(at);
    source.flow.subscribe(r.sink);
    for (let loss = 0; loss < 10; loss += 1) {
      await r.clock.run(20);
      source.lose(new SluiceError('CONNECTION_LOST', 'cut', { retriable: true }));
    }
    await r.clock.run(20);
    expect(outcomes).not.toContain('requeue');
    expect((r.sink as unknown as SinkHandle).queued).toBeLessThanOrEqual(8);
    r.failOpen = undefined;
    r.answer = (sending) => sending.confirm();
    await r.clock.run(60_000);
    expect([r.sent.length, source.unsettled]).toEqual([4, []]);
  });

  it('keeps its link while it is in use and leaves it when it closes', async () => {
    const clock = virtualClock();
    const walk: string[] = [];
    const link = defineLink<string>(
      { connector: 'net', connect: () => 'line', disconnect: () => undefined },
      { clock },
    );
    link.status$.subscribe((status) => walk.push(status));
    const lines: string[] = [];
    const sink = defineSink<number, string>(
      {
        connector: 'net',
        link,
        maxUnconfirmed: 1,
        open: (_context, line) => ({
          send: (sending) => {
            lines.push(line);
            sending.confirm();
          },
          close: () => undefined,
        }),
      },
      { clock },
    );
    sink.next(messages(clock, 1).taken[0] as Message<number>);
    sink.complete();
    await sink.closed;
    expect(lines).toEqual(['line']);
    expect(walk).toEqual(['idle', 'connecting', 'connected', 'closing', 'closed']);
  });
});

function thrown(): never {
  throw new Error('disk');
}
