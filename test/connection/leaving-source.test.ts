import { describe, expect, it } from 'vitest';
import { SluiceError } from 'sluice';
import { defineSource, type Delivery, type ReaderContext } from 'sluice/connection';
import { virtualClock } from 'sluice/testing';
import { withScope, type SourceHandle } from '../../src/connection/scope.js';
import { collect } from '../helpers/collect.js';

const delivery = (payload: string): Delivery<string> => ({ payload, topic: 't', position: payload });

/** A reader that its far side sets messages aside for, and that can work them off before it goes. */
function rig(leaves = true) {
  const clock = virtualClock();
  const told: string[] = [];
  let context: ReaderContext<string> | undefined;
  let opened = 0;
  const flow = defineSource<string>(
    {
      connector: 'rig',
      credit: 2,
      open(given) {
        context = given;
        opened += 1;
        return {
          resume: () => undefined,
          settle: (position, outcome) => void told.push(`${String(position)} ${outcome}`),
          leave() {
            told.push('leave');
            return leaves;
          },
          stop: () => void told.push('stop'),
          close: () => void told.push('close'),
        };
      },
    },
    { clock },
  );
  let source: SourceHandle | undefined;
  const seen = withScope({ addSource: (handle) => void (source = handle) }, () => collect(flow));
  return {
    clock,
    told,
    seen,
    context: context as unknown as ReaderContext<string>,
    source: source as unknown as SourceHandle,
    opened: () => opened,
  };
}

describe('a drain of a reader that can leave', () => {
  it('emits what is left for it, also what comes meanwhile, and completes at its end (REC-10)', async () => {
    const { clock, told, seen, context, source } = rig();
    for (const text of 'abc') context.offer(delivery(text));
    source.drain();
    seen.messages.forEach((message) => message.ack());
    await clock.run(1);
    expect(seen.payloads).toEqual(['a', 'b', 'c']);
    context.offer(delivery('d'));
    context.end();
    expect(seen.completed).toBe(false);
    seen.messages.slice(2).forEach((message) => message.ack());
    await clock.run(1);
    expect(seen.payloads).toEqual(['a', 'b', 'c', 'd']);
    expect(seen.completed).toBe(true);
    expect(told).toEqual(['leave', 'a ack', 'b ack', 'c ack', 'd ack', 'close']);
  });

  it('stops it where it has nothing to leave', async () => {
    const { clock, told, seen, context, source } = rig(false);
    for (const text of 'abc') context.offer(delivery(text));
    source.drain();
    seen.messages.forEach((message) => message.ack());
    await clock.run(1);
    expect(seen.completed).toBe(true);
    expect(told).toEqual(['leave', 'stop', 'c release', 'a ack', 'b ack', 'close']);
  });

  it('stops when the line breaks meanwhile, and opens no other one', async () => {
    const { clock, seen, context, source, opened } = rig();
    for (const text of 'abc') context.offer(delivery(text));
    source.drain();
    context.lost(new SluiceError('CONNECTION_LOST', 'gone', { retriable: true }));
    await clock.run(60_000);
    expect(seen.completed).toBe(true);
    expect(seen.payloads).toEqual(['a', 'b']);
    expect(opened()).toBe(1);
  });

  it('stops when it is unsubscribed meanwhile, and hands the rest back', async () => {
    const { clock, told, seen, context, source } = rig();
    for (const text of 'abc') context.offer(delivery(text));
    source.drain();
    seen.subscription.unsubscribe();
    seen.messages.forEach((message) => message.ack());
    await clock.run(1);
    expect(seen.payloads).toEqual(['a', 'b']);
    expect(told).toEqual(['leave', 'stop', 'c release', 'a ack', 'b ack', 'close']);
  });
});
