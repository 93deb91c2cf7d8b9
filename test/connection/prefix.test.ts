import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Prefix } from '../../src/connection/prefix.js';

/** What the prefix has to be, worked out the slow way: from a set of everything that was settled. */
class NaivePrefix {
  private readonly pushed: number[] = [];
  private readonly settled = new Set<number>();

  push(position: number): number {
    return this.pushed.push(position) - 1;
  }

  settle(ticket: number): boolean {
    const before = this.passed;
    if (ticket >= 0 && ticket < this.pushed.length) this.settled.add(ticket);
    return this.passed > before;
  }

  get passed(): number {
    let at = 0;
    while (this.settled.has(at)) at += 1;
    return at;
  }

  get position(): number | undefined {
    return this.pushed[this.passed - 1];
  }

  get first(): number | undefined {
    return this.pushed[this.passed];
  }
}

describe('Prefix', () => {
  it('never passes a position that is open and reaches all that are settled without a gap', () => {
    const step = fc.oneof(
      { weight: 2, arbitrary: fc.record({ push: fc.nat() }) },
      { weight: 3, arbitrary: fc.record({ settle: fc.integer({ min: -2, max: 120 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const prefix = new Prefix<number>();
        const naive = new NaivePrefix();
        for (const each of steps) {
          if ('push' in each) expect(prefix.push(each.push)).toBe(naive.push(each.push));
          else expect(prefix.settle(each.settle)).toBe(naive.settle(each.settle));
          expect(prefix.passed).toBe(naive.passed);
          expect(prefix.position).toBe(naive.position);
          expect(prefix.first).toBe(naive.first);
        }
      }),
    );
  });

  it('reaches the end when everything is settled in any order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...Array(100).keys()], { minLength: 100 }), (order) => {
        const prefix = new Prefix<number>();
        for (let at = 0; at < 100; at += 1) prefix.push(at);
        const grew = order.filter((ticket) => prefix.settle(ticket));
        expect(grew.length).toBeGreaterThan(0);
        expect(prefix).toMatchObject({ position: 99, size: 0, passed: 100, pushed: 100, first: undefined });
      }),
    );
  });

  it('forgets what it passed, so a long log needs no more room than a short one', () => {
    const prefix = new Prefix<number>();
    for (let at = 0; at < 100_000; at += 1) {
      prefix.push(at);
      if (at >= 10) prefix.settle(at - 10);
    }
    expect(prefix.size).toBe(10);
    expect((prefix as unknown as { slots: unknown[] }).slots).toHaveLength(16);
  });
});
