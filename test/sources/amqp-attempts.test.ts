import { describe, expect, it } from 'vitest';
import { AmqpAttempts } from '../../src/sources/amqp-attempts.js';
import { delivered } from '../helpers/amqp.js';

describe('the attempts of a message', () => {
  it('are those that the queue counted, where it does', () => {
    const attempts = new AmqpAttempts();
    attempts.failed('a', 1);
    expect(attempts.of(delivered(1, { messageId: 'a', headers: { 'x-delivery-count': 2 } }))).toBe(3);
  });

  it('grow also where the sender wrote the count and the queue does not, whatever number it is (B24)', () => {
    const attempts = new AmqpAttempts();
    const of = (count: unknown): number =>
      attempts.of(delivered(1, { messageId: 'a', headers: { 'x-delivery-count': count } }));
    for (let attempt = 3; attempt < 7; attempt += 1) {
      expect(of(2)).toBe(attempt);
      attempts.failed('a', attempt);
    }
    expect([-5, NaN, Infinity, 0.5, 1e300, '9'].map(of)).toEqual([7, 7, 7, 7, 7, 7]);
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
