import { describe, expect, it, onTestFinished } from 'vitest';
import { backoff, observe, SluiceError, type Message } from 'sluice';
import { defineSink, type Sending, type SinkOptions, type WriterContext } from 'sluice/connection';
import { testSource, virtualClock } from 'sluice/testing';
import type { SinkHandle } from '../../src/connection/scope.js';
import { recorder } from '../helpers/message.js';

/** A sink over writers whose answers the test gives; `sent` says what over which of them. */
function rig(options: SinkOptions = {}) {
  const clock = virtualClock();
  const sent: string[] = [];
  const sendings: Sending<unknown>[] = [];
  const contexts: WriterContext[] = [];
  const hands: { send(sending: Sending<unknown>): boolean | void; flush(): void | Promise<void> } = {
    send: () => undefined,
    flush: () => undefined,
  };
  const sink = defineSink<unknown>(
    {
      connector: 'rig',
      maxUnconfirmed: 3,
      open(context) {
        const writer = contexts.push(context);
        return {
          send(sending) {
            sent.push(`${String(sending.message.payload)} over ${writer}`);
            sendings.push(sending);
            return hands.send(sending);
          },
          flush: () => hands.flush(),
          close: () => undefined,
        };
      },
    },
    { clock, confirmTimeoutMs: 0, reconnect: backoff({ initialMs: 100, jitter: 'none' }), ...options },
  );
  const lose = (): void => contexts.at(-1)?.lost(new Error('cut'));
  const handle = sink as unknown as SinkHandle;
  return { clock, sink, handle, sent, sendings, contexts, hands, lose, ...recorder() };
}

describe('a sink at work', () => {
  it('sends the next one also after a refusal, which counts once and only before any other answer', () => {
    const { sink, handle, sent, sendings, message, log } = rig({ maxUnconfirmed: 1 });
    for (const payload of ['a', 'b', 'c']) sink.next(message(payload));
    sendings[0]?.fail(new Error('full'));
    sendings[0]?.fail(new Error('full'));
    sendings[1]?.confirm();
    sendings[1]?.fail(new Error('too late'));
    expect(sent).toEqual(['a over 1', 'b over 1', 'c over 1']);
    expect(log).toEqual(['a requeue SINK_FAILED', 'b ack']);
    expect([handle.confirmedCount, handle.failedCount]).toEqual([1, 1]);
  });

  it('is named as the one that settled its messages (law 7)', () => {
    const { sink, sendings, message, settled } = rig();
    sink.next(message('a'));
    sendings[0]?.confirm();
    expect(settled.map(({ by }) => by)).toEqual(['rig']);
  });

  it('goes on over the next writer where the lost one had asked for a pause', () => {
    const { clock, sink, sent, hands, lose, message } = rig();
    hands.send = () => false;
    for (const payload of ['a', 'b']) sink.next(message(payload));
    hands.send = () => undefined;
    lose();
    clock.advance(100);
    expect(sent).toEqual(['a over 1', 'a over 2', 'b over 2']);
  });

  it('sends nothing over a writer that is lost, also while it sends (REC-06)', () => {
    const { clock, sink, sent, hands, lose, message } = rig();
    sink.next(message('a'));
    lose();
    sink.next(message('b'));
    expect(sent).toEqual(['a over 1']);
    hands.send = ({ message: { payload } }) => {
      if (payload === 'a' && sent.length === 2) lose();
    };
    clock.advance(100);
    expect(sent).toEqual(['a over 1', 'a over 2']);
    clock.advance(1_000);
    expect(sent).toEqual(['a over 1', 'a over 2', 'a over 3', 'b over 3']);
  });

  it('does not say that it sends again where nothing was unconfirmed', () => {
    const events: string[] = [];
    onTestFinished(observe(({ type }) => void events.push(type)));
    const { sink, sendings, lose, message } = rig();
    sink.next(message('a'));
    sendings[0]?.confirm();
    lose();
    expect(events).not.toContain('sink.resent');
  });

  it('takes confirmations that come at once, however many wait', () => {
    const { clock, sink, hands, lose, message, open } = rig({ maxQueued: 5_000 });
    sink.next(message(0));
    lose();
    for (let at = 1; at < 5_000; at += 1) sink.next(message(at));
    hands.send = (sending) => sending.confirm();
    clock.advance(100);
    expect(open).toEqual([]);
  });

  it('measures confirmTimeoutMs for each message from its own sending, with one timer', () => {
    const { clock, sink, sendings, contexts, message } = rig({ confirmTimeoutMs: 1_000 });
    sink.next(message('a'));
    clock.advance(900);
    for (const payload of ['b', 'c']) sink.next(message(payload));
    const { pendingTimers } = clock;
    sendings[0]?.confirm();
    clock.advance(999);
    expect([contexts.length, clock.pendingTimers]).toEqual([1, pendingTimers]);
    clock.advance(200);
    expect(contexts.length).toBe(2);
  });

  it('lets the deadline run on when the far side says again that it takes', () => {
    const { clock, sink, contexts, message } = rig({ confirmTimeoutMs: 1_000 });
    sink.next(message('a'));
    clock.advance(900);
    contexts[0]?.blocked(false);
    clock.advance(200);
    expect(contexts.length).toBe(2);
  });

  it('loses no writer for another that could not flush', async () => {
    const { clock, sink, hands, lose, message, contexts, sendings, log } = rig();
    let refuse: (error: Error) => void = () => undefined;
    hands.flush = () => new Promise<void>((_resolve, reject) => (refuse = reject));
    sink.next(message('a'));
    sink.complete();
    lose();
    const refuseFirst = refuse;
    await clock.run(100);
    refuseFirst(new Error('disk'));
    await clock.run(1_000);
    expect(contexts.length).toBe(2);
    sendings.at(-1)?.confirm();
    await sink.closed;
    expect(log).toEqual(['a ack']);
  });

  it('takes nothing while it completes, says so once, and leaves no timer however often it is completed', async () => {
    const reasons: string[] = [];
    onTestFinished(observe((event) => event.type === 'stage.failed' && reasons.push(String(event.reason))));
    const { clock, sink, sendings, message, log, sent } = rig();
    sink.next(message('a'));
    sink.complete();
    sink.complete();
    for (const payload of ['b', 'c']) sink.next(message(payload));
    expect([sent, log]).toEqual([['a over 1'], ['b release', 'c release']]);
    expect(reasons).toEqual([expect.stringContaining('was completed and takes nothing any more')]);
    sendings[0]?.confirm();
    await sink.closed;
    expect(clock.pendingTimers).toBe(0);
  });

  it('is closed at once when it is completed before anything came', async () => {
    const { sink, contexts } = rig();
    sink.complete();
    await sink.closed;
    expect(contexts).toEqual([]);
  });

  it('waits for no confirmation of what its source took back when it completes (SHU-02)', async () => {
    const { clock, sink, sent } = rig({ maxUnconfirmed: 1 });
    const source = testSource<string>({ clock });
    source.flow.subscribe((message: Message<string>) => sink.next(message));
    for (const value of ['a', 'b']) source.offer(value);
    clock.advance(0);
    source.lose(new SluiceError('CONNECTION_LOST', 'cut', { retriable: true }));
    sink.complete();
    await sink.closed;
    expect(sent).toEqual(['a over 1']);
  });
});
