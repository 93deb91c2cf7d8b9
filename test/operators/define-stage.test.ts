import { BehaviorSubject, debounceTime } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  batch,
  deadLetter,
  decode,
  dedupe,
  deliver,
  each,
  encode,
  fanout,
  type Flow,
  json,
  loopGuard,
  lossy,
  memoryBroker,
  memorySink,
  memorySource,
  payload,
  route,
  SluiceError,
  tapMessage,
  unbatch,
  where,
} from 'sluice';
import { fileSource } from 'sluice/file';
import { testSource, virtualClock } from 'sluice/testing';
import { creditOf, descriptionOf } from '../../src/connection/describe.js';
import { defineStage } from '../../src/operators/define-stage.js';

const source = (credit: number | BehaviorSubject<number>): Flow<number> =>
  memorySource<number>(memoryBroker(), { topic: 't', credit });

describe('defineStage', () => {
  it('calls the teardown once, however it ends', () => {
    const clock = virtualClock();
    let ends = 0;
    const stage = defineStage<number, number>('test', (output) => ({
      next: (message) => output.next(message),
      teardown: () => (ends += 1),
    }));
    const finite = testSource<number>({ clock });
    finite.end();
    stage(finite.flow).subscribe();
    stage(testSource<number>({ clock }).flow).subscribe().unsubscribe();
    clock.advance(0);
    expect(ends).toBe(2);
  });

  it('hands error and completion to a stage that wants them', () => {
    const clock = virtualClock();
    const heard: string[] = [];
    const stage = defineStage<number, number>('test', (output) => ({
      next: (message) => output.next(message),
      complete: () => heard.push('complete'),
      error: () => heard.push('error'),
    }));
    const finite = testSource<number>({ clock });
    finite.end();
    stage(finite.flow).subscribe();
    const broken = testSource<number>({ clock });
    stage(broken.flow).subscribe();
    clock.advance(0);
    broken.lose(new SluiceError('CONNECT_FAILED', 'for good'));
    clock.advance(0);
    expect(heard).toEqual(['complete', 'error']);
  });

  it('says what it is and what stands before it', () => {
    const flow = source(4).pipe(where((n) => n > 0));
    expect(descriptionOf(flow)).toMatchObject({ kind: 'stage', name: 'where' });
    expect(descriptionOf(descriptionOf(flow)?.upstream)).toMatchObject({ kind: 'source', name: 'memory', credit: 4 });
  });
});

describe('wiring', () => {
  it('refuses a concurrency that the credit never fills, and says what to change', () => {
    const wire = (): unknown => source(4).pipe(where(Boolean), payload(String), each(Number, { concurrency: 5 }));
    expect(wire).toThrow(
      "each(Number): 'concurrency' is 5, but the source never has more than 4 messages out (credit); lower 'concurrency' or raise 'credit'.",
    );
    expect(() => source(5).pipe(each(Number, { concurrency: 5 }))).not.toThrow();
  });

  const raw = (): Flow<Uint8Array> => memorySource<Uint8Array>(memoryBroker(), { topic: 't', credit: 4 });
  const dead = memorySink<unknown>(memoryBroker(), { topic: 'dead' });
  it.each<[string, () => Flow<unknown>]>([
    ['decode', () => raw().pipe(decode(json()))],
    ['encode', () => source(4).pipe(encode(json()))],
    ['deliver', () => source(4).pipe(deliver(dead))],
    ['deadLetter', () => source(4).pipe(deadLetter(dead))],
    ['loopGuard', () => source(4).pipe(loopGuard())],
    ['where', () => source(4).pipe(where(Boolean))],
    ['payload', () => source(4).pipe(payload(Number))],
    ['tapMessage', () => source(4).pipe(tapMessage(() => undefined))],
    ['dedupe', () => source(4).pipe(dedupe({ by: (message) => message.id, maxKeys: 10 }))],
    ['lossy', () => source(4).pipe(lossy(debounceTime(1)))],
    ['several', () => raw().pipe(deadLetter(dead), decode(json()), deliver(dead), encode(json()))],
    ['a file', () => fileSource({ path: 'a', credit: 4 }).pipe(decode(json()))],
  ])('knows the credit behind %s, which gives at most one message for each', (_name, flow) => {
    expect(() => flow().pipe(batch({ size: 5, maxWaitMs: 1 }))).toThrow(/'size' is 5.* 4 messages/);
    expect(() => flow().pipe(each(Number, { concurrency: 5 }))).toThrow(/'concurrency' is 5.* 4 messages/);
    expect(() => flow().pipe(batch({ size: 4, maxWaitMs: 1 }), each(Number, { concurrency: 4 }))).not.toThrow();
  });

  it('does not know it behind what may give several, so that nothing that works is refused', () => {
    const several: (() => Flow<unknown>)[] = [
      () => source(4).pipe(each(Number)),
      () => source(4).pipe(fanout([payload(Number), payload(Number)])),
      () => source(4).pipe(route([{ name: 'all', when: () => true, to: payload(Number) }])),
      () => source(4).pipe(batch({ size: 2, maxWaitMs: 1 }), unbatch()),
    ];
    for (const flow of several) expect(() => flow().pipe(batch({ size: 5, maxWaitMs: 1 }))).not.toThrow();
  });

  it('lets pass what it cannot know: credit that changes, and stages that make several of one', () => {
    expect(() => source(new BehaviorSubject(1)).pipe(each(Number, { concurrency: 5 }))).not.toThrow();
    expect(() => source(1).pipe(each(Number), each(Number, { concurrency: 5 }))).not.toThrow();
    expect(creditOf(source(1).pipe(each(Number)))).toBeUndefined();
    expect(creditOf(undefined)).toBeUndefined();
  });
});
