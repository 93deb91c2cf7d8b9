import { describe, expect, it } from 'vitest';
import { NO_HEADERS } from 'sluice';
import { headersToSend } from '../../src/connection/headers-to-send.js';

describe('headersToSend', () => {
  it('gives headers as they are', () => {
    for (const headers of [NO_HEADERS, {}, { a: '1' }, Object.create(null) as typeof NO_HEADERS])
      expect(headersToSend(headers)).toBe(headers);
  });

  it('refuses what has no values by name, or would count as none (B31)', () => {
    for (const wrong of [null, undefined, 'a: 1', 5, [], new Map([['a', '1']]), new Headers({ a: '1' })])
      expect(() => headersToSend(wrong as never)).toThrow(
        expect.objectContaining({ code: 'ENCODE_FAILED', retriable: false }) as Error,
      );
  });
});
