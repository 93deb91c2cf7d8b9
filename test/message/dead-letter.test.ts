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

  it('takes any reason, without line breaks, and cuts it short', () => {
    const of = (reason: unknown): unknown => {
      const headers = deadLetterHeaders(received(), reason);
      return [headers['x-dead-reason'], headers['x-dead-code']];
    };
    expect(of(new TypeError('a\r\nx-evil: 1\u0000'))).toEqual(['a x-evil: 1 ', 'TypeError']);
    expect(of('text')).toEqual(['text', 'unknown']);
    expect(of({ password: 'p' })).toEqual(['no reason given', 'unknown']);
    expect((of('x'.repeat(9_999)) as string[])[0]).toHaveLength(500);
  });
});
