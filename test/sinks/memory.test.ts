import { describe, expect, it } from 'vitest';
import { backoff, isSluiceError, memoryBroker, memorySink, memorySource, observe, type Message } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';

interface Nacked {
  readonly then: string;
  readonly code: string;
}

describe('memorySink', () => {
  it('acks each message once the broker has it, and carries all of it (DEL-01, SNK-01)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const reply = { send: () => Promise.resolve(), end: () => Promise.resolve() };
    broker.publish({ topic: 'in', payload: 1, key: 'k', headers: { h: 'v' }, id: 'one', timeMs: 7, reply });
    const sink = memorySink<number>(broker, { topic: 'out', clock });
    collect(memorySource<number>(broker, { topic: 'in', clock }), (message) => sink.next(message));
    const out = collect(memorySource<number>(broker, { topic: 'out', clock }));
    clock.advance(0);
    expect([broker.peek.unsettled('in'), broker.peek.depth('in')]).toEqual([0, 0]);
    const expected = { topic: 'out', payload: 1, key: 'k', headers: { h: 'v' }, id: 'one', timeMs: 7, attempt: 1 };
    expect(out.messages[0]).toMatchObject(expected);
    expect(out.messages[0]?.reply).toBe(reply);
  });

  it('gives up what is no message, before it ends the flow of a source (B31)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const sink = memorySink<number>(broker, { topic: 'out', clock });
    collect(memorySource<number>(broker, { topic: 'in', clock }), (message) => {
      for (const patch of [{ key: 5 }, { headers: new Map() }] as never[]) sink.next(message.with(1, patch));
    });
    broker.publish({ topic: 'in', payload: 1 });
    for (const wrong of [{ key: 5 }, { id: 5 }, { headers: 'a: b' }] as never[])
      expect(() => broker.publish({ topic: 'out', payload: 1, ...(wrong as object) })).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error,
      );
    clock.advance(0);
    expect([broker.peek.unsettled('in'), broker.peek.depth('in'), broker.peek.depth('out')]).toEqual([0, 0, 0]);
  });

  it("sends to each message's own topic when none is named", () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const sink = memorySink<string>(broker, { clock });
    collect(memorySource<string>(broker, { topic: 'in', clock }), (message) => {
      sink.next(message.with(message.payload, { topic: message.payload }));
    });
    for (const payload of ['a', 'b']) broker.publish({ topic: 'in', payload });
    clock.advance(0);
    expect([broker.peek.depth('a'), broker.peek.depth('b'), broker.peek.unsettled('in')]).toEqual([1, 1, 0]);
  });

  /** What became of the messages of `in` that went into `sink`. */
  function nacked(
    options: Parameters<typeof memoryBroker>[0],
    payloads: readonly unknown[],
    topic: string = 'out',
  ): Nacked[] {
    const clock = virtualClock();
    const broker = memoryBroker({ ...options, clock });
    const seen: Nacked[] = [];
    const stop = observe((event) => {
      if (event.type !== 'message.nacked') return;
      seen.push({ then: event.then, code: isSluiceError(event.reason) ? event.reason.code : '' });
    });
    const other = memoryBroker({ clock });
    const sink = memorySink(broker, { topic, clock, reconnect: backoff({ initialMs: 10 }) });
    collect(memorySource(other, { topic: 'in', clock, maxAttempts: 1_000 }), (message: Message<unknown>) => {
      if (message.attempt === 1) sink.next(message);
    });
    for (const payload of payloads) other.publish({ topic: 'in', payload });
    clock.advance(0);
    stop();
    return seen;
  }

  it('nacks what a full topic refuses, to be tried again (SNK-07)', () => {
    const said = nacked({ maxMessages: 1, overflow: 'refuse' }, [1, 2]);
    expect(said).toEqual([{ then: 'requeue', code: 'OVERFLOW' }]);
  });

  it('gives up what can never be stored, and goes on with the next (SNK-08)', () => {
    const said = nacked({ maxPayloadBytes: 10 }, [new Uint8Array(11), new Uint8Array(10)]);
    expect(said).toEqual([{ then: 'dead', code: 'PAYLOAD_TOO_LARGE' }]);
  });

  it('holds back at a full topic what the window allows and no more, and loses nothing (S2.11, S2.17, SNK-03, SNK-04, CRD-10)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, topics: { out: { maxMessages: 5 } } });
    for (let payload = 0; payload < 100; payload += 1) broker.publish({ topic: 'in', payload });
    const sink = memorySink<number>(broker, { topic: 'out', clock, maxUnconfirmed: 3 });
    collect(memorySource<number>(broker, { topic: 'in', clock, credit: 10 }), (message) => sink.next(message));
    const walk: string[] = [];
    sink.status$?.subscribe((status) => walk.push(status));
    clock.advance(60_000);
    expect(walk).toEqual(['idle', 'connecting', 'connected', 'degraded']);
    const { depth, unsettled } = broker.peek;
    expect([depth('out'), unsettled('in'), depth('in')]).toEqual([5, 10, 85]);
    const { unconfirmed, queued } = sink as unknown as { readonly unconfirmed: number; readonly queued: number };
    expect([unconfirmed, queued]).toEqual([3, 7]);
    const out = collect(memorySource<number>(broker, { topic: 'out', clock, credit: 1 }), (message) => {
      clock.timer(1, () => message.ack());
    });
    clock.advance(1_000);
    expect(out.payloads).toEqual(Array.from({ length: 100 }, (_, at) => at));
    expect([depth('in'), unsettled('in'), unsettled('out'), walk.at(-1)]).toEqual([0, 0, 0, 'connected']);
  });

  it('does not store a message that waited for room when its sink had given it up', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, topics: { out: { maxMessages: 1 } } });
    for (const payload of [1, 2]) broker.publish({ topic: 'in', payload });
    const sink = memorySink<number>(broker, { topic: 'out', clock, closeTimeoutMs: 100 });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }), (message) => {
      if (message.attempt === 1) sink.next(message);
    });
    clock.advance(0);
    sink.complete();
    clock.advance(100);
    expect(seen.messages.map((message) => [message.payload, message.attempt])).toEqual([
      [1, 1],
      [2, 1],
      [2, 2],
    ]);
    const out = collect(memorySource<number>(broker, { topic: 'out', clock }), (message) => void message.ack());
    clock.advance(1_000);
    expect(out.payloads).toEqual([1]);
  });

  it('flushes and closes on complete, and nacks what comes after (SNK-09)', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (const payload of [1, 2]) broker.publish({ topic: 'in', payload });
    broker.faults.delay(10);
    const sink = memorySink<number>(broker, { topic: 'out', clock });
    let closed = false;
    void sink.closed?.then(() => (closed = true));
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 1 }), (message) =>
      sink.next(message),
    );
    clock.advance(0);
    sink.complete();
    await clock.run(100);
    expect([closed, broker.peek.published('out'), broker.peek.connections()]).toEqual([true, 1, 1]);
    expect(seen.messages.filter((message) => message.payload === 2).length).toBeGreaterThan(0);
    expect(broker.peek.unsettled('out')).toBe(0);
  });

  it('refuses options that it does not know', () => {
    expect(() => memorySink(memoryBroker(), { topics: 'x' } as never)).toThrow("did you mean 'topic'?");
  });
});
