import { describe, expect, it } from 'vitest';
import { memoryBroker, memorySource, SluiceError, type Message, type MessageHeaders } from 'sluice';
import { deadLetterHeaders } from 'sluice/connection';
import { virtualClock } from 'sluice/testing';
import { collect } from '../helpers/collect.js';

function received(headers: MessageHeaders = {}): Message<unknown> {
  const clock = virtualClock();
  const broker = memoryBroker({ clock });
  broker.publish({ topic: 'orders', payload: 'secret', headers });
  const seen = collect(memorySource(broker, { topic: 'orders', clock }));
  clock.advance(0);
  return seen.messages[0] as Message<unknown>;
}

describe('deadLetterHeaders', () => {
  it('adds reason, code, topic and attempt to the headers there are', () => {
    const error = new SluiceError('DECODE_FAILED', 'not JSON');
    expect(deadLetterHeaders(received({ trace: 't' }), error, 'line 7')).toEqual({
      trace: 't',
      'x-dead-reason': 'not JSON',
      'x-dead-code': 'DECODE_FAILED',
      'x-dead-topic': 'orders',
      'x-dead-attempt': '1',
      'x-dead-stage': 'memory',
      'x-dead-position': 'line 7',
    });
  });

  it('names the stage that gave it up', () => {
    const message = received();
    message.nack('no', 'dead');
    expect(deadLetterHeaders(message, 'no')['x-dead-stage']).toBe('memory');
  });

  it('keeps the first topic of a message that dies again', () => {
    expect(deadLetterHeaders(received({ 'X-Dead-Topic': 'first' }), 'no')['x-dead-topic']).toBe('first');
  });

  it('says why the work failed, causes included, with their codes', () => {
    const of = (reason: unknown): unknown => deadLetterHeaders(received(), reason)['x-dead-reason'];
    const declined = Object.assign(new Error('the card was declined'), { code: 'E_CARD' });
    const failed = new SluiceError('HANDLER_FAILED', 'each(bill) failed.', { cause: declined });
    const exhausted = new SluiceError('ATTEMPTS_EXHAUSTED', 'Failed 3 times (maxAttempts).', { cause: failed });
    expect(of(exhausted)).toBe(
      'Failed 3 times (maxAttempts). ' +
        'Caused by HANDLER_FAILED: each(bill) failed. Caused by E_CARD: the card was declined',
    );
    const told = new SluiceError('HANDLER_FAILED', 'where failed: no such field', {
      cause: new RangeError('no such field'),
    });
    expect(of(told)).toBe('where failed: no such field Caused by RangeError');
    expect(of(new SluiceError('SINK_FAILED', 'no.', { cause: 'thrown text' }))).toBe('no. Caused by thrown text');
    expect(of(new SluiceError('SINK_FAILED', 'no.', { cause: { card: '4111' } }))).toBe('no.');
  });

  it('ends with causes that lead round and round, or are endless', () => {
    const circular = new Error('round');
    circular.cause = circular;
    expect(deadLetterHeaders(received(), circular)['x-dead-reason']).toBe('round');
    const long = new SluiceError('HANDLER_FAILED', 'failed.', { cause: new Error('x'.repeat(9_999)) });
    expect(deadLetterHeaders(received(), long)['x-dead-reason']).toHaveLength(500);
    const pairs = deadLetterHeaders(received(), `x${'\u{1f600}'.repeat(400)}`)['x-dead-reason'] as string;
    expect(pairs).not.toMatch(/\p{Cs}/u);
  });

  it('tells no secret that an error names, and nothing of a payload that JSON.parse quotes', () => {
    const of = (text: string): unknown =>
      deadLetterHeaders(received(), new SluiceError('HANDLER_FAILED', 'failed.', { cause: new Error(text) }))[
        'x-dead-reason'
      ];
    expect([
      of('connect postgres://app:pa:ss@db:5432/orders refused'),
      of('401 for Authorization: Basic YTpi, not Bearer abc.def-g'),
      of('only basic types: no dates'),
      of('login with password=hunter2, user=app'),
      of('{"token": "abc def"} was refused'),
      of('api_key: 12345'),
    ]).toEqual([
      'failed. Caused by connect postgres://***@db:5432/orders refused',
      'failed. Caused by 401 for Authorization: ***, not Bearer ***',
      'failed. Caused by only basic types: no dates',
      'failed. Caused by login with password=***, user=app',
      'failed. Caused by {"token": ***} was refused',
      'failed. Caused by api_key: ***',
    ]);
    for (const payload of ['{"card": 4111x', 'card 4111', '"4111 "card"']) {
      let thrown: unknown;
      try {
        JSON.parse(payload);
      } catch (error) {
        thrown = error;
      }
      const reason = deadLetterHeaders(received(), new SluiceError('HANDLER_FAILED', 'failed.', { cause: thrown }));
      expect(reason['x-dead-reason']).toMatch(/^failed\. Caused by SyntaxError: .*JSON/);
      expect(reason['x-dead-reason']).not.toMatch(/4111/);
    }
  });

  it('takes any reason, without line breaks, and cuts it short', () => {
    const of = (reason: unknown): unknown => {
      const headers = deadLetterHeaders(received(), reason);
      return [headers['x-dead-reason'], headers['x-dead-code']];
    };
    expect(of(new TypeError('a\r\nx-evil: 1\u0000'))).toEqual(['a x-evil: 1 ', 'TypeError']);
    expect(of('text')).toEqual(['text', 'unknown']);
    expect(of('a\u0085b\ufffe\u{1ffff}c')).toEqual(['a b c', 'unknown']);
    expect(of({ password: 'p' })).toEqual(['no reason given', 'unknown']);
    expect((of('x'.repeat(9_999)) as string[])[0]).toHaveLength(500);
  });
});
