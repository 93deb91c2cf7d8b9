import { describe, expect, it } from 'vitest';
import { BehaviorSubject } from 'rxjs';
import { fromAsyncIterable, type SluiceError } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';

async function* counting(to: number, log: string[] = []): AsyncGenerator<number> {
  try {
    for (let at = 0; at < to; at += 1) {
      log.push(`give ${at}`);
      yield at;
    }
  } finally {
    log.push('finally');
  }
}

describe('fromAsyncIterable', () => {
  it.each([
    ['an array', [0, 1, 2, 3, 4]],
    ['a set', new Set([0, 1, 2, 3, 4])],
  ])('emits the values of %s and completes after the last settlement', (_name, iterable) => {
    const clock = virtualClock();
    const seen = collect(fromAsyncIterable(iterable, { credit: 3, clock }));
    clock.advance(1);
    expect(seen.payloads).toEqual([0, 1, 2]);
    for (const message of seen.messages) message.ack();
    clock.advance(1);
    expect(seen.completed).toBe(false);
    for (const message of seen.messages) message.ack();
    clock.advance(1);
    expect(seen).toMatchObject({ payloads: [0, 1, 2, 3, 4], completed: true, errors: [] });
  });

  it('asks a generator for no more than the credit, and runs its finally on unsubscribe (law 2)', async () => {
    const clock = virtualClock();
    const log: string[] = [];
    const seen = collect(fromAsyncIterable(counting(100, log), { credit: 2, clock }));
    await clock.run(10);
    expect(log).toEqual(['give 0', 'give 1']);
    seen.messages[0]?.ack();
    await clock.run(10);
    expect(log).toEqual(['give 0', 'give 1', 'give 2']);
    seen.subscription.unsubscribe();
    for (const message of seen.messages) message.ack();
    await clock.run(10);
    expect(log.at(-1)).toBe('finally');
  });

  it.each(['ends', 'throws', 'is left'] as const)(
    'asks an iterator that %s for its return as a loop does, which is only when it is left',
    async (how) => {
      const clock = virtualClock();
      const returned: string[] = [];
      const step = (at: number): IteratorResult<number> => {
        if (at === 2 && how === 'throws') throw new Error('no');
        return at < 2 || how === 'is left' ? { done: false, value: at } : { done: true, value: undefined };
      };
      const made = <R>(name: string, next: () => R, over: R) => ({ next, return: () => (returned.push(name), over) });
      const end: IteratorResult<number> = { done: true, value: undefined };
      let [at, later] = [0, 0];
      const sync = { [Symbol.iterator]: () => made('sync', () => step(at++), end) };
      const async = {
        [Symbol.asyncIterator]: () =>
          made('async', () => Promise.resolve().then(() => step(later++)), Promise.resolve(end)),
      };
      for (const iterable of [sync, async]) {
        const seen = collect(fromAsyncIterable(iterable, { credit: 2, clock }));
        await clock.run(10);
        for (const message of seen.messages) message.ack();
        await clock.run(10);
        if (how === 'is left') seen.subscription.unsubscribe();
        for (const message of seen.messages) message.ack();
        await clock.run(10);
      }
      expect(returned).toEqual(how === 'is left' ? ['sync', 'async'] : []);
    },
  );

  it('leaves an iterator whose return throws or answers with nothing like any other', async () => {
    const clock = virtualClock();
    const answers = [() => undefined, () => expect.fail('no')] as (() => never)[];
    for (const answer of answers) {
      let at = 0;
      const next = () => Promise.resolve({ done: false, value: at++ });
      const iterable = { [Symbol.asyncIterator]: () => ({ next, return: answer }) };
      const seen = collect(fromAsyncIterable(iterable, { credit: 1, clock }));
      await clock.run(10);
      expect(() => seen.subscription.unsubscribe()).not.toThrow();
    }
  });

  it('looks at the credit again when a generator has done something before it yields (law 2)', () => {
    const clock = virtualClock();
    const credit = new BehaviorSubject(8);
    function* closing(): Generator<string> {
      yield 'a';
      credit.next(1);
      yield 'b';
    }
    const seen = collect(fromAsyncIterable(closing(), { credit, clock }));
    clock.advance(0);
    expect(seen.payloads).toEqual(['a']);
    seen.messages[0]?.ack();
    clock.advance(0);
    expect(seen.payloads).toEqual(['a', 'b']);
  });

  it('emits a requeued value again with its attempt raised, and completes at once when there is none', async () => {
    const clock = virtualClock();
    const seen = collect(fromAsyncIterable(counting(2), { clock }), (message) => {
      if (message.payload === 0 && message.attempt === 1) message.nack('again');
      else message.ack();
    });
    await clock.run(10);
    expect(seen.messages.map(({ payload, attempt }) => [payload, attempt])).toEqual([
      [0, 1],
      [0, 2],
      [1, 1],
    ]);
    expect(seen.completed).toBe(true);
    const empty = collect(fromAsyncIterable<number>([], { clock }));
    clock.advance(1);
    expect(empty).toMatchObject({ payloads: [], completed: true });
  });

  it('errors with SOURCE_FAILED and the cause when the iterable throws; what was emitted still settles', async () => {
    const clock = virtualClock();
    function* broken(): Generator<number> {
      yield 1;
      throw new Error('disk');
    }
    async function* brokenLater(): AsyncGenerator<number> {
      yield* broken();
    }
    for (const iterable of [broken(), brokenLater()]) {
      const seen = collect(fromAsyncIterable(iterable, { clock }));
      await clock.run(10);
      expect(seen.payloads).toEqual([1]);
      expect(seen.errors).toHaveLength(1);
      expect(seen.errors[0]).toMatchObject({ code: 'SOURCE_FAILED' });
      expect(((seen.errors[0] as SluiceError).cause as Error).message).toBe('disk');
    }
  });

  it('errors with SOURCE_FAILED when an iterator answers with what is no step', async () => {
    const clock = virtualClock();
    const iterable = { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined as never) }) };
    const seen = collect(fromAsyncIterable(iterable, { clock }));
    await clock.run(10);
    expect(seen.errors).toEqual([expect.objectContaining({ code: 'SOURCE_FAILED' })]);
  });

  it('takes one answer to each question, in a turn of its own, also from what is no promise of the language', async () => {
    const clock = virtualClock();
    let asked = 0;
    const hasty = {
      [Symbol.asyncIterator]: () => ({
        next() {
          const value = (asked += 1);
          const step = { done: value > 20_000, value };
          return {
            then(answer: (given: typeof step) => void) {
              answer(step);
              answer({ done: false, value: -value });
            },
          };
        },
      }),
    };
    let last = 0;
    let count = 0;
    let isOver = false;
    fromAsyncIterable(hasty as unknown as AsyncIterable<number>, { clock }).subscribe({
      next(message) {
        last = message.payload;
        count += 1;
        message.ack();
      },
      complete: () => (isOver = true),
    });
    await clock.run(1_000);
    expect([count, last, isOver]).toEqual([20_000, 20_000, true]);
  });

  it('iterates anew for each subscription', () => {
    const clock = virtualClock();
    const flow = fromAsyncIterable(['a', 'b'], { clock });
    const first = collect(flow, (message) => message.ack());
    const second = collect(flow, (message) => message.ack());
    clock.advance(1);
    expect([first.payloads, second.payloads]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('reads a text letter by letter, and errors with what cannot be asked', () => {
    const clock = virtualClock();
    const letters = collect(fromAsyncIterable('ab', { clock }), (message) => message.ack());
    const broken = {
      [Symbol.asyncIterator]: () => ({
        next: (): never => {
          throw new Error('no');
        },
      }),
    };
    const failing = collect(fromAsyncIterable(broken, { clock }));
    clock.advance(1);
    expect([letters.payloads, letters.completed]).toEqual([['a', 'b'], true]);
    expect(failing.errors).toMatchObject([{ code: 'SOURCE_FAILED' }]);
  });
});
