import { describe, expect, it } from 'vitest';
import { join } from 'sluice';
import { emitted, park } from '../helpers/parking.js';

describe('a batch that waits', () => {
  it('is back when all of its members are', () => {
    const { clock, out, shown } = emitted('abcd', { credit: 2 });
    let back = 0;
    const batch = join(out.slice(0, 2));
    const parked = park(batch, () => (back += 1));
    clock.advance(0);
    expect(shown()).toBe('abcd');
    expect(parked.bring()).toBe(false);
    out[2]?.ack();
    clock.advance(0);
    expect(back).toBe(0);
    out[3]?.ack();
    clock.advance(0);
    expect([back, batch.ack()]).toEqual([1, true]);
  });

  it('is gone with the first of its members', () => {
    const { out } = emitted('ab');
    let gone = 0;
    park(join(out), undefined, () => (gone += 1));
    out[0]?.ack();
    out[1]?.ack();
    expect(gone).toBe(1);
  });
});
