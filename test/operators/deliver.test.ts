import { describe, expect, it } from 'vitest';
import {
  deliver,
  describe as graphOf,
  fromAsyncIterable,
  memoryBroker,
  memorySource,
  type Message,
  type Sink,
} from 'sluice';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';

function holding(): { sink: Sink<string>; got: Message<string>[]; completed: () => number } {
  const got: Message<string>[] = [];
  let completed = 0;
  return {
    got,
    completed: () => completed,
    sink: { next: (message) => void got.push(message), error: () => undefined, complete: () => void (completed += 1) },
  };
}

describe('deliver', () => {
  it('emits a message after the sink confirmed it, still unsettled (law 4, ACK-13)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (const value of ['a', 'b']) broker.publish({ topic: 'in', payload: value });
    const { sink, got } = holding();
    const seen = collect(memorySource<string>(broker, { topic: 'in', clock }).pipe(deliver(sink)));
    clock.advance(1);
    expect(seen.payloads).toEqual([]);
    got[1]?.ack();
    expect(seen.payloads).toEqual(['b']);
    expect(broker.peek.unsettled('in')).toBe(2);
    seen.messages[0]?.ack();
    expect(broker.peek.unsettled('in')).toBe(1);
  });

  it('nacks what the sink refused, and emits nothing for it', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    broker.publish({ topic: 'in', payload: 'a' });
    const { sink, got } = holding();
    const seen = collect(memorySource<string>(broker, { topic: 'in', clock }).pipe(deliver(sink)));
    clock.advance(1);
    got[0]?.nack(new Error('full'), 'drop');
    clock.advance(1);
    expect(seen.payloads).toEqual([]);
    expect(broker.peek.unsettled('in')).toBe(0);
  });

  it('nacks the message when the sink throws', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    broker.publish({ topic: 'in', payload: 'a' });
    let calls = 0;
    const sink: Sink<string> = {
      next(message) {
        calls += 1;
        if (calls === 1) throw new Error('no');
        message.ack();
      },
      error: () => undefined,
      complete: () => undefined,
    };
    const seen = collect(memorySource<string>(broker, { topic: 'in', clock }).pipe(deliver(sink)));
    clock.advance(60_000);
    expect(seen.messages.map(({ payload, attempt }) => [payload, attempt])).toEqual([['a', 2]]);
  });

  it('completes the sink with the flow, and on unsubscribe', () => {
    const clock = virtualClock();
    const first = holding();
    const seen = collect(fromAsyncIterable<string>([], { clock }).pipe(deliver(first.sink)));
    clock.advance(1);
    expect([seen.completed, first.completed()]).toEqual([true, 1]);
    const second = holding();
    collect(fromAsyncIterable(['a'], { clock }).pipe(deliver(second.sink))).subscription.unsubscribe();
    expect(second.completed()).toBe(1);
  });

  it('is drawn with its sink beside it', () => {
    const graph = graphOf(fromAsyncIterable(['a']).pipe(deliver({ ...holding().sink, name: 'audit' })));
    expect(graph.nodes.map(({ label }) => label)).toContain('deliver(audit)');
  });
});
