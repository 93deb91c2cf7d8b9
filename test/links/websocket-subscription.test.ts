import { describe, expect, it, vi } from 'vitest';
import { readSubscription } from 'sluice/websocket-server';

describe('readSubscription', () => {
  it('reads several channels at once, each with its symbols (S3.32)', () => {
    const channels = [
      { name: 'trades', symbols: ['BTC-USD', 'ETH-USD'] },
      { name: 'quotes', symbols: [] },
    ];
    expect(readSubscription(JSON.stringify({ op: 'subscribe', channels }))).toEqual({ op: 'subscribe', channels });
    expect(readSubscription('{"op":"subscribe","channels":["a",{"name":"b"}]}')?.channels).toEqual([
      { name: 'a', symbols: [] },
      { name: 'b', symbols: [] },
    ]);
  });

  it('reads one channel at a time (S3.32)', () => {
    expect(readSubscription('{"op":"unsubscribe","channel":"trades","symbols":["BTC-USD"]}')).toEqual({
      op: 'unsubscribe',
      channels: [{ name: 'trades', symbols: ['BTC-USD'] }],
    });
  });

  it.each([
    '{"op":"publish","channel":"a"}',
    '{"op":"subscribe"}',
    '{"op":"subscribe","channels":[]}',
    '{"op":"subscribe","channels":{}}',
    '{"op":"subscribe","channels":[{"name":""}]}',
    '{"op":"subscribe","channels":[{"name":"a","symbols":"x"}]}',
    '{"op":"subscribe","channel":"a","symbols":[1]}',
    '["subscribe"]',
    'null',
    'no json',
  ])('takes %s for no subscription', (frame) => {
    expect(readSubscription(frame)).toBeUndefined();
    expect(readSubscription(new TextEncoder().encode(frame))).toBeUndefined();
  });

  it('does not parse what is nested very deep, which takes long (S05, B05)', () => {
    const parse = vi.spyOn(JSON, 'parse');
    expect(readSubscription('['.repeat(500_000) + ']'.repeat(500_000))).toBeUndefined();
    expect(parse).not.toHaveBeenCalled();
  });

  it('takes what asks for too much for none', () => {
    const asking = (count: number): string =>
      JSON.stringify({ op: 'subscribe', channel: 'a', symbols: Array.from({ length: count }, () => 's') });
    expect(readSubscription(asking(999))?.channels).toHaveLength(1);
    expect(readSubscription(asking(1_000))).toBeUndefined();
  });
});
