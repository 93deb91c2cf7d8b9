import { describe, expect, it } from 'vitest';
import { fork, type Message } from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import type { Envelope } from '../../src/message/envelope.js';
import type { Parked } from '../../src/message/settler.js';

function park(
  message: Message<unknown>,
  back: (fresh: Message<unknown>) => void,
  gone = (): void => undefined,
): Parked {
  const { root } = message as Envelope<unknown>;
  return root.settler.park?.(root, { back, gone }) as Parked;
}

describe('a parked message', () => {
  it('holds no credit and comes back only when there is credit for it', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, credit: 4 });
    const originals: Message<string>[] = [];
    source.flow.subscribe((message) => originals.push(message));
    for (const value of 'abcdef') source.offer(value);
    clock.advance(0);
    expect(originals.map((message) => message.payload)).toEqual(['a', 'b', 'c', 'd']);
    const back: Message<unknown>[] = [];
    const parked = park(originals[0] as Message<string>, (fresh) => back.push(fresh));
    clock.advance(0);
    expect(originals.map((message) => message.payload)).toEqual(['a', 'b', 'c', 'd', 'e']);
    parked.bring();
    parked.bring();
    clock.advance(0);
    expect(back).toEqual([]);
    originals[1]?.ack();
    clock.advance(0);
    expect(back.length).toBe(1);
    expect(originals[0]?.ack()).toBe(false);
    expect(back[0]?.ack()).toBe(true);
    clock.advance(0);
    expect(originals.length).toBe(6);
  });

  it('is handed back on release, on a drain and on unsubscribe, and forgotten when the connection is lost', () => {
    for (const end of ['release', 'unsubscribe', 'lose'] as const) {
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
      if (end === 'release') parked?.release();
      else if (end === 'unsubscribe') subscription.unsubscribe();
      else source.lose(new Error('cut'));
      parked?.bring();
      parked?.release();
      clock.advance(60_000);
      const lost = end === 'lose';
      expect(outcomes.slice(0, 2)).toEqual(['delivered', lost ? 'taken-back' : 'release']);
      expect(outcomes).not.toContain('back');
      expect(gone).toBe(end === 'release' ? 0 : 1);
    }
  });

  it('stays where it is when there is no room for it', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock, maxParked: 1 });
    const parked: (Parked | undefined)[] = [];
    const messages: Message<string>[] = [];
    source.flow.subscribe((message) => {
      messages.push(message);
      parked.push(park(message, () => undefined));
    });
    source.offer('a');
    source.offer('b');
    clock.advance(0);
    expect(parked.map((one) => one !== undefined)).toEqual([true, false]);
    expect(messages[1]?.ack()).toBe(true);
  });

  it('is not possible for a part: the other parts still count on it', () => {
    const clock = virtualClock();
    const source = testSource<string>({ clock });
    const parked: unknown[] = [];
    source.flow.subscribe((message) => {
      for (const part of fork(message, 2)) parked.push(park(part, () => undefined));
    });
    source.offer('a');
    clock.advance(0);
    expect(parked).toEqual([undefined, undefined]);
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
