import { describe, expect, it } from 'vitest';
import { memoryBroker, memorySink, memorySource, observe, run, type SluiceEvent } from 'sluice';
import { virtualClock } from 'sluice/testing';

describe('the watch of the event loop', () => {
  it('tells how late it came to look, and ends with its flow (OBS-04)', async () => {
    const clock = virtualClock();
    const events: SluiceEvent[] = [];
    const stop = observe((event) => event.type === 'loop.blocked' && events.push(event));
    const broker = memoryBroker({ clock });
    let behindMs = 0;
    const late = { ...clock, elapsed: () => clock.elapsed() + behindMs };
    const running = run(memorySource(broker, { topic: 'in', clock }), memorySink(broker, { topic: 'out', clock }), {
      name: 'orders',
      clock: late,
    });
    await clock.run(1_000);
    expect(events).toEqual([]);
    // Nothing ran for so long: the clock went on, and no timer did.
    behindMs = 700;
    await clock.run(1_000);
    expect(events).toEqual([{ type: 'loop.blocked', flow: 'orders', lateMs: 700 }]);
    const stopped = running.stop();
    await clock.run(100);
    await stopped;
    await clock.run(60_000);
    expect(clock.pendingTimers).toBe(0);
    stop();
  });

  it('does not look while nobody observes', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const running = run(memorySource(broker, { topic: 'in', clock }), memorySink(broker, { topic: 'out', clock }), {
      clock,
    });
    await clock.run(10);
    const timers = clock.pendingTimers;
    const stop = observe(() => undefined);
    await clock.run(10_000);
    expect(clock.pendingTimers).toBe(timers);
    stop();
    const stopped = running.stop();
    await clock.run(100);
    await stopped;
  });
});
