import { describe, expect, it, onTestFinished } from 'vitest';
import { observe, SluiceError, type Message, type SluiceEvent } from 'sluice';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { defineSource, type ReaderContext, type SourceOptions } from '../../src/connection/define-source.js';
import type { Flow } from '../../src/connection/flow.js';
import { withScope, type SourceHandle } from '../../src/connection/scope.js';
import { handBack } from '../../src/message/envelope.js';
import { collect } from '../helpers/collect.js';
import { park } from '../helpers/parking.js';

interface Feed {
  readonly flow: Flow<string>;
  readonly clock: VirtualClock;
  readonly wanted: string[];
  readonly handles: SourceHandle[];
  context(): ReaderContext<string>;
  push(payload: string): boolean;
}

/** A source whose far side hears of no settlement, fed by hand. */
function feed(options: SourceOptions = {}, maxInboxBytes?: number): Feed {
  const clock = virtualClock();
  const wanted: string[] = [];
  let current: ReaderContext<string> | undefined;
  const flow = defineSource<string>(
    {
      connector: 'feed',
      credit: 2,
      local: true,
      ...(maxInboxBytes === undefined ? {} : { maxInboxBytes, needsOverflow: true }),
      subscribed() {
        wanted.push('in');
        return () => wanted.push('out');
      },
      open(context) {
        current = context;
        return { resume: () => undefined, settle: () => undefined, close: () => undefined };
      },
    },
    { clock, ...options },
  );
  const context = (): ReaderContext<string> => current as ReaderContext<string>;
  return {
    flow,
    clock,
    wanted,
    handles: [],
    context,
    push: (payload) => context().offer({ payload, topic: 't', bytes: payload.length }),
  };
}

describe('a source whose settlements stay local', () => {
  it.each([
    ['while it is down', 0],
    ['once another is open', 60_000],
  ])('keeps what it received and what is being worked on over a lost connection, %s', (_when, waitMs) => {
    const { flow, clock, context, push } = feed();
    const seen: Message<string>[] = [];
    flow.subscribe((message) => seen.push(message));
    clock.advance(0);
    for (const payload of ['a', 'b', 'c']) push(payload);
    const lost: unknown[] = [];
    onTestFinished(observe((event) => void (event.type === 'connect.failed' && lost.push(event.reason))));
    context().lost(new Error('cut'));
    clock.advance(waitMs);
    expect(seen[0]?.signal.aborted).toBe(false);
    expect(seen.map((message) => message.ack())).toEqual([true, true]);
    clock.advance(0);
    expect(seen.map((message) => message.payload)).toEqual(['a', 'b', 'c']);
    seen[2]?.ack();
    clock.advance(60_000);
    expect(lost).toHaveLength(1);
  });

  it('ACK-02: brings a requeued message again behind what waits, its attempt counted, until maxAttempts', () => {
    const { flow, clock, push } = feed({ maxAttempts: 2, credit: 1 });
    const seen: [string, number][] = [];
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    let held: Message<string> | undefined;
    flow.subscribe((message) => {
      seen.push([message.payload, message.attempt]);
      held = message;
    });
    clock.advance(0);
    push('bad');
    push('good');
    for (let at = 0; at < 3; at += 1) {
      if (held?.payload === 'bad') held.nack(new Error('no'));
      else held?.ack();
      clock.advance(0);
    }
    stop();
    expect(seen).toEqual([
      ['bad', 1],
      ['good', 1],
      ['bad', 2],
    ]);
    expect(events.filter(({ type }) => type === 'message.nacked')).toMatchObject([
      { then: 'requeue' },
      { then: 'dead', reason: { code: 'ATTEMPTS_EXHAUSTED', details: { connector: 'feed', topic: 't', attempt: 2 } } },
    ]);
  });

  it('hands over what its reader refuses once there is credit, as often as it comes, and never to the flow (ERR-03, law 2)', () => {
    const { flow, clock, context, push } = feed({ credit: 1 });
    const seen: Message<string>[] = [];
    const refused: Message<unknown>[] = [];
    const scope = { addSource: () => undefined, refused: (message: Message<unknown>) => void refused.push(message) };
    withScope(scope, () => flow.subscribe((message) => seen.push(message)));
    clock.advance(0);
    push('a');
    const reason = new SluiceError('PAYLOAD_TOO_LARGE', 'too long');
    expect(context().refuse({ payload: 'b', topic: 't' }, reason)).toBe(false);
    context().offer({ payload: 'c', topic: 't', refusal: reason });
    clock.advance(0);
    expect([seen.length, refused.length]).toEqual([1, 0]);
    seen[0]?.ack();
    clock.advance(0);
    expect(refused.map(({ payload }) => payload)).toEqual(['b']);
    refused[0]?.nack('not now');
    clock.advance(0);
    refused[1]?.ack();
    clock.advance(0);
    expect(refused.map(({ payload, attempt }) => `${String(payload)}${attempt}`)).toEqual(['b1', 'c1', 'b2']);
    expect(seen).toHaveLength(1);
  });

  it.each<[string, (context: ReaderContext<string>, stop: () => void) => void]>([
    ['unsubscribed', (_context, stop) => stop()],
    ['at its end', ({ end }) => end()],
    ['failed', ({ lost }) => lost(new SluiceError('AUTH_FAILED', 'no'))],
  ])('says that it is wanted before it opens and that it is not once: %s', (_way, finish) => {
    const { flow, clock, wanted, context } = feed();
    const subscription = flow.subscribe({ next: (message) => message.ack(), error: () => undefined });
    expect(wanted).toEqual(['in']);
    clock.advance(0);
    finish(context(), () => subscription.unsubscribe());
    clock.advance(0);
    subscription.unsubscribe();
    expect(wanted).toEqual(['in', 'out']);
  });

  it('a drain still emits what was received, and then completes', () => {
    const { flow, clock, push, wanted } = feed();
    const handles: SourceHandle[] = [];
    const seen: Message<string>[] = [];
    let completed = false;
    const scope = { addSource: (source: SourceHandle) => void handles.push(source) };
    withScope(scope, () =>
      flow.subscribe({ next: (message) => seen.push(message), complete: () => (completed = true) }),
    );
    clock.advance(0);
    for (const payload of ['a', 'b', 'c', 'd']) push(payload);
    handles[0]?.drain();
    expect(wanted).toEqual(['in', 'out']);
    for (let at = 0; at < 4; at += 1) {
      expect(completed).toBe(false);
      seen[at]?.ack();
      clock.advance(0);
    }
    expect(seen.map((message) => message.payload)).toEqual(['a', 'b', 'c', 'd']);
    expect(completed).toBe(true);
  });

  it('a drain that finds nobody left to emit to gives up what still waits', () => {
    const { flow, clock, push } = feed();
    const handles: SourceHandle[] = [];
    const seen = withScope({ addSource: (source) => void handles.push(source) }, () => collect(flow));
    clock.advance(0);
    for (const payload of ['a', 'b', 'c']) push(payload);
    handles[0]?.drain();
    handles[0]?.drain(false);
    for (const message of seen.messages) message.ack();
    clock.advance(0);
    expect([seen.payloads, seen.completed, handles[0]?.counts.dropped]).toEqual([['a', 'b'], true, 1]);
  });

  it('CRD-11: takes in nothing new while what waits without credit has as many bytes as may be unsettled', () => {
    const { flow, clock, push } = feed({ credit: 8, creditBytes: 10 });
    const { messages, payloads } = collect(flow);
    clock.advance(0);
    for (const payload of ['aaaaa', 'bbbbb']) {
      push(payload);
      park(messages.at(-1));
    }
    push('c');
    clock.advance(0);
    expect(payloads).toEqual(['aaaaa', 'bbbbb']);
    messages[0]?.ack();
    clock.advance(0);
    expect(payloads).toEqual(['aaaaa', 'bbbbb', 'c']);
  });

  it('counts what it was handed back and what waits without credit as given up at its end', () => {
    const { flow, clock, push } = feed({ credit: 4, closeTimeoutMs: 1_000 });
    const events: SluiceEvent[] = [];
    onTestFinished(observe((event) => events.push(event)));
    const handles: SourceHandle[] = [];
    const scope = { addSource: (source: SourceHandle) => void handles.push(source) };
    const { messages, subscription } = withScope(scope, () => collect(flow));
    clock.advance(0);
    for (const payload of ['a', 'b', 'c', 'd', 'e']) push(payload);
    handBack(messages[0] as Message<string>, 60_000);
    park(messages[1]);
    subscription.unsubscribe();
    const counts = (): number[] =>
      events.flatMap((event) => (event.type === 'message.overflowed' ? [event.count] : []));
    expect(counts()).toEqual([1, 2]);
    messages[2]?.ack();
    clock.advance(1_000);
    expect(counts()).toEqual([1, 2, 3]);
    expect(messages[3]?.ack()).toBe(false);
    expect(handles[0]?.counts).toMatchObject({ emitted: 4, acked: 1, dropped: 3, released: 3 });
  });

  it('counts as given up what would come again after it was unsubscribed, as nobody brings it (law 7)', () => {
    const { flow, clock, push } = feed({ credit: 3 });
    const told: string[] = [];
    onTestFinished(
      observe((event) => void (event.type === 'message.overflowed' && told.push(`${event.policy} ${event.count}`))),
    );
    const { messages, subscription } = collect(flow);
    clock.advance(0);
    for (const payload of ['a', 'b', 'c']) push(payload);
    subscription.unsubscribe();
    messages[0]?.ack();
    expect(told).toEqual([]);
    messages[1]?.nack(new Error('no'), 'requeue');
    handBack(messages[2] as Message<string>);
    expect(told).toEqual(['stopped 1', 'stopped 2']);
  });

  it('counts what was received and never emitted when it is unsubscribed', () => {
    const { flow, clock, push } = feed({ credit: 1 });
    const events: SluiceEvent[] = [];
    const stop = observe((event) => events.push(event));
    const subscription = flow.subscribe((message) => void message.id);
    clock.advance(0);
    for (const payload of ['a', 'b', 'c']) push(payload);
    subscription.unsubscribe();
    stop();
    expect(events.filter(({ type }) => type === 'message.overflowed')).toMatchObject([{ policy: 'stopped', count: 2 }]);
  });

  it('CRD-11: gives up by its policy what does not fit in bytes', () => {
    const { flow, clock, push, context } = feed({ credit: 8, overflow: 'drop-oldest' }, 10);
    const seen: Message<string>[] = [];
    flow.subscribe((message) => seen.push(message));
    clock.advance(0);
    for (let at = 0; at < 8; at += 1) push(`${at}`);
    for (const payload of ['aaaa', 'bbbb', 'cccc']) push(payload);
    expect([context().waiting, context().waitingBytes]).toEqual([2, 8]);
    for (const message of seen) message.ack();
    clock.advance(0);
    expect(seen.slice(8).map((message) => message.payload)).toEqual(['bbbb', 'cccc']);
  });
});
