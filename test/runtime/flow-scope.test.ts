import { BehaviorSubject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Sink, Status } from 'sluice';
import type { SourceHandle } from '../../src/connection/scope.js';
import { FlowScope } from '../../src/runtime/flow-scope.js';

const sink = (): Sink<never> => ({ next: () => undefined, error: () => undefined, complete: () => undefined });

/** A source, as far as the scope looks at it. */
function source(told: string[], name: string): { handle: SourceHandle; status$: BehaviorSubject<Status> } {
  const status$ = new BehaviorSubject<Status>('connected');
  const handle = {
    status$,
    get status() {
      return status$.value;
    },
    drain: (goesOn = true) => told.push(`${name} drains${goesOn ? '' : ' for nobody'}`),
  };
  return { handle: handle as unknown as SourceHandle, status$ };
}

describe('the scope of a flow', () => {
  it.each([
    ['drain', 'a drains'],
    ['cease', 'a drains for nobody'],
  ] as const)(
    'ends what takes in connections before its sources with %s, and what begins after that at once',
    (how, drained) => {
      const scope = new FlowScope(sink());
      const told: string[] = [];
      const server = (name: string) => scope.addIntake(() => told.push(`${name} ends`));
      server('first');
      const gone = server('gone');
      scope.addSource(source(told, 'a').handle);
      gone();
      expect(told).toEqual([]);
      scope[how]();
      expect(told).toEqual(['first ends', drained]);
      server('late');
      scope.addSource(source(told, 'b').handle);
      expect(told.slice(2)).toEqual(['late ends', 'b drains']);
    },
  );

  it('is closed once each of its sources is, and at once where all are', () => {
    const scope = new FlowScope(sink());
    const sources = ['a', 'b', 'c'].map((name) => source([], name));
    for (const { handle } of sources) scope.addSource(handle);
    sources[0]?.status$.next('closed');
    let closed = 0;
    scope.whenClosed(() => (closed += 1));
    for (const status of ['closing', 'closed'] as const) sources[1]?.status$.next(status);
    expect(closed).toBe(0);
    sources[2]?.status$.next('closed');
    expect(closed).toBe(1);
    scope.whenClosed(() => (closed += 1));
    expect(closed).toBe(2);
  });

  it('knows a sink for as long as one of its stages gives to it', () => {
    const last = sink();
    const inner = sink();
    const scope = new FlowScope(last);
    const [one, two] = [scope.addSink(inner), scope.addSink(inner)];
    one();
    one();
    expect([...scope.sinks.keys()]).toEqual([last, inner]);
    two();
    expect([...scope.sinks.keys()]).toEqual([last]);
  });

  it('completes its faults with its end, also for who looks only then', () => {
    const scope = new FlowScope(sink());
    const ends: string[] = [];
    scope.faults$.subscribe({ complete: () => ends.push('early') });
    scope.end();
    scope.faults$.subscribe({ complete: () => ends.push('late') });
    expect(ends).toEqual(['early', 'late']);
  });
});
