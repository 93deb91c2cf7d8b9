import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap } from '../../src/links/memory-heap.js';

describe('Heap', () => {
  it('gives the least first, whatever was pushed and popped before', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer(), fc.constant('pop' as const))), (steps) => {
        const heap = new Heap<number>((a, b) => a < b);
        let model: number[] = [];
        for (const step of steps) {
          if (step === 'pop') expect(heap.pop()).toBe(model.shift());
          else {
            heap.push(step);
            model = [...model, step].sort((a, b) => a - b);
          }
          expect(heap.size).toBe(model.length);
          expect(heap.peek()).toBe(model[0]);
        }
        expect([...heap.values()].sort((a, b) => a - b)).toEqual(model);
        expect(heap.clear().sort((a, b) => a - b)).toEqual(model);
        expect(heap.pop()).toBeUndefined();
      }),
    );
  });
});
