import { describe, expect, it } from 'vitest';
import { AmqpAttempts } from '../../src/sources/amqp-attempts.js';
import { delivered } from '../helpers/amqp.js';

describe('the attempts of a message', () => {
  it('are those that the queue counted, where it does', () => {
    const attempts = new AmqpAttempts();
    attempts.failed('a', 7);
    expect(attempts.of(delivered(1, { messageId: 'a', headers: { 'x-delivery-count': 2 } }))).toBe(3);
  });

  it('are counted by id otherwise, until it is done', () => {
    const attempts = new AmqpAttempts();
    const message = delivered(1, { messageId: 'a' }, { redelivered: true });
    expect(attempts.of(message)).toBe(2);
    attempts.failed('a', 2);
    expect(attempts.of(message)).toBe(3);
    attempts.done('a');
    expect(attempts.of(message)).toBe(2);
  });

  it('are only known as first or later without an id', () => {
    const attempts = new AmqpAttempts();
    expect([attempts.of(delivered(1)), attempts.of(delivered(1, {}, { redelivered: true }))]).toEqual([1, 2]);
  });

  it('are forgotten for the oldest of more than 10,000 ids', () => {
    const attempts = new AmqpAttempts();
    for (let at = 0; at <= 10_000; at += 1) attempts.failed(`${at}`, 4);
    const of = (messageId: string): number => attempts.of(delivered(1, { messageId }));
    expect([of('0'), of('1'), of('10000')]).toEqual([1, 5, 5]);
  });
});
