import { BehaviorSubject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { each, type Flow, memoryBroker, memorySource, payload, SluiceError, where } from 'sluice';
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

  it('lets pass what it cannot know: credit that changes, and stages that make several of one', () => {
    expect(() => source(new BehaviorSubject(1)).pipe(each(Number, { concurrency: 5 }))).not.toThrow();
    expect(() => source(1).pipe(each(Number), each(Number, { concurrency: 5 }))).not.toThrow();
    expect(creditOf(source(1).pipe(each(Number)))).toBeUndefined();
    expect(creditOf(undefined)).toBeUndefined();
  });
});
