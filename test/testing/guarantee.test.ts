import { describe, expect, it } from 'vitest';
import { guaranteeOf, type Features } from 'sluice/testing';

const features: Features = { ack: 'manual', confirms: 'broker', flowControl: 'credit', headers: 'text' };

describe('guaranteeOf', () => {
  it('is at least once where what is unsettled comes again, and at most once where nobody keeps it', () => {
    expect(guaranteeOf(features)).toBe('at least once');
    expect(guaranteeOf({ ...features, ack: 'auto' })).toBe('at most once');
    expect(guaranteeOf({ ...features, ack: 'none' })).toBe('at most once');
  });

  it('is exactly once only where that is promised', () => {
    expect(guaranteeOf({ ...features, exactlyOnce: true })).toBe('exactly once');
  });
});
