import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PendingBytes } from '../../src/mappers/pending-bytes.js';

describe('PendingBytes', () => {
  it('keeps the first bytes up to its capacity and counts all of them', () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 12 });
    fc.assert(
      fc.property(chunks, fc.integer({ min: 1, max: 1500 }), (list, capacity) => {
        const pending = new PendingBytes(capacity);
        for (const chunk of list) pending.append(chunk, 0, chunk.length);
        const whole = list.flatMap((chunk) => [...chunk]);
        expect(pending.length).toBe(whole.length);
        expect([...pending.take()]).toStrictEqual(whole.slice(0, capacity));
        expect(pending.length).toBe(0);
      }),
    );
  });

  it('gives its bytes away: what comes later does not change them', () => {
    const pending = new PendingBytes(10);
    pending.append(Uint8Array.of(1, 2, 3), 1, 3);
    const taken = pending.take();
    pending.append(Uint8Array.of(9, 9, 9), 0, 3);
    expect([...taken]).toStrictEqual([2, 3]);
    expect([...pending.take()]).toStrictEqual([9, 9, 9]);
  });
});
