import { describe, expect, it } from 'vitest';
import { Observable } from 'rxjs';
import { memoryBroker, memorySink, memorySource, type Flow, type Message, type Sink } from 'sluice';
import { seededRandom } from 'sluice/testing';
import { chaos, type ChaosLane, type ChaosPlan, type Fault } from './chaos.js';
import { faultSchedule } from './fault-schedule.js';
import { settlements } from './settlements.js';

const fault = (name: string, times: number): Fault => ({ name, times, run: async () => undefined });

describe('the schedule of faults', () => {
  it('has every fault as often as it should, in order of time, the same for the same seed', () => {
    const faults = [fault('a', 3), fault('b', 5), fault('c', 2)];
    const schedule = faultSchedule(faults, seededRandom(7));
    expect(
      schedule
        .map(({ fault: { name } }) => name)
        .sort()
        .join(''),
    ).toBe('aaabbbbbcc');
    const times = schedule.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect([times.at(0)! >= 0, times.at(-1)! < 0.9]).toEqual([true, true]);
    expect(faultSchedule(faults, seededRandom(7))).toEqual(schedule);
    expect(faultSchedule(faults, seededRandom(8))).not.toEqual(schedule);
  });
});

describe('the settlements of a run', () => {
  it('doubts those since some time before a fault until its end, and no other', () => {
    const known = settlements();
    const now = performance.now();
    known.settled('in doubt');
    const end = known.doubt(now);
    known.settled('meanwhile');
    end();
    const later = known.doubt(performance.now() + 60_000);
    known.settled('between');
    later();
    expect(['in doubt', 'meanwhile', 'between', 'never'].map((id) => known.isDoubtful(id))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('a chaos run', () => {
  const plan: ChaosPlan = {
    seed: 3,
    messages: 600,
    bytes: 32,
    credit: 16,
    maxUnconfirmed: 8,
    lostMs: 500,
    faults: [fault('nothing', 2)],
  };

  function lane(change: {
    sink?: (sink: Sink<Uint8Array>) => Sink<Uint8Array>;
    flow?: (flow: Flow<Uint8Array>) => Flow<Uint8Array>;
  }): ChaosLane {
    const broker = memoryBroker();
    const same = <T>(value: T): T => value;
    const { sink = same, flow = same } = change;
    return {
      name: 'memory',
      source: () => flow(memorySource<Uint8Array>(broker, { topic: 't', credit: plan.credit })),
      sink: () => sink(memorySink<Uint8Array>(broker, { topic: 't' })),
      depth: () => broker.peek.depth('t'),
    };
  }

  it('finds nothing wrong with what works', async () => {
    const { breaks, lanes } = await chaos(plan, [lane({}), lane({})]);
    expect(breaks).toBe(2);
    expect(lanes.map(({ valid, confirmed, lost, duplicates }) => [valid, confirmed, lost, duplicates])).toEqual([
      [true, 300, [], 0],
      [true, 300, [], 0],
    ]);
  });

  it('finds what a sink confirms and does not send', async () => {
    let at = 0;
    const sink = (inner: Sink<Uint8Array>): Sink<Uint8Array> => ({
      next(message) {
        at += 1;
        if (at % 200 === 0) message.ack();
        else inner.next(message);
      },
      error: (error) => inner.error(error),
      complete: () => inner.complete(),
      closed: inner.closed ?? Promise.resolve(),
    });
    const { lanes } = await chaos(plan, [lane({ sink })]);
    expect(lanes[0]?.lost).toEqual(['chaos-3.memory.199', 'chaos-3.memory.399', 'chaos-3.memory.599']);
  });

  it('finds what a source emits twice', async () => {
    let at = 0;
    const flow = (inner: Flow<Uint8Array>): Flow<Uint8Array> =>
      new Observable((subscriber) =>
        inner.subscribe((message) => {
          at += 1;
          subscriber.next(message);
          if (at % 100 === 0) subscriber.next(message);
        }),
      );
    const { lanes } = await chaos(plan, [lane({ flow })]);
    expect(lanes[0]?.duplicates).toBe(6);
  });

  it('tells those that come twice as forgotten only where their settlement is in doubt', async () => {
    let again: Message<Uint8Array> | undefined;
    let emit: (message: Message<Uint8Array>) => void = () => undefined;
    const flow = (inner: Flow<Uint8Array>): Flow<Uint8Array> =>
      new Observable((subscriber) => {
        emit = (message) => subscriber.next(message);
        return inner.subscribe((message) => {
          again = message;
          subscriber.next(message);
        });
      });
    /** What was settled just now comes once more. */
    const forgetful: Fault = {
      name: 'forgets',
      times: 1,
      async run() {
        while (again === undefined) await new Promise(setImmediate);
        const message = again;
        while (!message.signal.aborted) await new Promise(setImmediate);
        emit(message);
      },
    };
    for (const [doubtMs, forgotten] of [
      [() => 10_000, 1],
      [() => undefined, 0],
    ] as const) {
      const { lanes } = await chaos({ ...plan, faults: [forgetful] }, [{ ...lane({ flow }), doubtMs }]);
      expect(lanes.map((one) => [one.duplicates, one.forgotten, one.bound])).toEqual([[1, forgotten, 24 + forgotten]]);
    }
  });
});
