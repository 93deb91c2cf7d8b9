import { describe, expect, it } from 'vitest';
import { memoryBroker, memorySource } from 'sluice';

const COUNT = 1_000_000;

function stackDepth(): number {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 1_000;
  const depth = new Error('depth').stack?.split('\n').length ?? 0;
  Error.stackTraceLimit = stackTraceLimit;
  return depth;
}

describe('one million synchronous acks (CRD-03, law 3)', () => {
  it.each([1, 128])('with credit %i neither the stack grows nor a timer waits for 100 ms of work', async (credit) => {
    const broker = memoryBroker();
    for (let at = 0; at < COUNT; at += 1) broker.publish({ topic: 'in', payload: at });
    const depths = new Set<number>();
    // In time that this process worked: how long it had to wait for a core says nothing about it.
    let longestMs = 0;
    let before = process.cpuUsage();
    let turns = 0;
    const timer = setInterval(() => {
      const { user, system } = process.cpuUsage(before);
      longestMs = Math.max(longestMs, (user + system) / 1_000);
      before = process.cpuUsage();
      turns += 1;
    }, 10);
    await new Promise<void>((resolve) => {
      let seen = 0;
      const subscription = memorySource<number>(broker, { topic: 'in', credit }).subscribe((message) => {
        seen += 1;
        if (seen % 100_000 === 0) depths.add(stackDepth());
        message.ack();
        if (seen < COUNT) return;
        subscription.unsubscribe();
        resolve();
      });
    });
    clearInterval(timer);
    expect(Math.max(...depths) - Math.min(...depths)).toBeLessThanOrEqual(3);
    expect(turns).toBeGreaterThan(0);
    expect(longestMs).toBeLessThan(100);
  });
});
