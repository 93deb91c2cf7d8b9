import { EMPTY, Subject } from 'rxjs';
import { expect, it } from 'vitest';
import {
  each,
  memoryBroker,
  memorySink,
  memorySource,
  run,
  type Clock,
  type Health,
  type Message,
  type Status,
} from 'sluice';
import { virtualClock } from 'sluice/testing';
import type { SourceHandle } from '../../src/connection/scope.js';
import { healthOf, watchHealth, type HealthInput } from '../../src/runtime/health.js';

it('counts what goes through and what fails, second by second: throughput and error rate (S3.101, S3.102)', async () => {
  const clock = virtualClock();
  const broker = memoryBroker({ clock });
  // 10 a second, of which each fifth is of no use.
  for (let at = 0; at < 50; at += 1) clock.timer(at * 100 + 50, () => broker.publish({ topic: 'in', payload: at }));
  const check = (value: number): number => {
    if (value % 5 === 4) throw new Error('of no use');
    return value;
  };
  const running = run(
    memorySource<number>(broker, { topic: 'in', clock }).pipe(each(check, { onError: 'dead', clock })),
    memorySink(broker, { topic: 'out', clock }),
    { clock, healthEveryMs: 1_000 },
  );
  const seen: Health[] = [];
  running.health$.subscribe((health) => void seen.push(health));
  await clock.run(3_000);
  const perSecond = (count: (health: Health) => number | undefined): number[] =>
    seen.slice(1).map((health, at) => (count(health) ?? 0) - (count(seen[at] as Health) ?? 0));
  expect(perSecond(({ sources }) => sources[0]?.counts.emitted)).toEqual([10, 10, 10]);
  expect(perSecond(({ sources }) => sources[0]?.counts.acked)).toEqual([8, 8, 8]);
  expect(perSecond(({ sources }) => sources[0]?.counts.dead)).toEqual([2, 2, 2]);
  expect(perSecond(({ sinks }) => sinks[0]?.confirmed)).toEqual([8, 8, 8]);
  const stopped = running.stop();
  await clock.run(100);
  expect((await stopped).clean).toBe(true);
});

it('counts each way in which messages end, those that come too late, and what is taken back (S3.101)', async () => {
  const clock = virtualClock();
  const broker = memoryBroker({ clock });
  const payloads = ['requeue', 'dead', 'drop', 'drop', 'ack', 'keep'] as const;
  for (const payload of payloads) broker.publish({ topic: 'in', payload });
  const kept: Message<unknown>[] = [];
  const running = run(
    memorySource<(typeof payloads)[number]>(broker, { topic: 'in', clock }),
    {
      next(message) {
        const { payload, attempt } = message;
        if (payload === 'ack' || attempt === 2) message.ack();
        else if (payload === 'keep') kept.push(message);
        else message.nack('of no use', payload);
      },
      error: () => undefined,
      complete: () => undefined,
    },
    { clock },
  );
  await clock.run(1);
  broker.faults.dropLink();
  await clock.run(5_000);
  expect(kept.map((message) => message.ack())).toEqual([false]);
  expect(running.health().sources.map(({ counts }) => counts)).toEqual([
    { emitted: 8, acked: 3, requeued: 1, dead: 1, dropped: 2, released: 1, late: 1, reconnects: 1 },
  ]);
  const stopped = running.stop();
  await clock.run(1);
  expect((await stopped).clean).toBe(true);
});

const idle: HealthInput = {
  name: 'flow',
  sources: [],
  sinks: new Map(),
  unsettledAfterMs: 1,
  failure: () => undefined,
};

it.each<[Status, boolean]>([
  ['idle', true],
  ['connecting', false],
  ['connected', true],
  ['degraded', false],
  ['reconnecting', false],
  ['closing', true],
  ['closed', true],
])('calls a flow with a source that is %s ready: %s', (status, ready) => {
  const source = { connector: 'memory', status, oldestUnsettledMs: 0, counts: {} } as SourceHandle;
  expect(healthOf({ ...idle, sources: [source] })).toMatchObject({
    ready,
    reasons: ready ? [] : [`memory is ${status}`],
  });
});

it('looks no further once nobody watches or the flow has ended, and keeps no process alive', async () => {
  const virtual = virtualClock();
  let looks = 0;
  const input = { ...idle, failure: () => void (looks += 1) };
  const isBackground: unknown[] = [];
  const clock: Clock = {
    ...virtual,
    timer(ms, work, background) {
      isBackground.push(background);
      return virtual.timer(ms, work, background);
    },
  };
  const running$ = new Subject<never>();
  const watching = watchHealth(input, running$, clock, 10).subscribe();
  await virtual.run(20);
  watching.unsubscribe();
  await virtual.run(100);
  expect([looks, running$.observed, isBackground]).toEqual([3, false, [true, true, true]]);
  watchHealth(input, EMPTY, clock, 10).subscribe();
  await virtual.run(100);
  expect(looks).toBe(4);
});
