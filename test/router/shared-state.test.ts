import { BehaviorSubject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { each, field, route, type Message, type Rule, type Stage } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';
import { recorder } from '../helpers/message.js';

interface Booking {
  readonly type: 'deposit' | 'withdraw';
  readonly account: string;
  readonly amount: number;
}

const bookings = Array.from({ length: 40 }, (_, at): Booking => ({
  type: at % 4 < 3 ? 'deposit' : 'withdraw',
  account: at % 2 === 0 ? 'ada' : 'bob',
  amount: at + 1,
}));
const sum = (account: string): number =>
  bookings
    .filter((booking) => booking.account === account)
    .reduce((total, { type, amount }) => total + (type === 'deposit' ? amount : -amount), 0);

/** What two handlers, which read a balance and write it later, make of all bookings; and how many were at work at once. */
async function booked(lane?: (message: Message<Booking>) => string) {
  const clock = virtualClock();
  const { flow, log } = recorder();
  const balances = new Map<string, number>();
  let atWork = 0;
  let most = 0;
  const change = async (account: string, by: number): Promise<void> => {
    most = Math.max(most, (atWork += 1));
    const before = balances.get(account) ?? 0;
    await new Promise<void>((resolve) => void clock.timer(1 + (Math.abs(by) % 3), resolve));
    balances.set(account, before + by);
    atWork -= 1;
  };
  const handlers = {
    deposit: ({ account, amount }: Booking) => change(account, amount),
    withdraw: ({ account, amount }: Booking) => change(account, -amount),
  };
  const handling = each((booking: Booking) => handlers[booking.type](booking), {
    concurrency: 8,
    clock,
    ...(lane === undefined ? {} : { lane }),
  });
  collect(flow(bookings).pipe(handling));
  await clock.run(1_000);
  return { balances, most, acked: log.filter((line) => line.endsWith(' ack')).length };
}

describe('a state that handlers share', () => {
  it('is changed by one handler at a time, when its name is the lane of them all (S4.84)', async () => {
    const { balances, most, acked } = await booked(({ payload }) => payload.account);
    expect([...balances]).toEqual([
      ['ada', sum('ada')],
      ['bob', sum('bob')],
    ]);
    // Each account by one, the two side by side.
    expect([most, acked]).toEqual([2, bookings.length]);
    // Without lanes handlers write over what others wrote meanwhile.
    const free = await booked();
    expect(free.most).toBe(8);
    expect(free.balances.get('ada')).not.toBe(sum('ada'));
  });

  it('is read by all handlers at once, who see the last value and no half of one (S4.85)', () => {
    const { flow, settled } = recorder();
    const prices$ = new BehaviorSubject({ version: 1, buy: 10, sell: 11 });
    const seen: string[] = [];
    const reading = (name: string): Stage<string, never> =>
      each((): void => {
        const { version, buy, sell } = prices$.value;
        seen.push(`${name} ${version}: ${buy} ${sell}`);
      });
    const publishing = each((): void => {
      const { version, buy, sell } = prices$.value;
      prices$.next({ version: version + 1, buy: buy + 1, sell: sell + 1 });
    });
    const rules: Rule<string, never>[] = [
      { name: 'set', when: (message) => message.payload === 'set', to: publishing },
      { name: 'quote', when: (message) => message.payload === 'ask', to: reading('quote') },
      { name: 'audit', when: (message) => message.payload === 'ask', to: reading('audit') },
    ];
    collect(flow(['ask', 'set', 'ask', 'ask']).pipe(route(rules, { match: 'all' })));
    const both = (text: string): string[] => [`quote ${text}`, `audit ${text}`];
    expect(seen).toEqual([...both('1: 10 11'), ...both('2: 11 12'), ...both('2: 11 12')]);
    expect(settled.map(({ outcome }) => outcome)).toEqual(Array(4).fill('ack'));
  });

  it('is changed by no handler when it is frozen: one that tries to has its message nacked (S4.86)', () => {
    const { flow, log } = recorder();
    const limits: { most: number } = Object.freeze({ most: 100 });
    const rules: Rule<{ type: string; n: number; toString(): string }, boolean>[] = [
      { name: 'check', when: field('type', 'check'), to: each(({ n }) => n <= limits.most) },
      { name: 'raise', when: field('type', 'raise'), to: each(({ n }) => (limits.most = n) > 0) },
    ];
    const call = (type: string, n: number) => ({ type, n, toString: () => `${type} ${n}` });
    const out = collect(
      flow([call('check', 7), call('raise', 500), call('check', 200)]).pipe(route(rules)),
      (message) => message.ack(),
    );
    expect(out.payloads).toEqual([true, false]);
    expect(log).toEqual(['check 7 ack', 'raise 500 requeue HANDLER_FAILED', 'check 200 ack']);
  });
});
