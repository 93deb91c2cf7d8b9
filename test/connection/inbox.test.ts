import { describe, expect, it } from 'vitest';
import { deliverAgain, Inbox } from '../../src/connection/inbox.js';
import { Envelope } from '../../src/message/envelope.js';
import type { Settler } from '../../src/message/settlement.js';

const source = { newId: () => 'id-1', wallMs: () => 42 } as unknown as Settler;

describe('Inbox', () => {
  it('knows the bytes of what waits, from whichever end it is taken', () => {
    const inbox = new Inbox<string>();
    for (const bytes of [1, 2, 4, undefined]) inbox.push({ payload: 'x', topic: 't', bytes });
    expect([inbox.length, inbox.bytes]).toEqual([4, 7]);
    expect(inbox.peek()?.bytes).toBe(1);
    expect(inbox.shift()?.bytes).toBe(1);
    inbox.pop();
    expect(inbox.pop()?.bytes).toBe(4);
    expect([inbox.length, inbox.bytes]).toEqual([1, 2]);
    expect(inbox.clear()).toHaveLength(1);
    expect([inbox.length, inbox.bytes, inbox.shift(), inbox.pop()]).toEqual([0, 0, undefined, undefined]);
  });

  it('takes a requeued message back with its next attempt and a released one with the same', () => {
    const inbox = new Inbox<string>();
    const delivery = { payload: 'a', topic: 't', key: 'k', id: 'id-9', timeMs: 5, attempt: 2, bytes: 3, position: 7 };
    const message = new Envelope(source, delivery.payload, delivery);
    deliverAgain(inbox, message, 'requeue');
    deliverAgain(inbox, message, 'release');
    expect(inbox.clear()).toMatchObject([{ ...delivery, attempt: 3 }, delivery]);
  });

  it('stamps a message with the time it came when its transport told none', () => {
    const message = new Envelope(source, 'a', { topic: 't' });
    expect([message.timeMs, message.attempt, message.id]).toEqual([42, 1, 'id-1']);
  });
});
