import { describe, expect, it } from 'vitest';
import {
  each,
  isSluiceError,
  memoryBroker,
  memorySink,
  memorySource,
  observe,
  payload,
  run,
  useClock,
  type Flow,
  type MemoryBroker,
} from 'sluice';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';

interface Change {
  readonly account: string;
  readonly balance: number;
}

function codeOf(work: () => void): string {
  try {
    work();
  } catch (error) {
    if (isSluiceError(error)) return error.code;
  }
  return 'no error';
}

describe('memoryBroker', () => {
  it('carries messages between components that know only its topics (S0.3, S3.18, S3.20, S3.38, S4.2, S4.82)', async () => {
    const clock = virtualClock();
    const restore = useClock(clock);
    const broker = memoryBroker();
    // The two components: neither knows of the other.
    const shop = (orders: Flow<number>, to: MemoryBroker): unknown =>
      run(orders.pipe(payload((amount) => ({ amount }))), memorySink(to, { topic: 'orders' }));
    const billed: number[] = [];
    const billing = (from: MemoryBroker): unknown =>
      run(
        memorySource<{ amount: number }>(from, { topic: 'orders', group: 'billing' }).pipe(
          each((order) => void billed.push(order.amount)),
        ),
        memorySink(from, { topic: 'unused' }),
      );
    for (const amount of [10, 20, 30]) broker.publish({ topic: 'entered', payload: amount });
    shop(memorySource<number>(broker, { topic: 'entered' }), broker);
    await clock.run(1);
    expect([billed, broker.peek.depth('orders')]).toEqual([[], 3]);
    billing(broker);
    await clock.run(1);
    restore();
    expect(billed).toEqual([10, 20, 30]);
    expect(['entered', 'orders'].map((topic) => broker.peek.unsettled(topic))).toEqual([0, 0]);
    expect(broker.peek.depth('unused')).toBe(0);
  });

  it('delivers what was read and not settled again after its reader ended (S3.23)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (const value of [1, 2, 3]) broker.publish({ topic: 'in', payload: value });
    const crashed = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 2, closeTimeoutMs: 0 }));
    clock.advance(0);
    crashed.messages[0]?.ack();
    crashed.subscription.unsubscribe();
    clock.advance(1);
    const next = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(0);
    expect(next.messages.map((message) => [message.payload, message.attempt])).toEqual([
      [2, 2],
      [3, 1],
    ]);
  });

  it('carries commands: who sends one waits for nobody and hears of no failure, which is logged (S4.5, S4.35, S4.36, S4.64)', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const logged: string[] = [];
    const stop = observe((event) => {
      if (event.type === 'message.nacked') logged.push(`${event.then} ${String((event.reason as Error).cause)}`);
    });
    const done: string[] = [];
    const handle = (command: string): void => {
      if (command === 'jump') throw new TypeError('nobody can jump');
      done.push(command);
    };
    // Nobody is there to answer.
    for (const payload of ['walk', 'jump', 'rest']) broker.publish({ topic: 'commands', payload });
    const running = run(
      memorySource<string>(broker, { topic: 'commands', clock }).pipe(each(handle, { onError: 'dead', clock })),
      memorySink(broker, { topic: 'answers', clock }),
      { clock },
    );
    await clock.run(1);
    stop();
    expect(done).toEqual(['walk', 'rest']);
    expect(logged).toEqual(['dead TypeError: nobody can jump']);
    expect([broker.peek.published('answers'), broker.peek.unsettled('commands')]).toEqual([0, 0]);
    const stopped = running.stop();
    await clock.run(1);
    expect((await stopped).clean).toBe(true);
  });

  it('feeds a view that is behind and catches up, also one that was away in the middle of it (S3.73)', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const balances = new Map<string, number>();
    const seen = new Set<number>();
    /** Reads what there is, into the view, at the pace of a slow store. */
    const project = () =>
      run(
        memorySource<Change>(broker, { topic: 'balances', group: 'view', credit: 2, clock, closeTimeoutMs: 0 }).pipe(
          each(
            async ({ account, balance }: Change): Promise<void> => {
              await new Promise<void>((resolve) => void clock.timer(10, resolve));
              balances.set(account, balance);
              seen.add(balance);
            },
            { clock },
          ),
        ),
        memorySink(broker, { topic: 'unused', clock }),
        { clock, drainTimeoutMs: 0 },
      );
    const change = (from: number, to: number): void => {
      for (let n = from; n < to; n += 1)
        broker.publish({ topic: 'balances', payload: { account: `a${n % 3}`, balance: n } satisfies Change });
    };
    change(0, 30);
    const first = project();
    await clock.run(105);
    // It shows what was true once.
    expect([...balances]).toEqual([
      ['a0', 9],
      ['a1', 7],
      ['a2', 8],
    ]);
    const stopped = first.stop();
    await clock.run(10);
    expect((await stopped).clean).toBe(false);
    change(30, 60);
    const second = project();
    await clock.run(1_000);
    expect([...balances]).toEqual([
      ['a0', 57],
      ['a1', 58],
      ['a2', 59],
    ]);
    expect(seen.size).toBe(60);
    expect([broker.peek.depth('balances', 'view'), broker.peek.unsettled('balances', 'view')]).toEqual([0, 0]);
    void second.stop();
    await clock.run(10);
  });

  it('never delivers while somebody publishes', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(0);
    broker.publish({ topic: 'in', payload: 1 });
    expect(seen.payloads).toEqual([]);
    clock.advance(0);
    expect(seen.payloads).toEqual([1]);
  });

  it('carries the way to answer a request', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const replies: unknown[] = [];
    const reply = {
      send: (value: unknown) => Promise.resolve(void replies.push(value)),
      end: () => Promise.resolve(void replies.push('end')),
    };
    broker.publish({ topic: 'in', payload: 2, reply });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(0);
    expect(seen.messages[0]?.reply).toBe(reply);
    await seen.messages[0]?.reply?.send(4);
    await seen.messages[0]?.reply?.end();
    expect(replies).toEqual([4, 'end']);
  });

  it('keeps topics apart, whatever their names (DEL-06)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const names = ['a', 'a.b', 'a/b', 'a/+', 'a.*', '#', 'ä€😀', '__proto__', 'toString'];
    for (const name of names) broker.publish({ topic: name, payload: name });
    for (const name of names) {
      const seen = collect(memorySource<string>(broker, { topic: name, clock }));
      clock.advance(0);
      expect(seen.payloads).toEqual([name]);
    }
    expect(broker.peek.topics()).toEqual(names);
  });

  it('refuses a message without a topic, and more topics than it was allowed', () => {
    const broker = memoryBroker({ maxTopics: 1 });
    expect(codeOf(() => broker.publish({ topic: '', payload: 1 }))).toBe('CONFIG_INVALID');
    broker.publish({ topic: 'a', payload: 1 });
    expect(codeOf(() => broker.publish({ topic: 'b', payload: 1 }))).toBe('OVERFLOW');
    broker.publish({ topic: 'a', payload: 2 });
    expect(broker.peek.published('a')).toBe(2);
  });

  it('peeks at what is not there without making it', () => {
    const { peek } = memoryBroker();
    const { depth, unsettled, committed, consumers, published, dropped, dead } = peek;
    const seen = [depth, unsettled, committed, consumers, published, dropped, dead].map((look) => look('no'));
    expect(seen).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect([peek.groups('no'), peek.topics(), peek.connections()]).toEqual([[], [], 0]);
  });
});
