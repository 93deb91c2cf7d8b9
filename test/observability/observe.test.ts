import { describe, expect, it, onTestFinished } from 'vitest';
import {
  backoff,
  each,
  isSluiceError,
  memoryBroker,
  memoryLink,
  memorySink,
  memorySource,
  observe,
  run,
  tapMessage,
  type SluiceEvent,
} from 'sluice';
import { virtualClock } from 'sluice/testing';
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

describe('a log', () => {
  it('is made of fields: each message, each failure with its cause, each change of a connection (S3.107, S3.109, S3.110)', async () => {
    const clock = virtualClock();
    const lines: string[] = [];
    const log = (fields: object): void =>
      void lines.push(
        JSON.stringify(fields, (_, value: unknown) =>
          isSluiceError(value)
            ? { code: value.code, text: value.message, cause: String(value.cause), ...value.details }
            : value,
        ),
      );
    onTestFinished(observe(log));
    const broker = memoryBroker({ clock });
    const link = memoryLink(broker, { clock, reconnect: backoff({ initialMs: 100, jitter: 'none' }) });
    const check = (text: string): string => {
      if (text !== 'fine') throw new TypeError('of no use');
      return text;
    };
    const running = run(
      memorySource<string>(link, { topic: 'orders', clock }).pipe(
        tapMessage(({ id, topic, attempt }) => log({ type: 'message', id, topic, attempt })),
        each(check, { name: 'check', onError: 'dead', clock }),
      ),
      memorySink(broker, { topic: 'checked', clock }),
      { clock },
    );
    broker.publish({ topic: 'orders', payload: 'fine', id: 'o1', headers: { token: 'hidden' } });
    broker.publish({ topic: 'orders', payload: 'secret', id: 'o2', headers: { token: 'hidden' } });
    await clock.run(1);
    broker.faults.dropLink();
    await clock.run(5_000);
    const stopped = running.stop();
    await clock.run(1_000);
    await stopped;
    const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const ofType = (type: string): Record<string, unknown>[] => told.filter((fields) => fields['type'] === type);
    expect(ofType('message').map(({ id, topic, attempt }) => [id, topic, attempt])).toEqual([
      ['o1', 'orders', 1],
      ['o2', 'orders', 1],
    ]);
    expect(ofType('message.nacked')).toMatchObject([
      {
        connector: 'memory',
        message: { id: 'o2', topic: 'orders', attempt: 1, stage: 'check' },
        then: 'dead',
        reason: { code: 'HANDLER_FAILED', cause: 'TypeError: of no use' },
      },
    ]);
    expect(ofType('connect.failed')).toContainEqual(
      expect.objectContaining({
        connector: 'memory',
        attempt: 1,
        retryInMs: 100,
        reason: expect.objectContaining({ code: 'CONNECTION_LOST', connector: 'memory' }) as unknown,
      }),
    );
    const walk = ofType('status.changed').map(({ from, to }) => `${String(from)} ${String(to)}`);
    expect(walk).toEqual(
      expect.arrayContaining(['idle connecting', 'connected reconnecting', 'reconnecting connected']),
    );
    expect(lines.join()).not.toMatch(/hidden|secret/);
  });
});
