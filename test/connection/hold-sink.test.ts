import { Observable, retry, Subject, take } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  deadLetter,
  deliver,
  each,
  fanout,
  fromAsyncIterable,
  memoryBroker,
  memorySink,
  route,
  run,
  SluiceError,
  useClock,
  where,
  type Flow,
  type Message,
  type Sink,
} from 'sluice';
import { defineSink } from 'sluice/connection';
import { testSource, virtualClock } from 'sluice/testing';
import { holdSink } from '../../src/connection/hold-sink.js';
import { withScope } from '../../src/connection/scope.js';
import { recordingSink, settling } from '../helpers/branches.js';
import { collect } from '../helpers/collect.js';
import { codeOf } from '../helpers/stage.js';

const sink = (failure?: SluiceError, closed?: Promise<void>): Sink<never> => ({
  next: () => undefined,
  error: () => undefined,
  complete: () => undefined,
  ...(closed === undefined ? {} : { closed }),
  failure,
});

function fails(): never {
  throw new Error('no');
}

/** Everything that gives to a sink. */
const WAYS: Readonly<Record<string, (to: Sink<number>) => (flow: Flow<number>) => Flow<number>>> = {
  deliver: (to) => deliver(to),
  fanout: (to) => fanout([to]),
  route: (to) => route([{ name: 'all', when: () => true, to }]),
  deadLetter: (to) => (source) => where<number>(() => fails())(deadLetter<number>(to)(source)),
};

describe('holdSink', () => {
  it('tells of a sink that closed, by itself or by somebody else, and of no other', async () => {
    const failure = new SluiceError('FILE_IS_DIRECTORY', 'no');
    const told: string[] = [];
    const hold = (one: Sink<never>) => holdSink(one, 'test', (error) => told.push(error.code));
    for (const one of [sink(failure, Promise.resolve()), sink(undefined, Promise.resolve()), sink()]) hold(one);
    // Neither may end the process: an observer of RxJS, whose `closed` is no promise, and a promise that is rejected.
    hold({ ...sink(), closed: false } as unknown as Sink<never>);
    hold(sink(undefined, Promise.reject(new Error('no'))));
    hold(sink(undefined, Promise.resolve())).leave(() => undefined);
    await new Promise(setImmediate);
    expect(told).toEqual(['FILE_IS_DIRECTORY', 'SINK_CLOSED', 'SINK_FAILED']);
  });

  it('ends the sink with the last that leaves, once, and says of the others at once that they may end', () => {
    const to = recordingSink<number>();
    const holds = [1, 2, 3].map(() => holdSink(to, 'test', () => undefined));
    const ended: unknown[] = [];
    for (const [at, hold] of holds.entries()) {
      hold.leave((_thrown, goesOn) => ended.push(goesOn), { error: new Error('gone') });
      hold.leave(() => ended.push('again'));
      expect([ended.length, to.ended.length]).toEqual([at + 1, at < 2 ? 0 : 1]);
    }
    expect(ended).toEqual([true, true, false]);
    expect(to.ended).toEqual(['error gone']);
  });

  it('hangs one callback on the sink however many hold it, and forgets those who left', async () => {
    let [asked, told] = [0, 0];
    let close = (): void => undefined;
    const closed = new Promise<void>((resolve) => (close = resolve));
    const to = {
      ...recordingSink<number>(),
      get closed() {
        asked += 1;
        return closed;
      },
    };
    const known = new Set<object>();
    const addSink = (): (() => void) => {
      const one = {};
      known.add(one);
      return () => void known.delete(one);
    };
    const hold = (by: number) =>
      withScope({ addSource: () => undefined, addSink }, () => holdSink(to, 'test', () => void (told += by)));
    const holds = [1, 1, 1].map(hold);
    const goesOn = hold(10);
    holds[0]?.drop();
    for (const one of holds) one.leave(() => undefined);
    expect([asked, known.size]).toEqual([1, 1]);
    close();
    await closed;
    expect([told, known.size]).toEqual([10, 0]);
    goesOn.drop();
    expect(() => holdSink(to, 'test', () => undefined)).toThrow(
      expect.objectContaining({ code: 'SINK_CLOSED' }) as Error,
    );
  });

  it('leaves the sink to who takes hold of it again in the same turn', async () => {
    const to = recordingSink<number>();
    const hold = () => holdSink(to, 'test', () => undefined);
    const first = hold();
    first.drop();
    first.drop();
    const second = hold();
    await new Promise(setImmediate);
    expect(to.ended).toEqual([]);
    second.drop();
    hold().drop({ error: new Error('gone') });
    await new Promise(setImmediate);
    expect(to.ended).toEqual(['error gone']);
  });
});

describe.each(Object.keys(WAYS))('a sink that several flows give to by %s', (way) => {
  const into = WAYS[way] as (typeof WAYS)[string];

  it('takes from the others when one of them has ended, however it ended, and ends with the last', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const broker = memoryBroker({ clock });
    const shared = memorySink<number>(broker, { topic: 'out' });
    const sources = [1, 2, 3].map(() => testSource<number>({ clock }));
    const flows = sources.map(({ flow }) => collect(into(shared)(flow), settling));
    const [completes, fails, goesOn] = sources as [(typeof sources)[0], (typeof sources)[0], (typeof sources)[0]];
    const leaves = collect(into(shared)(testSource<number>({ clock }).flow), settling);
    await clock.run(1);
    completes.offer(0);
    completes.end();
    fails.lose(new SluiceError('CONNECT_FAILED', 'for good'));
    leaves.subscription.unsubscribe();
    await clock.run(10);
    for (const value of [1, 2, 3]) goesOn.offer(value);
    await clock.run(10);
    expect([goesOn.queued, goesOn.unsettled]).toEqual([[], []]);
    expect(flows.map(({ completed, errors }) => [completed, errors.map(codeOf)])).toEqual([
      [true, []],
      [false, ['CONNECT_FAILED']],
      [false, []],
    ]);
    goesOn.end();
    await clock.run(10);
    await shared.closed;
    expect(flows[2]?.completed).toBe(true);
  });

  it('goes on where a flow that failed is subscribed again at once, as by retry', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const shared = memorySink<number>(memoryBroker({ clock }), { topic: 'out' });
    const source = testSource<number>({ clock });
    let fails = 1;
    const flow = new Observable<Message<number>>((output) => {
      fails -= 1;
      if (fails >= 0) clock.timer(5, () => output.error(new Error('no')));
      return source.flow.subscribe(output);
    });
    const seen = collect(into(shared)(flow).pipe(retry()), settling);
    await clock.run(10);
    source.offer(1);
    await clock.run(10);
    expect([seen.errors, source.queued, source.unsettled]).toEqual([[], [], []]);
  });

  it('is refused at once when it has ended, in place of every message each time it comes', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const shared = memorySink<number>(memoryBroker({ clock }), { topic: 'out' });
    collect(into(shared)(fromAsyncIterable<number>([], { clock })));
    await clock.run(10);
    const source = testSource<number>({ clock });
    source.offer(1);
    const late = collect(into(shared)(source.flow));
    expect([late.errors.map(codeOf), source.queued]).toEqual([['SINK_CLOSED'], [1]]);
  });

  it('is refused also while what it got is still unconfirmed', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const open = () => ({ send: () => undefined, close: () => undefined });
    const slow = defineSink<number>({ connector: 'slow', maxUnconfirmed: 8, open }, { closeTimeoutMs: 100 });
    const first = testSource<number>({ clock });
    const leaving = collect(into(slow)(first.flow));
    first.offer(1);
    await clock.run(10);
    leaving.subscription.unsubscribe();
    await clock.run(10);
    const late = collect(into(slow)(testSource<number>({ clock }).flow));
    expect(late.errors.map(codeOf)).toEqual(['SINK_CLOSED']);
    await clock.run(1_000);
  });

  it('is refused when it has failed, and says why', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const open = () => Promise.reject(new SluiceError('AUTH_FAILED', 'no'));
    const broken = defineSink<number>({ connector: 'broken', maxUnconfirmed: 1, open });
    const source = testSource<number>({ clock });
    source.offer(1);
    source.flow.subscribe(broken);
    await clock.run(10);
    const late = collect(into(broken)(testSource<number>({ clock }).flow));
    expect(late.errors).toMatchObject([{ code: 'SINK_CLOSED', cause: { code: 'AUTH_FAILED' } }]);
    expect((late.errors[0] as Error).message).toContain('the sink has ended, as it failed (AUTH_FAILED); make one');
  });

  it.each(['complete', 'error'] as const)(
    'is refused when it is a Subject after its %s, which takes all in silence',
    (end) => {
      const subject = new Subject<Message<number>>();
      subject[end]({});
      // Its type says that it is none; not everybody has types.
      const ended = subject as unknown as Sink<number>;
      const source = testSource<number>({ clock: virtualClock() });
      source.offer(1);
      const late = collect(into(ended)(source.flow));
      expect([late.errors.map(codeOf), source.queued]).toEqual([['SINK_CLOSED'], [1]]);
      expect((late.errors[0] as Error).message).toContain('the sink has ended, by its own complete or error; make one');
    },
  );

  it('ends the flows that still give to it when somebody else completes it', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const shared = memorySink<number>(memoryBroker({ clock }), { topic: 'out' });
    const source = testSource<number>({ clock, credit: 1 });
    const flow = collect(into(shared)(source.flow), settling);
    shared.complete();
    await clock.run(10);
    for (const value of [1, 2]) source.offer(value);
    expect([flow.errors.map(codeOf), source.queued]).toEqual([['SINK_CLOSED'], [1, 2]]);
  });
});

describe('a sink inside of a branch that breaks', () => {
  it('goes on when the branch is subscribed again', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const shared = memorySink<number>(memoryBroker({ clock }), { topic: 'out' });
    const source = testSource<number>({ clock });
    let fails = true;
    const work = (n: number): number => {
      if (!fails) return n;
      fails = false;
      throw new Error('no');
    };
    const to = (flow: Flow<number>): Flow<number> => flow.pipe(each(work, { onError: 'fail' }), deliver(shared));
    const seen = collect(source.flow.pipe(route([{ name: 'all', when: () => true, to }])), settling);
    for (const value of [1, 2]) source.offer(value);
    await clock.run(10);
    expect([seen.payloads.toSorted(), source.queued, source.unsettled]).toEqual([[1, 2], [], []]);
  });
});

describe('a sink that several runs give to', () => {
  it('goes on when one of them is done, which is when its own messages are settled', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const held: Message<number>[] = [];
    const shared = { ...recordingSink<number>(), next: (message: Message<number>) => void held.push(message) };
    const first = testSource<number>({ clock });
    const second = testSource<number>({ clock });
    const taking = run(first.flow.pipe(take(1)), shared);
    const other = run(second.flow, shared);
    let isDone = false;
    void taking.done.then(() => (isDone = true));
    await clock.run(1);
    first.offer(1);
    await clock.run(1);
    expect([isDone, shared.ended]).toEqual([false, []]);
    held[0]?.ack();
    await clock.run(1);
    expect([isDone, shared.ended]).toEqual([true, []]);
    second.offer(2);
    await clock.run(1);
    held[1]?.ack();
    void other.stop();
    await clock.run(1);
    await other.done;
    expect([shared.ended, second.unsettled]).toEqual([['complete'], []]);
  });
});
