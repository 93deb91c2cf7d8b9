import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimerHeap } from '../../src/testing/timer-heap.js';

describe('TimerHeap', () => {
  it('gives timers back as a sorted list would, whatever is added and cancelled', () => {
    const step = fc.oneof(
      fc.record({ add: fc.nat(20) }),
      fc.record({ cancel: fc.nat(50) }),
      fc.record({ takeUntil: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const heap = new TimerHeap();
        let list: { atMs: number; name: number }[] = [];
        const cancels: (() => void)[] = [];
        let taken: number | undefined;
        for (const one of steps) {
          if ('add' in one) {
            const name = cancels.length;
            list.push({ atMs: one.add, name });
            cancels.push(heap.add(one.add, () => (taken = name)));
          } else if ('cancel' in one) {
            cancels[one.cancel]?.();
            list = list.filter(({ name }) => name !== one.cancel);
          } else {
            taken = undefined;
            heap.takeUntil(one.takeUntil)?.();
            const [first] = list.toSorted((a, b) => a.atMs - b.atMs || a.name - b.name);
            const due = first !== undefined && first.atMs <= one.takeUntil ? first : undefined;
            expect(taken).toBe(due?.name);
            list = list.filter((entry) => entry !== due);
          }
          expect(heap.size).toBe(list.length);
          expect(heap.nextMs()).toBe(list.length === 0 ? undefined : Math.min(...list.map(({ atMs }) => atMs)));
        }
      }),
    );
  });
});
