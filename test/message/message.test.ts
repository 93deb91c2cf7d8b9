import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { fork, isMessage, join, batchPartial, type Message } from 'sluice';
import { Envelope, isOpen, mark, RELEASED } from '../../src/message/envelope.js';
import { Members } from '../../src/message/members.js';
import { joinedIn } from '../../src/message/parts.js';
import type { Outcome, SourceSettler } from '../../src/message/settler.js';

interface Log {
  readonly settled: { readonly payload: unknown; readonly outcome: Outcome; readonly reason: unknown }[];
  readonly late: { readonly first: string; readonly second: string }[];
}

function messagesOf<T>(...payloads: T[]): { messages: Message<T>[]; log: Log; waiting: { now: boolean } } {
  const log: Log = { settled: [], late: [] };
  const waiting = { now: false };
  let ids = 0;
  const settler: SourceSettler = {
    settle: (root, outcome, reason) => void log.settled.push({ payload: root.payload, outcome, reason }),
    late: (root, _outcome, second) => void log.late.push({ first: root.holder, second }),
    wallMs: () => 0,
    newId: () => `id-${(ids += 1)}`,
    isWaiting: () => waiting.now,
    pending: () => payloads.length - log.settled.length,
    limit: () => payloads.length,
    onWaiting: () => () => undefined,
  };
  const messages = payloads.map(
    (payload) => new Envelope<T>(settler, payload, { topic: 'topic', key: 'key', timeMs: 5, meta: { at: 1 } }),
  );
  return { messages, log, waiting };
}

/** As `unbatch` does. */
function membersOf<T>(batch: Message<T[]>): Envelope<T>[] {
  const inside = new Members(batch, joinedIn(batch) as readonly Message<T>[]);
  const parts = batch.payload.map((payload, at) => inside.take(at, payload));
  inside.seal();
  return parts;
}

const outcomes = (log: Log): Outcome[] => log.settled.map(({ outcome }) => outcome);

describe('a message', () => {
  it('settles once: the first call returns true, later ones false, also through copies (law 1, CRD-04)', () => {
    const { messages, log } = messagesOf('a');
    const [message] = messages as [Message<string>];
    const copy = message.with(1, { topic: 'other' });
    mark(message, 'first stage');
    mark(copy, 'second stage');
    expect(copy.ack()).toBe(true);
    expect(message.ack()).toBe(false);
    expect(message.nack('late')).toBe(false);
    expect(outcomes(log)).toEqual(['ack']);
    expect(log.late).toEqual([
      { first: 'second stage', second: 'first stage' },
      { first: 'second stage', second: 'first stage' },
    ]);
  });

  it('is settled by who did it first, not by who held it last (law 1)', () => {
    const { messages, log } = messagesOf('a');
    const [message] = messages as [Message<string>];
    const copy = message.with(1);
    mark(message, 'first stage');
    mark(copy, 'second stage');
    expect([message.ack(), copy.ack()]).toEqual([true, false]);
    expect(log.late).toEqual([{ first: 'first stage', second: 'second stage' }]);
  });

  it('tells all who watch it, once, and nobody who left', () => {
    const { messages } = messagesOf('one', 'many');
    const told: string[] = [];
    const [one, many] = messages as [Envelope<string>, Envelope<string>];
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => () => void told.push(name)) as (() => void)[];
    one.watch(a as () => void);
    one.unwatch(a as () => void);
    one.unwatch(b as () => void);
    for (const each of [a, b, c, d]) many.watch(each as () => void);
    many.unwatch(b as () => void);
    one.ack();
    expect(told).toEqual([]);
    many.ack();
    many.release();
    expect(told).toEqual(['a', 'c', 'd']);
  });

  it('keeps everything but the payload in a copy, and what the patch names', () => {
    const { messages } = messagesOf('a');
    const [message] = messages as [Message<string>];
    const copy = message.with(2, { topic: 'new', key: 'k2' });
    expect(copy).toMatchObject({ payload: 2, topic: 'new', key: 'k2', timeMs: 5, attempt: 1, meta: { at: 1 } });
    expect(copy.id).toBe(message.id);
    expect(copy.headers).toBe(message.headers);
  });

  it('nacks with requeue by default', () => {
    const { messages, log } = messagesOf('a', 'b', 'c');
    messages[0]?.nack('why');
    messages[1]?.nack('bad', 'dead');
    messages[2]?.nack('no', 'drop');
    expect(log.settled).toEqual([
      { payload: 'a', outcome: 'requeue', reason: 'why' },
      { payload: 'b', outcome: 'dead', reason: 'bad' },
      { payload: 'c', outcome: 'drop', reason: 'no' },
    ]);
  });

  it('aborts its signal exactly once, with the reason (ACK-11)', () => {
    const { messages } = messagesOf('acked', 'released', 'before');
    const aborts: unknown[] = [];
    for (const message of messages.slice(0, 2)) {
      message.signal.addEventListener('abort', () => aborts.push((message.signal.reason as { code: string }).code));
    }
    messages[0]?.ack();
    messages[0]?.nack('again');
    (messages[1] as Envelope<string>).release();
    expect(aborts).toEqual(['MESSAGE_SETTLED', 'SETTLE_LOST']);
    messages[2]?.ack();
    expect(messages[2]?.signal.aborted).toBe(true);
  });

  it('touches nothing once its source took it back (ACK-03, ACK-04)', () => {
    const { messages, log } = messagesOf('a');
    const message = messages[0] as Envelope<string>;
    message.release();
    expect(message.state).toBe(RELEASED);
    expect(message.ack()).toBe(false);
    expect(log.settled).toEqual([]);
    expect(log.late).toHaveLength(1);
  });

  it('is told by its brand', () => {
    expect(isMessage(messagesOf(1).messages[0])).toBe(true);
    expect(isMessage({ payload: 1, ack: () => true })).toBe(false);
    expect(isMessage(null)).toBe(false);
  });
});

describe('fork', () => {
  it('acks the parent after all parts (ACK-09)', () => {
    const { messages, log } = messagesOf('a');
    const parts = fork(messages[0] as Message<string>, 3);
    parts[0]?.ack();
    parts[2]?.ack();
    expect(log.settled).toEqual([]);
    parts[1]?.ack();
    expect(outcomes(log)).toEqual(['ack']);
  });

  it('nacks the parent by the first nack; parts still settle on their own', () => {
    const { messages, log } = messagesOf('a');
    const parts = fork(messages[0] as Message<string>, 3);
    parts[0]?.ack();
    parts[1]?.nack('broken', 'dead');
    expect(log.settled).toEqual([{ payload: 'a', outcome: 'dead', reason: 'broken' }]);
    expect(parts[2]?.nack('too')).toBe(true);
    expect(outcomes(log)).toEqual(['dead']);
    expect(log.late).toEqual([]);
  });

  it('acks the parent when there are no parts', () => {
    const { messages, log } = messagesOf('a');
    expect(fork(messages[0] as Message<string>, 0)).toEqual([]);
    expect(outcomes(log)).toEqual(['ack']);
  });

  it('with any: the first ack is enough, and only all nacks nack', () => {
    const one = messagesOf('a');
    const parts = fork(one.messages[0] as Message<string>, 2, 'any');
    parts[0]?.nack('x');
    expect(one.log.settled).toEqual([]);
    parts[1]?.ack();
    expect(outcomes(one.log)).toEqual(['ack']);
    const none = messagesOf('b');
    const both = fork(none.messages[0] as Message<string>, 2, 'any');
    both[0]?.nack('x', 'drop');
    both[1]?.nack('y', 'dead');
    expect(none.log.settled).toEqual([{ payload: 'b', outcome: 'dead', reason: 'y' }]);
  });

  it('ends the parts with the parent: their signals abort', () => {
    const { messages } = messagesOf('a');
    const [first, second] = fork(messages[0] as Message<string>, 2);
    const { signal } = second as Message<string>;
    first?.nack('x');
    expect(signal.aborted).toBe(true);
  });

  it('tells the original which stage holds a part or a batch of parts', () => {
    const { messages } = messagesOf('a', 'b');
    const [left] = fork(messages[0] as Message<string>, 2);
    const batch = join([left as Message<string>, messages[1] as Message<string>]);
    mark(batch.with(1), 'slow sink');
    expect(messages.map((message) => (message as Envelope<string>).holder)).toEqual(['slow sink', 'slow sink']);
  });

  it('is settled by the stage that settled the part, or by who split it where no other had it (law 1)', () => {
    const { messages, log } = messagesOf('a', 'b', 'c', 'd');
    for (const message of messages) mark(message, 'splitter');
    const [part] = fork(messages[0] as Message<string>, 1);
    const batch = join(messages.slice(1, 3));
    mark(part as Message<string>, 'sink');
    mark(batch, 'sink');
    fork(messages[3] as Message<string>, 1)[0]?.ack();
    expect([part?.ack(), batch.ack()]).toEqual([true, true]);
    expect(messages.map((message) => message.ack())).toEqual([false, false, false, false]);
    expect(log.late.map(({ first }) => first)).toEqual(['sink', 'sink', 'sink', 'splitter']);
  });

  it('refuses what is no message, and a count below 0', () => {
    const { messages, log } = messagesOf('a');
    const refused = expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error;
    expect(() => fork({ payload: 'a' } as Message<string>, 2)).toThrow(refused);
    expect(() => fork(messages[0] as Message<string>, -1)).toThrow(refused);
    expect(log.settled).toEqual([]);
  });

  it('nests: a part can be forked again', () => {
    const { messages, log } = messagesOf('a');
    const [left, right] = fork(messages[0] as Message<string>, 2);
    const inner = fork(left as Message<string>, 2);
    right?.ack();
    inner[0]?.ack();
    expect(log.settled).toEqual([]);
    inner[1]?.ack();
    expect(outcomes(log)).toEqual(['ack']);
  });
});

describe('join', () => {
  it('settles every member alike (ACK-10)', () => {
    const acked = messagesOf(1, 2, 3);
    const batch = join(acked.messages);
    expect(batch.payload).toEqual([1, 2, 3]);
    batch.ack();
    expect(outcomes(acked.log)).toEqual(['ack', 'ack', 'ack']);
    const nacked = messagesOf(1, 2);
    join(nacked.messages).nack('all', 'dead');
    expect(nacked.log.settled.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['dead', 'all'],
      ['dead', 'all'],
    ]);
  });

  it('nacks only the members a partial failure names', () => {
    const { messages, log } = messagesOf('a', 'b', 'c');
    join(messages).nack(batchPartial(new Map([[1, 'bad']])), 'dead');
    expect(log.settled).toEqual([
      { payload: 'a', outcome: 'ack', reason: undefined },
      { payload: 'b', outcome: 'dead', reason: 'bad' },
      { payload: 'c', outcome: 'ack', reason: undefined },
    ]);
    expect(batchPartial(new Map([[1, 'bad']])).code).toBe('BATCH_PARTIAL');
  });

  it('nacks all members when a partial failure names one that is not there: none is known to be done', () => {
    const { messages, log } = messagesOf('a', 'b');
    // Counted from 1: what is named as the second was the first.
    join(messages).nack(batchPartial(new Map([[2, 'bad']])), 'dead');
    expect(outcomes(log)).toEqual(['dead', 'dead']);
    const parts = messagesOf('a', 'b');
    const [left, right] = fork(join(parts.messages), 2) as [Message<string[]>, Message<string[]>];
    left.nack(batchPartial(new Map([[7, 'bad']])), 'dead');
    right.ack();
    expect(outcomes(parts.log)).toEqual(['dead', 'dead']);
    for (const at of [-1, 0.5, '1'])
      expect(() => batchPartial(new Map([[at as number, 'bad']]))).toThrow('positions in the batch');
  });

  it('is done with a member that one branch refused only where another may be, whatever that one notes (laws 1, 4)', () => {
    for (const [settle, expected] of [
      ['all', ['ack', 'dead', 'dead', 'dead']],
      ['any', ['ack', 'ack', 'ack', 'dead']],
    ] as const) {
      for (const order of [
        [0, 1],
        [1, 0],
      ] as const) {
        const { messages, log } = messagesOf('a', 'b', 'c', 'd');
        const parts = fork(join(messages), 2, settle);
        const branches = [
          () =>
            parts[0]?.nack(
              batchPartial(
                new Map([
                  [1, 'no'],
                  [3, 'no'],
                ]),
              ),
              'dead',
            ),
          () => {
            const [first, second, third, fourth] = membersOf(parts[1] as Message<string[]>);
            first?.ack('filtered');
            second?.ack('filtered');
            third?.nack('no', 'dead');
            fourth?.nack('no', 'dead');
          },
        ];
        for (const at of order) branches[at]?.();
        expect([settle, order, outcomes(log)]).toEqual([settle, order, expected]);
      }
    }
  });

  it('takes a position that a branch names and the batch does not have as all of it, under any too', () => {
    const { messages, log } = messagesOf('a', 'b');
    const [left, right] = fork(join(messages), 2, 'any');
    left?.nack(batchPartial(new Map([[7, 'bad']])), 'dead');
    right?.nack(batchPartial(new Map([[1, 'bad']])), 'dead');
    expect(outcomes(log)).toEqual(['ack', 'dead']);
  });

  it('leaves members alone that were settled or taken back before', () => {
    const { messages, log } = messagesOf('a', 'b');
    const batch = join(messages);
    messages[0]?.ack();
    (messages[1] as Envelope<string>).release();
    expect(isOpen(messages[0] as Message<string>)).toBe(false);
    batch.ack();
    expect(outcomes(log)).toEqual(['ack']);
    expect(log.late).toEqual([]);
  });

  it('tells the source of a second settlement, and who held it first (law 1)', () => {
    const { messages, log } = messagesOf('a', 'b');
    mark(messages[0] as Message<string>, 'batch');
    const batch = join(messages);
    expect([batch.ack(), batch.ack()]).toEqual([true, false]);
    expect(log.late).toEqual([{ first: 'batch', second: 'batch' }]);
  });

  it('aborts its signal once none of its members can be settled any more', () => {
    const { messages } = messagesOf('a', 'b');
    const batch = join(messages);
    const { signal } = batch;
    messages[0]?.ack();
    expect(signal.aborted).toBe(false);
    messages[1]?.nack('no');
    expect(signal.aborted).toBe(true);
    expect(join(messages).signal.aborted).toBe(true);
  });

  it('listens to each member once, however often its signal is asked for', () => {
    const { messages } = messagesOf('a', 'b');
    const batch = join(messages);
    const [left, right] = fork(batch, 2);
    for (let again = 0; again < 3; again += 1) {
      expect([batch, left, right].map((one) => one?.signal.aborted)).toEqual([false, false, false]);
    }
    for (const { signal } of messages) expect(getEventListeners(signal, 'abort').length).toBe(1);
  });

  it('refuses an empty list, and what is no list of messages', () => {
    const { messages } = messagesOf('a');
    for (const given of [[], messages[0], ['a']]) {
      expect(() => join(given as unknown as Message<string>[])).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error,
      );
    }
  });
});
