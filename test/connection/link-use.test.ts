import { describe, expect, it } from 'vitest';
import { backoff, isSluiceError, observe, SluiceError, type Status } from 'sluice';
import { defineLink, defineSink, defineSource, type Link, type LinkContext } from 'sluice/connection';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';
import { recorder } from '../helpers/message.js';

interface Rig {
  readonly clock: VirtualClock;
  readonly link: Link<number>;
  /** The connections that readers and writers opened over. */
  readonly opened: number[];
  context: LinkContext | undefined;
  refusal: Error | undefined;
  source(): ReturnType<typeof collect<number>>;
  sink(): ReturnType<typeof defineSink<number, number>>;
}

function rig(): Rig {
  const clock = virtualClock();
  const opened: number[] = [];
  let connections = 0;
  const reconnect = backoff({ initialMs: 1_000, maxMs: 1_000, jitter: 'none' });
  const made: Rig = {
    clock,
    opened,
    context: undefined,
    refusal: undefined,
    link: defineLink<number>(
      {
        connector: 'rig',
        connect(context) {
          made.context = context;
          if (made.refusal !== undefined) throw made.refusal;
          return (connections += 1);
        },
        disconnect: () => undefined,
      },
      { clock, reconnect },
    ),
    source: () =>
      collect(
        defineSource<number, number>(
          {
            connector: 'rig',
            link: made.link,
            credit: 4,
            open(_context, connection) {
              opened.push(connection);
              return { resume: () => undefined, settle: () => undefined, close: () => undefined };
            },
          },
          { clock },
        ),
      ),
    sink: () =>
      defineSink<number, number>(
        {
          connector: 'rig',
          link: made.link,
          maxUnconfirmed: 4,
          open(_context, connection) {
            opened.push(connection);
            return { send: (sending) => sending.confirm(), close: () => undefined };
          },
        },
        { clock },
      ),
  };
  return made;
}

describe('a source over a link (S2.8)', () => {
  it('opens at once over a connection that is there, without a promise in between', () => {
    const r = rig();
    r.source();
    r.source();
    expect(r.opened).toEqual([1, 1]);
  });

  it('leaves the link only when its reader has closed, since what that still says goes over the connection (SHU-02)', async () => {
    const clock = virtualClock();
    const steps: string[] = [];
    const link = defineLink<number>(
      { connector: 'rig', connect: () => 1, disconnect: () => void steps.push('disconnected') },
      { clock },
    );
    const flow = defineSource<number, number>(
      {
        connector: 'rig',
        link,
        credit: 4,
        open: () => ({
          resume: () => undefined,
          settle: () => undefined,
          close: () =>
            new Promise<void>((resolve) => void clock.timer(10, resolve)).then(() => void steps.push('closed')),
        }),
      },
      { clock },
    );
    flow.subscribe().unsubscribe();
    await clock.run(20);
    expect(steps).toEqual(['closed', 'disconnected']);
  });

  it('ends only when the link is closed that it was the last to use, so that a process may end then (SHU-02)', async () => {
    const clock = virtualClock();
    const steps: string[] = [];
    const link = defineLink<number>(
      {
        connector: 'rig',
        connect: () => 1,
        disconnect: () =>
          new Promise<void>((resolve) => void clock.timer(10, resolve)).then(() => void steps.push('disconnected')),
      },
      { clock },
    );
    const flow = defineSource<number, number>(
      {
        connector: 'rig',
        link,
        credit: 4,
        open: (context) => ({ resume: () => context.end(), settle: () => undefined, close: () => undefined }),
      },
      { clock },
    );
    const sink = defineSink<number, number>(
      {
        connector: 'rig',
        link,
        maxUnconfirmed: 4,
        open: () => ({ send: (sending) => sending.confirm(), close: () => undefined }),
      },
      { clock },
    );
    flow.subscribe({ complete: () => void steps.push('completed') });
    flow.subscribe({ complete: () => void steps.push('completed as well') });
    await clock.run(20);
    expect(steps).toEqual(['completed', 'disconnected', 'completed as well']);
    steps.length = 0;
    sink.next(recorder().message(1));
    void sink.closed?.then(() => void steps.push('sink closed'));
    sink.complete();
    await clock.run(20);
    expect(steps).toEqual(['disconnected', 'sink closed']);
  });

  it('ends although its reader, or the link, never says that it is closed, and the link can be used again', async () => {
    const never = new Promise<void>(() => undefined);
    for (const hangs of ['reader', 'link'] as const) {
      const clock = virtualClock();
      const ends: string[] = [];
      const reasons: unknown[] = [];
      const link = defineLink<number>(
        { connector: 'net', connect: () => 1, disconnect: () => (hangs === 'link' ? never : undefined) },
        { clock },
      );
      const flow = defineSource<number, number>(
        {
          connector: 'rig',
          link,
          credit: 4,
          open: (context) => ({
            resume: () => context.end(),
            settle: () => undefined,
            close: () => (hangs === 'reader' ? never : undefined),
          }),
        },
        { clock },
      );
      const stop = observe((event) => {
        if (event.type !== 'status.changed' || !['rig', 'net'].includes(event.connector)) return;
        if (event.reason !== undefined) reasons.push(event.reason);
      });
      try {
        flow.subscribe({ complete: () => void ends.push('first') });
        await clock.run(29_000);
        expect(ends).toEqual([]);
        flow.subscribe({ complete: () => void ends.push('second') });
        await clock.run(60_000);
      } finally {
        stop();
      }
      expect(ends).toEqual(['first', 'second']);
      const connector = hangs === 'reader' ? 'rig' : 'net';
      expect(reasons).toMatchObject(Array(2).fill({ code: 'CONNECTION_LOST', details: { connector } }));
      expect(clock.pendingTimers).toBe(0);
    }
  });

  it('opens once, and in the moment the link is back, however long that took (G10)', () => {
    const r = rig();
    const seen = r.source();
    r.refusal = new Error('refused');
    r.context?.lost(new Error('cut'));
    r.clock.advance(300_000);
    expect(r.opened).toEqual([1]);
    r.refusal = undefined;
    r.clock.advance(1_000);
    expect(r.opened).toEqual([1, 2]);
    r.clock.advance(300_000);
    expect([r.opened, seen.errors]).toEqual([[1, 2], []]);
  });

  it('waits for the first connection without a deadline of its own', () => {
    const r = rig();
    r.refusal = new Error('refused');
    const walk: Status[] = [];
    r.link.status$.subscribe((status) => walk.push(status));
    const seen = r.source();
    r.clock.advance(120_000);
    r.refusal = undefined;
    r.clock.advance(1_000);
    expect([r.opened, seen.errors]).toEqual([[1], []]);
    expect(walk).toEqual(['idle', 'connecting', 'reconnecting', 'connected']);
  });

  it('ends with the link when that can never be opened', () => {
    const r = rig();
    const waiting = r.source();
    r.refusal = new SluiceError('CONFIG_INVALID', 'Bad credentials.');
    r.context?.lost(new Error('cut'));
    r.clock.advance(1_000);
    expect(waiting.errors.map((error) => isSluiceError(error, 'CONFIG_INVALID'))).toEqual([true]);
  });

  it('stops waiting when it is unsubscribed', () => {
    const r = rig();
    r.refusal = new Error('refused');
    const seen = r.source();
    r.clock.advance(10_000);
    seen.subscription.unsubscribe();
    r.refusal = undefined;
    r.clock.advance(10_000);
    expect([r.opened, r.clock.pendingTimers]).toEqual([[], 0]);
  });
});

describe('a sink over a link', () => {
  it('is closed although its writer never says so', async () => {
    const clock = virtualClock();
    const sink = defineSink<number>(
      {
        connector: 'rig',
        maxUnconfirmed: 4,
        open: () => ({ send: (sending) => sending.confirm(), close: () => new Promise<void>(() => undefined) }),
      },
      { clock },
    );
    let isClosed = false;
    void sink.closed?.then(() => (isClosed = true));
    sink.next(recorder().message(1));
    sink.complete();
    await clock.run(30_000);
    expect(isClosed).toBe(true);
  });

  it('sends what waited in the moment the link is back', () => {
    const r = rig();
    const other = rig();
    r.refusal = new Error('refused');
    const sink = r.sink();
    const source = collect(
      defineSource<number>(
        {
          connector: 'one',
          credit: 1,
          open: (context) => ({
            resume: () => void context.offer({ payload: 1, topic: 'one' }),
            settle: () => undefined,
            close: () => undefined,
          }),
        },
        { clock: other.clock },
      ),
    );
    other.clock.advance(0);
    const [message] = source.messages;
    sink.next(message!);
    r.clock.advance(300_000);
    expect(r.opened).toEqual([]);
    r.refusal = undefined;
    r.clock.advance(1_000);
    expect([r.opened, message?.ack()]).toEqual([[1], false]);
    source.subscription.unsubscribe();
  });
});
