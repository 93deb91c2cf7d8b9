import { BehaviorSubject } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Message, observe } from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import type { SourceHandle } from '../../src/connection/scope.js';
import { type Envelope, handBack, mark } from '../../src/message/envelope.js';
import { emitted, park } from '../helpers/parking.js';

describe('a parked message', () => {
  it('holds no credit and comes back only when there is credit for it, as the same message', () => {
    const { clock, out, shown } = emitted('abcdef', { credit: 4 });
    expect(shown()).toBe('abcd');
    let back = 0;
    const { id, timeMs } = out[0] as Message<string>;
    const parked = park(out[0], () => (back += 1));
    clock.advance(10);
    expect(shown()).toBe('abcde');
    expect([parked.bring(), parked.bring()]).toEqual([false, false]);
    clock.advance(0);
    expect(back).toBe(0);
    out[1]?.ack();
    clock.advance(0);
    expect(back).toBe(1);
    expect([out[0]?.id, out[0]?.timeMs]).toEqual([id, timeMs]);
    expect(out[0]?.ack()).toBe(true);
    clock.advance(0);
    expect(shown()).toBe('abcdef');
  });

  it('may be settled where it waits', () => {
    const { clock, source, out } = emitted('a');
    let gone = 0;
    const parked = park(out[0], undefined, () => (gone += 1));
    expect(out[0]?.nack('no', 'dead')).toBe(true);
    parked.bring();
    clock.advance(0);
    expect([gone, source.unsettled]).toEqual([1, []]);
    expect(out[0]?.ack()).toBe(false);
  });

  it('still comes back after an unsubscribe: it was emitted, so it may settle (SHU-01)', () => {
    const { clock, source, out, stop } = emitted('a');
    let back = 0;
    const parked = park(out[0], () => (back += 1));
    stop();
    parked.bring();
    clock.advance(0);
    expect(back).toBe(1);
    expect(out[0]?.ack()).toBe(true);
    expect(source.unsettled).toEqual([]);
  });

  it('is handed back when nobody asks for it in time after an unsubscribe', () => {
    const { clock, source, out, stop } = emitted('a');
    let gone = 0;
    park(out[0], undefined, () => (gone += 1));
    stop();
    clock.advance(60_000);
    expect([gone, source.unsettled, out[0]?.ack()]).toEqual([1, [], false]);
  });

  it('goes back to the far side when its flow ends without it', () => {
    const { clock, source, out, stop } = emitted('a');
    const told: string[] = [];
    source.events$.subscribe(({ type }) => told.push(type));
    onTestFinished(observe(({ type }) => void (type.startsWith('message.') && told.push(type))));
    park(out[0]);
    stop();
    clock.advance(60_000);
    expect(told).toEqual(['delivered', 'release']);
  });

  it('comes before what is new: the place that gets free is its own', () => {
    const { clock, source, out, shown } = emitted('ab', { credit: 1 });
    let back = 0;
    const parked = park(out[0], () => (back += 1));
    clock.advance(0);
    parked.bring();
    out[1]?.ack();
    source.offer('c');
    clock.advance(0);
    expect([shown(), back]).toEqual(['ab', 1]);
  });

  it('waits like any other once the credit was lowered, where it needs no others to be of use', () => {
    const credit = new BehaviorSubject(2);
    const { clock, out, shown } = emitted('abcd', { credit });
    const batched = park(out[0]);
    batched.bring(true);
    clock.advance(0);
    out[0]?.ack();
    let back = 0;
    const parked = park(out[1], () => (back += 1));
    clock.advance(0);
    expect(shown()).toBe('abcd');
    credit.next(1);
    parked.bring();
    out[2]?.ack();
    clock.advance(0);
    expect(back).toBe(0);
    out[3]?.ack();
    clock.advance(0);
    expect(back).toBe(1);
  });

  it('is refused, and others go on, where the stage that it comes back to throws', () => {
    const { clock, source, out, shown } = emitted('ab', { credit: 1, maxAttempts: 1 });
    const parked = park(out[0], () => {
      throw new Error('a bug');
    });
    clock.advance(0);
    out[1]?.ack();
    clock.advance(0);
    parked.bring();
    clock.advance(0);
    source.offer('c');
    expect([out[0]?.ack(), shown()]).toEqual([false, 'abc']);
  });

  it('is forgotten when the connection is lost', () => {
    const { clock, source, out } = emitted('a');
    const events: string[] = [];
    const parked = park(
      out[0],
      () => events.push('back'),
      () => events.push('gone'),
    );
    source.lose(new Error('cut'));
    parked.bring();
    clock.advance(60_000);
    expect(events).toEqual(['gone']);
    expect(out.map(({ payload }) => payload)).toEqual(['a', 'a']);
  });

  it('is overdue like any other, with the stage that holds it, and keeps its age when it comes back (law 7)', () => {
    const told: string[] = [];
    const stop = observe((event) => {
      if (event.type === 'message.overdue') told.push(`${event.message.id} ${event.message.stage} ${event.ageMs}`);
    });
    const { clock, out } = emitted('abc');
    mark(out[0] as Message<string>, 'lane of bill');
    mark(out[1] as Message<string>, 'bill');
    const waiting = park(out[0]);
    const parked = park(out[1]);
    out[2]?.ack();
    clock.advance(20_000);
    parked.bring();
    clock.advance(9_999);
    const { oldestUnsettledMs } = (out[0] as Envelope<string>).settler as unknown as SourceHandle;
    expect([told, oldestUnsettledMs]).toEqual([[], 29_999]);
    clock.advance(7_500);
    stop();
    expect(told.toSorted()).toEqual(['0 lane of bill 30000', '1 bill 30000']);
    waiting.bring();
  });

  it('lets its source take nothing new while there are too many of them', () => {
    const { clock, out, shown } = emitted('abcd', { credit: 2, maxParked: 1 });
    const parked = [park(out[0]), park(out[1])];
    clock.advance(0);
    expect(shown()).toBe('ab');
    parked[0]?.bring();
    clock.advance(0);
    expect(shown()).toBe('ab');
    parked[1]?.bring();
    clock.advance(0);
    out[0]?.ack();
    clock.advance(0);
    expect(shown()).toBe('abc');
  });
});

describe('a delayed release', () => {
  it('goes back at once when its flow is stopped, or ends', () => {
    const { clock, source, out, stop } = emitted('ab');
    const told: string[] = [];
    source.nacks$.subscribe((value) => told.push(value));
    onTestFinished(observe(({ type }) => void (type.startsWith('message.') && told.push(type))));
    handBack(out[0] as Message<string>, 1_000);
    expect(told).toEqual([]);
    stop();
    expect(told).toEqual(['a']);
    handBack(out[1] as Message<string>, 1_000);
    expect(told).toEqual(['a', 'b']);
    clock.advance(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is settled while it waits: neither overdue, nor unfinished, nor taken back when the connection is lost', () => {
    const { clock, source, out } = emitted('ab');
    const told: string[] = [];
    onTestFinished(observe((event) => void ('message' in event && told.push(`${event.type} ${event.message.id}`))));
    handBack(out[0] as Message<string>, 60_000);
    clock.advance(40_000);
    const handle = (out[0] as Envelope<string>).settler as unknown as SourceHandle;
    expect(handle.unfinished()).toMatchObject([{ id: '1', ageMs: 40_000 }]);
    source.lose(new Error('cut'));
    expect([told, handle.counts.released]).toEqual([['message.overdue 1', 'message.released 1'], 2]);
  });

  it('is nothing that the reason of somebody else can ask for', () => {
    const { source, out } = emitted('a');
    const told: string[] = [];
    source.events$.subscribe(({ type }) => told.push(type));
    out[0]?.nack({ delayMs: 1_000 }, 'dead');
    expect(told.at(-1)).toBe('dead');
  });

  it('reaches the far side only after the delay, and the flow does not end before', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock });
    const seen: string[] = [];
    source.flow.subscribe({
      next(message) {
        seen.push(`${message.payload}${message.attempt}@${clock.elapsed()}`);
        if (clock.elapsed() < 100) (message as Envelope<string>).settle('release', { delayMs: 100 });
        else message.ack();
      },
      complete: () => seen.push(`end@${clock.elapsed()}`),
    });
    source.offer('a');
    source.end();
    clock.advance(1_000);
    expect(seen).toEqual(['a1@0', 'a1@100', 'end@100']);
  });
});
