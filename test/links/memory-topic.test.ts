import { describe, expect, it } from 'vitest';
import {
  each,
  fromAsyncIterable,
  isSluiceError,
  memoryBroker,
  memorySink,
  memorySource,
  run,
  type MemoryBroker,
  type MemoryReceipt,
} from 'sluice';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';

function publish(broker: MemoryBroker, ...payloads: readonly unknown[]): void {
  for (const payload of payloads) broker.publish({ topic: 'in', payload });
}

function codeOf(work: () => void): string {
  try {
    work();
  } catch (error) {
    if (isSluiceError(error)) return `${error.code}${error.retriable ? ' retriable' : ''}`;
  }
  return 'no error';
}

/** Answers of the broker, in the order they came. */
function receipts(): { readonly answers: string[]; for(name: string): MemoryReceipt } {
  const answers: string[] = [];
  return {
    answers,
    for: (name) => ({
      confirm: () => void answers.push(`${name} confirmed`),
      fail: (error) => void answers.push(`${name} ${error.code}`),
    }),
  };
}

describe('what was published before', () => {
  it('waits for the first group, whatever its name (S3.20, S3.21)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    publish(broker, 1, 2);
    expect(broker.peek.depth('in')).toBe(2);
    const first = collect(memorySource<number>(broker, { topic: 'in', group: 'bill', clock }));
    const later = collect(memorySource<number>(broker, { topic: 'in', group: 'audit', clock }));
    publish(broker, 3);
    clock.advance(0);
    expect([first.payloads, later.payloads]).toEqual([[1, 2, 3], [3]]);
  });

  it('is replayed to a later group as far as it is retained (S3.19, DEL-07)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, retainMessages: 3 });
    const first = collect(
      memorySource<number>(broker, { topic: 'in', group: 'a', clock }),
      (m) => void m.nack('x', 'drop'),
    );
    publish(broker, 1, 2, 3, 4, 5);
    clock.advance(0);
    expect(first.payloads).toEqual([1, 2, 3, 4, 5]);
    const from = (group: string, begin: 'earliest' | 'latest' | number): unknown[] => {
      const seen = collect(memorySource<number>(broker, { topic: 'in', group, from: begin, clock }));
      clock.advance(0);
      seen.subscription.unsubscribe();
      return seen.messages.map((message) => [message.payload, message.attempt, message.meta]);
    };
    expect(from('b', 'earliest')).toEqual([
      [3, 1, { partition: 0, offset: 2 }],
      [4, 1, { partition: 0, offset: 3 }],
      [5, 1, { partition: 0, offset: 4 }],
    ]);
    expect(from('c', 3)).toEqual([
      [4, 1, { partition: 0, offset: 3 }],
      [5, 1, { partition: 0, offset: 4 }],
    ]);
    expect(from('d', 'latest')).toEqual([]);
    expect(broker.peek.dropped('in')).toBe(0);
  });

  it('is given up, and counted, by a first group that begins with the latest', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    publish(broker, 1, 2);
    const seen = collect(memorySource<number>(broker, { topic: 'in', from: 'latest', clock }));
    publish(broker, 3);
    clock.advance(0);
    expect(seen.payloads).toEqual([3]);
    expect(broker.peek.dropped('in')).toBe(2);
  });

  it('is not read twice by a group that comes back', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, retainMessages: 10 });
    publish(broker, 1, 2);
    const first = collect(memorySource<number>(broker, { topic: 'in', clock }), (m) => void m.ack());
    clock.advance(0);
    first.subscription.unsubscribe();
    publish(broker, 3);
    const second = collect(memorySource<number>(broker, { topic: 'in', clock }));
    clock.advance(0);
    expect(second.payloads).toEqual([3]);
  });
});

describe('a full topic', () => {
  it('refuses with OVERFLOW, and takes again once there is room', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, maxMessages: 2, overflow: 'refuse' });
    const { answers, for: receipt } = receipts();
    publish(broker, 1, 2);
    expect(codeOf(() => publish(broker, 3))).toBe('OVERFLOW retriable');
    broker.publish({ topic: 'in', payload: 4 }, receipt('4'));
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 1 }));
    clock.advance(0);
    broker.publish({ topic: 'in', payload: 5 }, receipt('5'));
    expect(answers).toEqual(['4 OVERFLOW', '5 confirmed']);
    expect([seen.payloads, broker.peek.depth('in')]).toEqual([[1], 2]);
  });

  it('drops the oldest that nobody holds, and counts it', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, maxMessages: 2, overflow: 'drop-oldest' });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 1 }));
    publish(broker, 1);
    clock.advance(0);
    publish(broker, 2, 3, 4, 5);
    seen.messages[0]?.ack();
    clock.advance(0);
    seen.messages[1]?.ack();
    clock.advance(0);
    expect(seen.payloads).toEqual([1, 4, 5]);
    expect(broker.peek.dropped('in')).toBe(2);
  });

  it('drops the newest, only for the group that is full', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, maxMessages: 2, overflow: 'drop-newest' });
    const fast = collect(memorySource<number>(broker, { topic: 'in', group: 'fast', clock }), (m) => void m.ack());
    const slow = collect(memorySource<number>(broker, { topic: 'in', group: 'slow', clock, credit: 1 }));
    for (const payload of [1, 2, 3, 4, 5]) {
      publish(broker, payload);
      clock.advance(0);
    }
    expect(fast.payloads).toEqual([1, 2, 3, 4, 5]);
    for (let at = 0; at < 3; at += 1) {
      slow.messages[at]?.ack();
      clock.advance(0);
    }
    expect(slow.payloads).toEqual([1, 2, 3]);
    expect(broker.peek.dropped('in')).toBe(2);
  });

  it('lets publishers wait, in their order, until there is room', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, maxMessages: 1 });
    const { answers, for: receipt } = receipts();
    for (const payload of [1, 2, 3]) broker.publish({ topic: 'in', payload }, receipt(String(payload)));
    expect(codeOf(() => publish(broker, 4))).toBe('OVERFLOW retriable');
    expect(answers).toEqual(['1 confirmed']);
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 1 }));
    clock.advance(0);
    expect(answers).toEqual(['1 confirmed', '2 confirmed']);
    seen.messages[0]?.ack();
    clock.advance(0);
    expect(answers).toEqual(['1 confirmed', '2 confirmed', '3 confirmed']);
    seen.messages[1]?.ack();
    clock.advance(0);
    expect(seen.payloads).toEqual([1, 2, 3]);
  });

  it.each([4, 32])(
    'of capacity %i is a bounded queue for workers: who fills it waits, and nothing is lost (S4.65, S4.79, S4.91, S4.93)',
    async (capacity) => {
      const clock = virtualClock();
      const broker = memoryBroker({ clock, topics: { jobs: { maxMessages: capacity } } });
      let made = 0;
      async function* jobs(): AsyncGenerator<number> {
        while (made < 500) yield (made += 1);
      }
      const filling = run(
        fromAsyncIterable(jobs(), { credit: 2, clock }),
        memorySink(broker, { topic: 'jobs', clock, maxUnconfirmed: 2 }),
        { clock },
      );
      await clock.run(60_000);
      // Nobody works yet: it is full, two wait for room, and no more were made.
      expect([broker.peek.depth('jobs'), made]).toEqual([capacity, capacity + 2]);
      const done: number[] = [];
      let atWork = 0;
      let most = 0;
      let inAll = 0;
      let ahead = 0;
      const work = async (job: number): Promise<void> => {
        most = Math.max(most, (atWork += 1));
        await new Promise<void>((resolve) => void clock.timer(10, resolve));
        inAll = Math.max(inAll, broker.peek.depth('jobs') + broker.peek.unsettled('jobs'));
        ahead = Math.max(ahead, made - done.length);
        atWork -= 1;
        done.push(job);
      };
      collect(
        memorySource<number>(broker, { topic: 'jobs', credit: 3, clock }).pipe(each(work, { concurrency: 3, clock })),
      );
      await clock.run(60_000);
      expect((await filling.done).clean).toBe(true);
      expect(done).toEqual(Array.from({ length: 500 }, (_, at) => at + 1));
      // What waits, what is at work, and what waits for room: each at its bound, and no more.
      expect([most, inAll, ahead]).toEqual([3, capacity + 3, capacity + 3 + 2]);
    },
  );

  it('lets nobody overtake the publishers that wait', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, maxMessages: 1 });
    const { answers, for: receipt } = receipts();
    for (const payload of [1, 2]) broker.publish({ topic: 'in', payload }, receipt(String(payload)));
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock }), (message) => {
      if (message.payload === 1) broker.publish({ topic: 'in', payload: 3 }, receipt('3'));
      message.ack();
    });
    clock.advance(0);
    expect(seen.payloads).toEqual([1, 2, 3]);
    expect(answers).toEqual(['1 confirmed', '2 confirmed', '3 confirmed']);
  });

  it('counts bytes as well, and lets a payload pass that is alone', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, maxBytes: 10, overflow: 'refuse' });
    publish(broker, new Uint8Array(20));
    expect(codeOf(() => publish(broker, 'x'))).toBe('OVERFLOW retriable');
    const seen = collect(memorySource(broker, { topic: 'in', clock, credit: 1 }));
    clock.advance(0);
    publish(broker, 'sixsix', 'four');
    expect(codeOf(() => publish(broker, 'x'))).toBe('OVERFLOW retriable');
    expect(seen.messages.length).toBe(1);
  });

  it('takes back what was delivered, full or not: nothing is lost by a requeue', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, maxMessages: 1, overflow: 'drop-oldest' });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, credit: 1 }));
    publish(broker, 1);
    clock.advance(0);
    publish(broker, 2);
    seen.messages[0]?.nack('again');
    expect([broker.peek.depth('in'), broker.peek.dropped('in')]).toEqual([2, 0]);
  });

  it('refuses a payload that is too large and takes the next one (SNK-08, S03)', () => {
    const broker = memoryBroker({ maxPayloadBytes: 64 });
    expect(codeOf(() => publish(broker, new Uint8Array(65)))).toBe('PAYLOAD_TOO_LARGE');
    expect(codeOf(() => publish(broker, 'x'.repeat(65)))).toBe('PAYLOAD_TOO_LARGE');
    publish(broker, new Uint8Array(64));
    expect(broker.peek.depth('in')).toBe(1);
    expect(codeOf(() => publish(memoryBroker(), new Uint8Array(1024 * 1024 + 1)))).toBe('PAYLOAD_TOO_LARGE');
  });
});

describe('dead letters', () => {
  it('move to their topic with why, where from, and how often they were tried (S3.84, ERR-02)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, deadLetterTopic: 'dead' });
    const seen = collect(memorySource<number>(broker, { topic: 'in', clock, maxAttempts: 2 }), (message) => {
      message.with('changed', { topic: 'elsewhere', headers: {} }).nack(new Error('bad\r\nnumber'));
    });
    broker.publish({ topic: 'in', payload: 1, key: 'k', id: 'one', headers: { trace: 't' }, timeMs: 5 });
    clock.advance(0);
    expect(seen.messages.map((message) => message.attempt)).toEqual([1, 2]);
    const dead = collect(memorySource<number>(broker, { topic: 'dead', clock }));
    clock.advance(0);
    const [letter] = dead.messages;
    expect(letter).toMatchObject({ payload: 1, key: 'k', id: 'one', timeMs: 5, topic: 'dead', attempt: 1 });
    expect(letter?.headers).toEqual({
      trace: 't',
      'x-dead-reason': 'Failed 2 times (maxAttempts). Caused by bad number',
      'x-dead-code': 'ATTEMPTS_EXHAUSTED',
      'x-dead-topic': 'in',
      'x-dead-attempt': '2',
      'x-dead-position': '0/0',
      'x-dead-stage': 'memory',
    });
    expect([broker.peek.dead('in'), broker.peek.unsettled('in'), broker.peek.depth('in')]).toEqual([1, 0, 0]);
  });

  it('are dropped and counted where there is no topic for them, and among the dead letters themselves', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, deadLetterTopic: 'dead' });
    const plain = memoryBroker({ clock });
    plain.publish({ topic: 'without', payload: 1 });
    collect(memorySource(plain, { topic: 'without', clock }), (message) => void message.nack('bad', 'dead'));
    clock.advance(0);
    expect([plain.peek.dead('without'), plain.peek.depth('without'), plain.peek.topics()]).toEqual([1, 0, ['without']]);
    broker.publish({ topic: 'dead', payload: 1 });
    collect(memorySource(broker, { topic: 'dead', clock }), (message) => void message.nack('bad', 'dead'));
    clock.advance(0);
    expect([broker.peek.dead('dead'), broker.peek.depth('dead'), broker.peek.published('dead')]).toEqual([1, 0, 1]);
  });

  it('keep the topic they first came from', () => {
    const clock = virtualClock();
    const topics = { first: { deadLetterTopic: 'second' }, second: { deadLetterTopic: 'third' } };
    const broker = memoryBroker({ clock, topics });
    for (const topic of ['first', 'second']) {
      collect(memorySource(broker, { topic, clock }), (message) => void message.nack('bad', 'dead'));
    }
    broker.publish({ topic: 'first', payload: 1 });
    clock.advance(0);
    const seen = collect(memorySource(broker, { topic: 'third', clock }));
    clock.advance(0);
    expect(seen.messages[0]?.headers['x-dead-topic']).toBe('first');
  });

  it('stay where they are while the dead letter topic has no room, and try again later (ERR-05)', () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock, deadLetterTopic: 'dead', topics: { dead: { maxMessages: 1 } } });
    broker.publish({ topic: 'dead', payload: 'full' });
    const at: [number, number][] = [];
    collect(memorySource(broker, { topic: 'in', clock }), (message) => {
      at.push([clock.elapsed(), message.attempt]);
      message.nack('bad', 'dead');
    });
    publish(broker, 1);
    clock.advance(1_500);
    expect(at).toEqual([
      [0, 1],
      [1_000, 1],
    ]);
    expect([broker.peek.depth('in'), broker.peek.dead('in')]).toEqual([1, 0]);
    const dead = collect(memorySource(broker, { topic: 'dead', clock }));
    clock.advance(1_000);
    expect(dead.payloads).toEqual(['full', 1]);
    expect([broker.peek.depth('in'), broker.peek.dead('in')]).toEqual([0, 1]);
  });
});
