import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Unsettled } from '../../src/connection/unsettled.js';
import { Envelope } from '../../src/message/envelope.js';
import type { Settler } from '../../src/message/settler.js';

describe('Unsettled', () => {
  it('keeps the order of emission, whatever is settled when or comes back, and removes each once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), (steps) => {
        const list = new Unsettled();
        const model: Envelope<unknown>[] = [];
        const removed: Envelope<unknown>[] = [];
        for (const step of steps) {
          const chosen = model[step];
          if (chosen !== undefined) {
            expect(list.remove(chosen)).toBe(true);
            model.splice(step, 1);
            removed.push(chosen);
          } else {
            // Every third one is a message that was put aside and is back.
            const back = step % 3 === 0 ? removed.shift() : undefined;
            const message = back ?? new Envelope<unknown>({} as Settler, step, { topic: 't', bytes: step });
            list.add(message);
            model.push(message);
          }
          for (const message of removed) expect(list.remove(message)).toBe(false);
          expect(list.toArray()).toEqual(model);
          expect(list.size).toBe(model.length);
          expect(list.bytes).toBe(model.reduce((sum, { bytes }) => sum + bytes, 0));
        }
      }),
    );
  });
});
