import { describe, expect, it } from 'vitest';
import { fork, type Message } from 'sluice';
import { emitted, park } from '../helpers/parking.js';

describe('parts that wait', () => {
  it('leave the credit to others once all of them wait, and no further one comes', () => {
    const { clock, out, shown } = emitted('abc', { credit: 1 });
    const parts = fork(out[0] as Message<string>, 3);
    let back = '';
    const parked = parts.map((part, at) => park(part, () => (back += String(at))));
    clock.advance(0);
    expect(shown()).toBe('ab');
    expect(parked[2]?.bring()).toBe(false);
    clock.advance(0);
    expect(back).toBe('');
    out[1]?.ack();
    clock.advance(0);
    expect(back).toBe('2');
    // The message has its credit, so the others of it need not ask.
    expect(parked[0]?.bring()).toBe(true);
    parts[2]?.ack();
    parts[0]?.ack();
    clock.advance(0);
    expect([shown(), parked[1]?.bring()]).toEqual(['abc', false]);
    out[2]?.ack();
    clock.advance(0);
    expect([back, parts[1]?.ack()]).toEqual(['21', true]);
  });

  it('are gone with their message', () => {
    const { clock, source, out } = emitted('a');
    const parts = fork(out[0] as Message<string>, 2);
    let gone = 0;
    for (const part of parts) park(part, undefined, () => (gone += 1));
    source.lose(new Error('cut'));
    clock.advance(0);
    expect(gone).toBe(2);
  });

  it('are told when they are acked where they wait, while the others go on to', () => {
    const { out, source } = emitted('a');
    const [first, second] = fork(out[0] as Message<string>, 2);
    const gone: string[] = [];
    park(first, undefined, () => gone.push('first'));
    park(second, undefined, () => gone.push('second'));
    second?.ack();
    expect(gone).toEqual(['second']);
    first?.ack();
    expect([gone, source.unsettled]).toEqual([['second', 'first'], []]);
  });

  it('are told when one of them is settled where it waits', () => {
    const { source, out } = emitted('a');
    const [first, second] = fork(out[0] as Message<string>, 2);
    const gone: string[] = [];
    park(first, undefined, () => gone.push('first'));
    park(second, undefined, () => gone.push('second'));
    second?.nack('no', 'drop');
    expect(gone.toSorted()).toEqual(['first', 'second']);
    expect(source.unsettled).toEqual([]);
  });
});
