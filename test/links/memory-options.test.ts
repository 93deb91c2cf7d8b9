import { describe, expect, it } from 'vitest';
import { backoff, isSluiceError, memoryBroker } from 'sluice';
import { settingsOf } from '../../src/links/memory-options.js';

function faultOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isSluiceError(error, 'CONFIG_INVALID')) return error.message;
  }
  return 'no fault';
}

describe('the options of memoryBroker', () => {
  it('tells every fault at once, with the nearest name (B32)', () => {
    const options = { maxMessage: 5, partitions: 0, overflow: 'block', requeueDelayMs: -1 };
    const said = faultOf(() => memoryBroker(options as never));
    expect(said).toContain("unknown option 'maxMessage', did you mean 'maxMessages'?");
    expect(said).toContain("'partitions': expected a whole number from 1 to 1024, got 0");
    expect(said).toContain("'overflow': expected one of refuse, drop-oldest, drop-newest, wait, got 'block'");
    expect(said).toContain("'requeueDelayMs': expected a number from 0, or waits made with backoff(), got -1");
  });

  it('checks the options of each topic by its name', () => {
    expect(faultOf(() => memoryBroker({ topics: { orders: { maxBytes: 0 } } }))).toContain(
      "topic 'orders': 'maxBytes'",
    );
    expect(faultOf(() => memoryBroker({ topics: null as never }))).toContain("'topics'");
  });

  it('refuses a topic that is its own dead letter topic', () => {
    const said = faultOf(() => memoryBroker({ topics: { failed: { deadLetterTopic: 'failed' } } }));
    expect(said).toContain("'deadLetterTopic' is the topic itself");
  });

  it("takes a topic's own options before the broker's and those before the defaults", () => {
    const schedule = backoff();
    const options = {
      maxMessages: 10,
      partitions: 2,
      topics: { orders: { maxMessages: 3, requeueDelayMs: schedule } },
    };
    expect(settingsOf('orders', options)).toMatchObject({ maxMessages: 3, partitions: 2, requeueDelayMs: schedule });
    expect(settingsOf('other', options)).toMatchObject({ maxMessages: 10, overflow: 'wait', requeueDelayMs: 0 });
    expect(settingsOf('toString', options).maxMessages).toBe(10);
  });
});
