import { Observable, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  backoff,
  memoryBroker,
  memorySink,
  memorySource,
  messages,
  observe,
  run,
  SluiceError,
  topology,
  type Clock,
  type Flow,
  type Message,
  type Running,
  type Topology,
} from 'sluice';
import { virtualClock } from 'sluice/testing';

const sinkInto = (): ReturnType<typeof memorySink> => memorySink(memoryBroker(), { topic: 'out' });

function failing(
  times: { left: number },
  error: SluiceError = new SluiceError('CONNECT_FAILED', 'refused'),
): Flow<unknown> {
  return new Observable<Message<unknown>>((subscriber) => {
    times.left -= 1;
    if (times.left >= 0) subscriber.error(error);
  });
}

describe('topology', () => {
  it('stops in the reverse order of starting, each in good order (S4.6)', async () => {
    const broker = memoryBroker();
    const order: string[] = [];
    const flows = Object.fromEntries(
      ['first', 'second', 'third'].map((name) => [
        name,
        () => {
          const running = run(memorySource(broker, { topic: name }), sinkInto());
          running.status$.subscribe((status) => {
            if (status === 'done') order.push(name);
          });
          return running;
        },
      ]),
    );
    const app = topology(flows);
    const reports = await app.stop();
    expect(order).toEqual(['third', 'second', 'first']);
    expect(Object.keys(reports).sort()).toEqual(['first', 'second', 'third']);
    expect(Object.values(reports)).toMatchObject(Array(3).fill({ clean: true }));
    await expect(app.done).resolves.toEqual(reports);
  });

  it('takes any name for a flow, also that of something that every object has', async () => {
    const start = (): Running => run(memorySource(memoryBroker(), { topic: 'a' }), sinkInto());
    const app = topology({ constructor: start, toString: start });
    const isDone = await Promise.race([
      app.done.then(() => true),
      new Promise((resolve) => setImmediate(resolve, false)),
    ]);
    expect(isDone).toBe(false);
    expect(await app.stop()).toMatchObject({ constructor: { clean: true }, toString: { clean: true } });
  });

  it('stops what it had started when a factory throws, and tries again when one throws at a restart', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    let first: Running | undefined;
    const sound = (): Running => (first = run(memorySource(broker, { topic: 'a' }), sinkInto()));
    const broken = (): Running => {
      throw new Error('no');
    };
    expect(() => topology({ sound, broken })).toThrow('no');
    await expect(first?.done).resolves.toMatchObject({ clean: true });
    const later = (): Running => Promise.resolve() as unknown as Running;
    expect(() => topology({ sound, later })).toThrow("what 'later' gives");
    await expect(first?.done).resolves.toMatchObject({ clean: true });
    let starts = 0;
    const app = topology(
      {
        flaky: () => {
          starts += 1;
          if (starts === 2) throw new Error('not yet');
          return run(starts === 1 ? failing({ left: 1 }) : memorySource(broker, { topic: 'b' }), sinkInto());
        },
      },
      { clock, restart: backoff({ initialMs: 10, minMs: 0 }) },
    );
    await clock.run(1_000);
    expect([starts, app.running('flaky')?.health().ready]).toEqual([3, true]);
    await app.stop();
  });

  it('starts a failed flow again and leaves the others alone', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const times = { left: 2 };
    let starts = 0;
    const app = topology(
      {
        steady: () => run(memorySource(broker, { topic: 'a', clock }), sinkInto(), { clock }),
        shaky: () => {
          starts += 1;
          return run(failing(times), sinkInto(), { clock });
        },
      },
      { clock, restart: backoff({ initialMs: 100, jitter: 'none' }) },
    );
    const steady = app.running('steady');
    const told: string[] = [];
    const stop = observe((event) => event.type === 'flow.failed' && told.push(event.flow));
    await clock.run(1_000);
    stop();
    // Each failure once, by the name that the flow has here.
    expect(told).toEqual(['shaky', 'shaky']);
    expect(starts).toBe(3);
    expect(app.running('steady')).toBe(steady);
  });

  it('stops everything when told to on failure', async () => {
    const broker = memoryBroker();
    const app = topology(
      {
        steady: () => run(memorySource(broker, { topic: 'a' }), sinkInto()),
        shaky: () => run(failing({ left: 1 }), sinkInto()),
      },
      { onFailure: 'stop' },
    );
    await expect(app.done).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
    await expect(app.running('steady')?.done).resolves.toMatchObject({ clean: true });
  });

  it('starts no flow again whose mistake is in the program: it stops all and rejects done', async () => {
    const clock = virtualClock();
    const ended = sinkInto();
    const broker = memoryBroker({ clock });
    const plainValues = of(1, 2) as unknown as Flow<unknown>;
    const mistakes: Record<string, [code: string, starts: number, flow: () => Running]> = {
      flow: ['CONFIG_INVALID', 1, () => run(plainValues, sinkInto(), { clock })],
      peer: [
        'PEER_MISSING',
        1,
        () => run(failing({ left: 9 }, new SluiceError('PEER_MISSING', 'x')), sinkInto(), { clock }),
      ],
      // Made outside of its factory, it ends with the first failure of the flow.
      sink: ['SINK_CLOSED', 2, () => run(failing({ left: 9 }), ended, { clock })],
    };
    for (const [name, [code, expected, flow]] of Object.entries(mistakes)) {
      let starts = 0;
      const app = topology(
        {
          steady: () => run(memorySource(broker, { topic: 'a', clock }), sinkInto(), { clock }),
          [name]: () => {
            starts += 1;
            return flow();
          },
        },
        { clock, restart: backoff({ initialMs: 10, jitter: 'none' }) },
      );
      const rejected = expect(app.done).rejects.toMatchObject({ code });
      await clock.run(1_000);
      await rejected;
      expect(starts).toBe(expected);
      await expect(app.running('steady')?.done).resolves.toMatchObject({ clean: true });
      expect(await app.stop()).toMatchObject({ [name]: { clean: false, error: { code } } });
    }
  });

  it('starts a flow again that the far side calls badly configured: a queue may come back', async () => {
    const clock = virtualClock();
    let starts = 0;
    const gone = { left: 2 };
    const app = topology(
      {
        shaky: () => {
          starts += 1;
          return run(failing(gone, new SluiceError('CONFIG_INVALID', 'there is no such queue')), sinkInto(), { clock });
        },
      },
      { clock, restart: backoff({ initialMs: 10, jitter: 'none' }) },
    );
    await clock.run(1_000);
    expect([starts, app.running('shaky')?.health().reasons]).toEqual([3, []]);
  });

  /** A flow that fails so long after each start. */
  const failsAfter = (ms: number, clock: Clock): Flow<unknown> =>
    new Observable<Message<unknown>>((subscriber) =>
      clock.timer(ms, () => subscriber.error(new SluiceError('CONNECT_FAILED', 'refused'))),
    );

  it('is done once every flow has ended, each as it did, and at once when it has none', async () => {
    await expect(topology({}).done).resolves.toEqual({});
    const clock = virtualClock();
    const app = topology(
      {
        finite: () => run(messages({ overflow: 'close' })(of(1)), sinkInto(), { clock }),
        endless: () => run(memorySource(memoryBroker({ clock }), { topic: 'a', clock }), sinkInto(), { clock }),
      },
      { clock },
    );
    let isDone = false;
    void app.done.then(() => (isDone = true));
    await clock.run(1_000);
    expect([app.running('finite')?.health().ready, isDone]).toEqual([true, false]);
    expect(Object.entries(app.describe()).map(([name, { nodes }]) => [name, nodes.length > 0])).toEqual([
      ['finite', true],
      ['endless', true],
    ]);
    void app.running('endless')?.stop();
    await clock.run(1_000);
    await expect(app.done).resolves.toMatchObject({ finite: { clean: true }, endless: { clean: true } });
  });

  it('gives a flow up that failed as often as tries in a row, and counts anew what went well for long enough', async () => {
    const clock = virtualClock();
    let starts = 0;
    const after = (ms: number): Topology =>
      topology(
        {
          shaky: () => {
            starts += 1;
            return run(failsAfter(ms, clock), sinkInto(), { clock });
          },
        },
        { clock, restart: backoff({ initialMs: 10, jitter: 'none', tries: 3, stableMs: 1_000 }) },
      );
    await clock.run(500);
    const rejected = expect(after(900).done).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
    await clock.run(20_000);
    await rejected;
    expect(starts).toBe(3);
    const app = after(1_000);
    await clock.run(20_000);
    expect(starts).toBeGreaterThan(20);
    const stopped = app.stop();
    await clock.run(20_000);
    await stopped;
  });

  it('starts no flow again once it is stopped, whether that waits or fails only then', async () => {
    const clock = virtualClock();
    let starts = 0;
    const shaky = (ms: number) => (): Running => {
      starts += 1;
      return run(failsAfter(ms, clock), sinkInto(), { clock });
    };
    const nothing = (): void => undefined;
    const held = memoryBroker({ clock });
    held.publish({ topic: 'a', payload: 1 });
    const holder = (): Running =>
      run(
        memorySource(held, { topic: 'a', clock }),
        { next: nothing, error: nothing, complete: nothing },
        {
          clock,
          drainTimeoutMs: 500,
        },
      );
    const restart = backoff({ initialMs: 1_000, jitter: 'none' });
    const app = topology({ waits: shaky(100), fails: shaky(700), holder }, { clock, restart });
    await clock.run(500);
    const stopped = app.stop();
    await clock.run(10_000);
    const error = { code: 'CONNECT_FAILED' };
    const reports = { waits: { clean: true }, fails: { clean: false, error }, holder: { clean: false } };
    expect(await stopped).toMatchObject(reports);
    await expect(app.done).resolves.toMatchObject(reports);
    expect(starts).toBe(2);
  });

  it('stops a flow that was started again as any other', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    const times = { left: 1 };
    const shaky = (): Running =>
      run(times.left > 0 ? failing(times) : memorySource(broker, { topic: 'a', clock }), sinkInto(), { clock });
    const app = topology({ shaky }, { clock });
    await clock.run(1_000);
    const stopped = app[Symbol.asyncDispose]().then(() => app.health()['shaky']?.sources.map(({ status }) => status));
    await clock.run(1_000);
    expect(await stopped).toEqual(['closed']);
    await expect(app.done).resolves.toMatchObject({ shaky: { clean: true } });
  });
});
