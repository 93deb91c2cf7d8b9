import { map, mergeMap, Observable, of, Subject, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { memoryBroker, memorySource, type Message } from 'sluice';
import { attach, attachable, type Output, subscribeTo } from '../../src/connection/attach.js';
import { currentScope, type Scope, withScope } from '../../src/connection/scope.js';

/** An output that notes what it is told. */
function recorder(): Output<unknown> & { readonly told: string[] } {
  const told: string[] = [];
  return {
    told,
    closed: false,
    next: (message: Message<unknown>) => void told.push(String(message.payload)),
    error: (error: unknown) => void told.push(`error ${(error as Error).message}`),
    complete: () => void told.push('complete'),
  };
}

describe('attach', () => {
  it('hands the output itself to a flow of ours, without a subscriber in between', () => {
    let given: unknown;
    const flow = attachable((output) => {
      given = output;
      return () => undefined;
    });
    const output = recorder();
    attach(flow, output);
    expect(given).toBe(output);
  });

  it('subscribes to any other Observable', () => {
    const output = recorder();
    attach(of({ payload: 1 } as Message<number>, { payload: 2 } as Message<number>), output);
    expect(output.told).toEqual(['1', '2', 'complete']);
  });

  it('unsubscribes with what it returns, either way', () => {
    const ended: string[] = [];
    const direct = attachable(() => () => void ended.push('attached'));
    const plain = new Observable<never>(() => () => void ended.push('subscribed'));
    for (const flow of [direct, plain]) attach(flow, recorder())();
    expect(ended).toEqual(['attached', 'subscribed']);
  });

  it('tells the output of a flow that fails while it is being attached to', () => {
    const thrower = attachable(() => {
      throw new Error('no');
    });
    for (const flow of [thrower, throwError(() => new Error('no'))]) {
      const output = recorder();
      attach(flow, output)();
      expect(output.told).toEqual(['error no']);
    }
  });

  it('leaves a flow a plain Observable for everybody else', () => {
    const flow = memorySource<number>(memoryBroker(), { topic: 'numbers' });
    expect(flow).toBeInstanceOf(Observable);
    expect(Object.keys(flow)).not.toContain('connect');
  });
});

describe('subscribeTo', () => {
  const nowhere = { next: () => undefined, error: () => undefined, complete: () => undefined };
  const scope = (): Scope => ({ addSource: () => undefined });

  /** Says in which scope it was attached to. */
  function witness(): { readonly flow: Observable<Message<unknown>>; readonly seen: (Scope | undefined)[] } {
    const seen: (Scope | undefined)[] = [];
    const flow = attachable<unknown>(() => {
      seen.push(currentScope());
      return () => undefined;
    });
    return { flow, seen };
  }

  it('gives what an operator subscribes later the scope of the one at the end of its chain, whatever is in force then', () => {
    const start$ = new Subject<void>();
    const [inner, outer] = [scope(), scope()];
    const { flow, seen } = witness();
    const late = start$.pipe(
      map(() => 1),
      mergeMap(() => flow),
    );
    const subscription = withScope(inner, () => subscribeTo(late, nowhere));
    start$.next();
    withScope(outer, () => start$.next());
    expect(seen).toEqual([inner, inner]);
    expect(currentScope()).toBeUndefined();
    subscription.unsubscribe();
    expect(start$.observed).toBe(false);
  });

  it('gives none without one, and none where the chain is broken', () => {
    const start$ = new Subject<void>();
    const { flow, seen } = witness();
    const late = start$.pipe(mergeMap(() => flow));
    const broken = new Observable<Message<unknown>>((subscriber) =>
      late.subscribe((message) => subscriber.next(message)),
    );
    subscribeTo(late, nowhere);
    withScope(scope(), () => subscribeTo(broken, nowhere));
    start$.next();
    expect(seen).toEqual([undefined, undefined]);
  });
});
