import { Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  backoff,
  memoryBroker,
  memorySink,
  memorySource,
  run,
  SluiceError,
  topology,
  type Flow,
  type Message,
} from 'sluice';
import { virtualClock } from 'sluice/testing';

const sinkInto = (): ReturnType<typeof memorySink> => memorySink(memoryBroker(), { topic: 'out' });

function failing(times: { left: number }): Flow<unknown> {
  return new Observable<Message<unknown>>((subscriber) => {
    times.left -= 1;
    if (times.left >= 0) subscriber.error(new SluiceError('CONNECT_FAILED', 'refused'));
  });
}

describe('topology', () => {
  it('stops in the reverse order of starting', async () => {
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
    await expect(app.done).resolves.toEqual(reports);
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
    await clock.run(1_000);
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
});
