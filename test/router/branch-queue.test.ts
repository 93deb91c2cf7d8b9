import { describe, expect, it } from 'vitest';
import type { Message } from 'sluice';
import { ConflatingQueue, OrderedQueue, type BranchQueue } from '../../src/router/branch-queue.js';
import { recorder } from '../helpers/message.js';

function drained(queue: BranchQueue<string>): string[] {
  const texts: string[] = [];
  for (let message = queue.shift(); message !== undefined; message = queue.shift()) texts.push(message.payload);
  return texts;
}

describe('OrderedQueue', () => {
  it('gives the oldest way beyond its limit', () => {
    const { message } = recorder();
    const queue = new OrderedQueue<string>(2);
    expect(['a', 'b', 'c'].map((text) => queue.push(message(text))?.payload)).toEqual([undefined, undefined, 'a']);
    expect(queue.length).toBe(2);
    expect(drained(queue)).toEqual(['b', 'c']);
  });

  it('forgets what was settled meanwhile before it gives anything way', () => {
    const { message } = recorder();
    const queue = new OrderedQueue<string>(2);
    const settled = ['a', 'b'].map((text) => message(text));
    for (const each of settled) queue.push(each);
    for (const each of settled) each.ack();
    expect(queue.push(message('c'))).toBeUndefined();
    expect(drained(queue)).toEqual(['c']);
  });
});

describe('ConflatingQueue', () => {
  it('keeps keys and topics apart', () => {
    const { message } = recorder();
    const queue = new ConflatingQueue<string>();
    const sent: Message<string>[] = [
      message('1', { key: 'x' }),
      message('2', { topic: 'x' }),
      message('3', { key: 'x' }),
      message('4', { topic: 'x', key: '' }),
      message('5', { topic: 'y' }),
    ];
    expect(sent.map((each) => queue.push(each)?.payload)).toEqual([undefined, undefined, '1', undefined, undefined]);
    expect(queue.length).toBe(4);
    expect(drained(queue)).toEqual(['3', '2', '4', '5']);
  });
});
