import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from 'sluice';
import { Flight, Flights } from '../../src/connection/flights.js';

describe('Flights', () => {
  it('keeps the order it was sent in, whatever is answered when, and counts each answer once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), (steps) => {
        const flights = new Flights<number>();
        const owner = { confirmed: () => undefined, refused: () => undefined };
        const model: Flight<number>[] = [];
        const ended: Flight<number>[] = [];
        for (const step of steps) {
          const chosen = model[step];
          if (chosen === undefined) {
            const flight = new Flight<number>(owner, {} as Message<number>);
            flights.add(flight);
            model.push(flight);
          } else {
            expect(flights.end(chosen)).toBe(true);
            model.splice(step, 1);
            ended.push(chosen);
          }
          for (const flight of ended) expect(flights.end(flight)).toBe(false);
          expect([flights.size, flights.oldest]).toEqual([model.length, model[0]]);
          expect(flights.toArray()).toEqual(model);
        }
        expect(flights.clear()).toEqual(model);
        expect([flights.size, flights.oldest]).toEqual([0, undefined]);
        for (const flight of model) expect(flights.end(flight)).toBe(false);
      }),
    );
  });
});
