import { describe, expect, it } from 'vitest';
import type { Message } from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import type { Envelope } from '../../src/message/envelope.js';
import type { Parked } from '../../src/message/settler.js';
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

  it('is handed back on unsubscribe and forgotten when the connection is lost', () => {
    for (const end of ['unsubscribe', 'lose'] as const) {
      const clock = virtualClock();
      const source = testSource<string>({ clock });
      const outcomes: string[] = [];
      source.events$.subscribe((event) => outcomes.push(event.type));
      let parked: Parked | undefined;
      let gone = 0;
      const subscription = source.flow.subscribe((message) => {
        parked ??= park(
          message,
          () => outcomes.push('back'),
          () => (gone += 1),
        );
      });
      source.offer('a');
      clock.advance(0);
      if (end === 'unsubscribe') subscription.unsubscribe();
      else source.lose(new Error('cut'));
      parked?.bring();
      clock.advance(60_000);
      expect(outcomes.slice(0, 2)).toEqual(['delivered', end === 'lose' ? 'taken-back' : 'release']);
      expect(outcomes).not.toContain('back');
      expect(gone).toBe(1);
    }
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
