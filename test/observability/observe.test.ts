import { describe, expect, it } from 'vitest';
import { observe, type SluiceEvent } from 'sluice';
import { isObserved, report } from '../../src/observability/observe.js';

const failed: SluiceEvent = { type: 'stage.failed', stage: 'each(bill)', reason: new Error('no') };

describe('observe', () => {
  it('hears every event until it is stopped, each listener for itself', () => {
    const [first, second]: SluiceEvent[][] = [[], []];
    const listener = (event: SluiceEvent): void => void first!.push(event);
    const stopFirst = observe(listener);
    const stopAgain = observe(listener);
    const stopSecond = observe((event) => second!.push(event));
    expect(isObserved()).toBe(true);
    report(failed);
    stopFirst();
    stopFirst();
    report(failed);
    stopAgain();
    stopSecond();
    report(failed);
    expect([first, second]).toEqual([
      [failed, failed, failed],
      [failed, failed],
    ]);
    expect(isObserved()).toBe(false);
  });

  it('takes off a listener that throws, and the others go on', () => {
    const heard: SluiceEvent[] = [];
    observe(() => {
      throw new Error('broken');
    });
    const stop = observe((event) => heard.push(event));
    expect(() => report(failed)).not.toThrow();
    stop();
    expect(heard).toEqual([failed]);
    expect(isObserved()).toBe(false);
  });
});
