import { concat, defer, EMPTY, lastValueFrom, map, NEVER, Observable, of, retry, Subject, throwError } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  backoff,
  deadLetter,
  deliver,
  each,
  fanout,
  fromAsyncIterable,
  memoryBroker,
  memorySink,
  memorySource,
  observe,
  payload,
  route,
  run,
  SluiceError,
  topic,
  useClock,
  type Fault,
  type Flow,
  type Message,
  type Sink,
  type Stage,
  type Status,
  type Try,
} from 'sluice';
import { defineSink, type Writer } from 'sluice/connection';
import { testSource, type TestSource, virtualClock } from 'sluice/testing';
import { childProgram } from '../helpers/child-program.js';
import { codeOf } from '../helpers/stage.js';

function ackingSink<T>(seen: T[] = []): Sink<T> {
  return {
    next: (message) => {
      seen.push(message.payload);
      message.ack();
    },
    error: () => undefined,
    complete: () => undefined,
  };
}

describe('run', () => {
  it('drains on stop: what was emitted is worked off, what was not stays with the broker (S4.6, SHU-02)', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const broker = memoryBroker();
    for (let at = 0; at < 50; at += 1) broker.publish({ topic: 'in', payload: at });
    const gates: (() => void)[] = [];
    const seen: number[] = [];
    const flow = memorySource<number>(broker, { topic: 'in', credit: 4 }).pipe(
      each((n) => new Promise<number>((resolve) => gates.push(() => resolve(n))), { concurrency: 4 }),
    );
    const running = run(flow, ackingSink(seen), { drainTimeoutMs: 1_000 });
    await clock.run(1);
    const stopped = running.stop();
    // The work has nearly all of that time.
    await clock.run(999);
    for (const open of gates) open();
    await clock.run(0);
    const report = await stopped;
    expect(report).toMatchObject({ clean: true, unfinished: [], tookMs: 999 });
    expect(seen).toEqual([0, 1, 2, 3]);
    const rest: number[] = [];
    memorySource<number>(broker, { topic: 'in', credit: 1 }).subscribe((message) => {
      rest.push(message.payload);
      message.ack();
    });
    await clock.run(1);
    expect(rest).toEqual(Array.from({ length: 46 }, (_, at) => at + 4));
  });

  it('ends with the failure of a sink inside the flow, and gives up nothing that it had read', async () => {
    for (const into of ['deliver', 'route', 'fanout'] as const) {
      const clock = virtualClock();
      const restore = useClock(clock);
      const source = testSource<number>({ clock, credit: 4, maxAttempts: 2 });
      for (let at = 0; at < 50; at += 1) source.offer(at);
      const broken = defineSink<number>({
        connector: 'broken',
        maxUnconfirmed: 4,
        open: () => Promise.reject(new SluiceError('AUTH_FAILED', 'no')),
      });
      const stages: Readonly<Record<typeof into, Stage<number, number>>> = {
        deliver: deliver(broken),
        route: route([{ name: 'all', when: () => true, to: broken }]),
        fanout: fanout([broken]),
      };
      const outcomes: string[] = [];
      source.events$.subscribe(({ type }) => outcomes.push(type));
      const running = run(stages[into](source.flow), ackingSink<number>());
      const failed = expect(running.done).rejects.toMatchObject({ code: 'AUTH_FAILED' });
      await clock.run(60_000);
      await failed;
      restore();
      expect(outcomes.filter((type) => ['ack', 'dead', 'drop'].includes(type))).toEqual([]);
      expect(source.unsettled).toEqual([]);
    }
  });

  it('fails with its sink also when the flow never ends by itself, as one without a source of ours', async () => {
    const clock = virtualClock();
    const restore = useClock(clock);
    const broken = defineSink<number>({
      connector: 'broken',
      maxUnconfirmed: 4,
      open: () => Promise.reject(new SluiceError('AUTH_FAILED', 'no')),
    });
    const source = testSource<number>({ clock });
    source.offer(1);
    const endless: Flow<number> = new Observable((output) => {
      const subscription = source.flow.subscribe((message) => output.next(message));
      return () => subscription.unsubscribe();
    });
    const running = run(endless, broken, { clock, drainTimeoutMs: 1_000 });
    const failed = expect(running.done).rejects.toMatchObject({ code: 'AUTH_FAILED' });
    await clock.run(60_000);
    await failed;
    restore();
    expect(source.queued).toEqual([1]);
  });

  it('fails at once with its sink, also where what the sink refused would be emitted again', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const broken = defineSink<number>({
      connector: 'broken',
      maxUnconfirmed: 4,
      open: () => Promise.reject(new SluiceError('AUTH_FAILED', 'no')),
    });
    const running = run(fromAsyncIterable([1, 2, 3], { credit: 2 }), broken);
    const failed = expect(running.done).rejects.toMatchObject({ code: 'AUTH_FAILED' });
    await clock.run(500);
    await failed;
    expect(running.health()).toMatchObject({ sources: [{ status: 'closed', unsettled: 0 }] });
  });

  it('fails when somebody else completes its sink, and gives up nothing that it had read', async () => {
    const clock = virtualClock();
    onTestFinished(useClock(clock));
    const sink = memorySink<number>(memoryBroker({ clock }), { topic: 'out' });
    const source = testSource<number>({ clock, credit: 1, maxAttempts: 1 });
    const running = run(source.flow, sink);
    const failed = expect(running.done).rejects.toMatchObject({ code: 'SINK_CLOSED' });
    await clock.run(1);
    sink.complete();
    await clock.run(1);
    for (const value of [1, 2]) source.offer(value);
    await clock.run(1);
    await failed;
    expect([source.queued, source.unsettled]).toEqual([[1, 2], []]);
  });

  it('takes an observer that does not say when it is closed, as a Subject, and one that fails to close', async () => {
    const subject = new Subject<Message<number>>();
    subject.subscribe((message) => message.ack());
    const report = run(fromAsyncIterable([1, 2]), subject as unknown as Sink<number>).done;
    await expect(report).resolves.toMatchObject({ clean: true });
    const failing = { ...ackingSink<number>(), closed: Promise.reject(new Error('no')) };
    await expect(run(memorySource<number>(memoryBroker(), { topic: 'in' }), failing).done).rejects.toMatchObject({
      code: 'SINK_FAILED',
    });
  });

  it('refuses a sink that has ended', () => {
    const sink = memorySink<number>(memoryBroker(), { topic: 'out' });
    sink.complete();
    expect(() => run(memorySource<number>(memoryBroker(), { topic: 'in' }), sink)).toThrow(
      expect.objectContaining({ code: 'SINK_CLOSED' }) as Error,
    );
  });

  it('is done after the deadline of a drain, too (SHU-06)', async () => {
    const clock = virtualClock();
    const source = testSource<number>({ clock });
    source.offer(1);
    const running = run(source.flow.pipe(each(() => NEVER as Observable<number>, { clock })), ackingSink(), {
      clock,
      drainTimeoutMs: 100,
    });
    clock.advance(0);
    void running.stop();
    await clock.run(60_000);
    await expect(running.done).resolves.toMatchObject({ clean: false });
  });

  it.each(['confirms nothing', 'is not connected'])(
    'waits no longer for a sink that %s once the deadline of a drain has passed (SHU-06)',
    async (how) => {
      const clock = virtualClock();
      onTestFinished(useClock(clock));
      const away = new SluiceError('CONNECT_FAILED', 'away', { retriable: true });
      const open = (): Promise<Writer<number>> =>
        how === 'confirms nothing'
          ? Promise.resolve({ send: () => undefined, close: () => undefined })
          : Promise.reject(away);
      const sink = defineSink<number>({ connector: 'slow', maxUnconfirmed: 1, open }, { closeTimeoutMs: 30_000 });
      let closedMs = Infinity;
      void sink.closed?.then(() => (closedMs = clock.elapsed()));
      const source = testSource<number>({ clock });
      for (const value of [1, 2]) source.offer(value);
      const running = run(source.flow, sink, { drainTimeoutMs: 100 });
      await clock.run(1);
      void running.stop();
      await clock.run(200);
      await expect(running.done).resolves.toMatchObject({ clean: false });
      expect(closedMs).toBe(101);
      expect(source.queued).toEqual([1, 2]);
    },
  );

  it('reports each unfinished message with the stage that held it at the deadline, and tells its work (S4.40, S4.80, SHU-06)', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    broker.publish({ topic: 'in', payload: 1, id: 'first' });
    const told: string[] = [];
    const work = (_n: number, _message: Message<number>, { signal }: Try): Promise<number> => {
      signal.addEventListener('abort', () => void told.push(`${clock.elapsed()} ${codeOf(signal.reason)}`));
      return new Promise(() => undefined);
    };
    const flow = memorySource<number>(broker, { topic: 'in', clock }).pipe(
      payload((n) => n + 1),
      each(work, { name: 'stuck', clock }),
    );
    const running = run(flow, ackingSink(), { clock, drainTimeoutMs: 500 });
    await clock.run(1);
    const stopped = running.stop();
    await clock.run(1_000);
    const report = await stopped;
    expect(told).toEqual(['501 SETTLE_LOST']);
    expect(report.clean).toBe(false);
    expect(report.error).toMatchObject({ code: 'DRAIN_TIMEOUT' });
    expect(report.error?.message).toContain('held by stuck');
    expect(report.unfinished).toMatchObject([{ id: 'first', topic: 'in', stage: 'stuck', connector: 'memory' }]);
  });

  it('nacks the message when the sink throws, and goes on (ACK-06, S0.31)', async () => {
    const broker = memoryBroker();
    for (const value of ['good', 'bad', 'better']) broker.publish({ topic: 'in', payload: value });
    const seen: string[] = [];
    const faults: Fault[] = [];
    const sink: Sink<string> = {
      ...ackingSink<string>(),
      next: (message) => {
        if (message.payload === 'bad') throw new Error('no');
        seen.push(message.payload);
        message.ack();
      },
    };
    const running = run(memorySource<string>(broker, { topic: 'in', maxAttempts: 1 }), sink);
    running.faults$.subscribe((fault) => faults.push(fault));
    await expect.poll(() => seen.length).toBe(2);
    expect(faults).toMatchObject([{ type: 'message.nacked', then: 'dead' }]);
    await running.stop();
  });

  it('fails done with the error of a source that cannot go on', async () => {
    const broken: Flow<number> = new Observable<Message<number>>((subscriber) => {
      subscriber.error(new SluiceError('CONNECT_FAILED', 'no such user'));
    });
    const running = run(broken, ackingSink());
    await expect(running.done).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
    const last = await new Promise((resolve) => running.status$.subscribe({ next: resolve }));
    expect(last).toBe('failed');
  });

  it('hands the failure of the flow to the sink, reports it, and is not ready from then on', async () => {
    const told: string[] = [];
    const stop = observe((event) => event.type === 'flow.failed' && told.push(`${event.flow} ${codeOf(event.reason)}`));
    const sink: Sink<number> = { ...ackingSink<number>(), error: (error) => told.push(`sink ${codeOf(error)}`) };
    const broken: Flow<number> = throwError(() => new SluiceError('CONNECT_FAILED', 'no such user'));
    const running = run(broken, sink, { name: 'bills' });
    const health = lastValueFrom(running.health$);
    const faults = lastValueFrom(running.faults$, { defaultValue: 'none' });
    await expect(running.done).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
    stop();
    expect(told).toEqual(['sink CONNECT_FAILED', 'bills CONNECT_FAILED']);
    expect(await health).toMatchObject({ ready: false, reasons: ['bills failed with CONNECT_FAILED'] });
    expect(await faults).toBe('none');
  });

  it('fails with what a flow threw that is no error, and with what its sink threw at the end', async () => {
    const nothing: Flow<number> = new Observable((subscriber) => subscriber.error(undefined));
    await expect(run(nothing, ackingSink()).done).rejects.toMatchObject({ code: 'HANDLER_FAILED' });
    const cause = new TypeError('no price');
    const broken = testSource<number>();
    const thrower = broken.flow.pipe(
      map((): Message<number> => {
        throw cause;
      }),
    );
    const { done } = run(thrower, ackingSink());
    broken.offer(1);
    await expect(done).rejects.toMatchObject({ code: 'HANDLER_FAILED', message: 'flow failed: no price', cause });
    const sink: Sink<number> = {
      ...ackingSink<number>(),
      complete: () => {
        throw new Error('disk full');
      },
    };
    const told = { code: 'SINK_FAILED', message: 'flow failed: disk full' };
    await expect(run(EMPTY as Flow<number>, sink).done).rejects.toMatchObject(told);
  });

  it('shows a failure that nobody waits for as an unhandled rejection', async () => {
    const program = await childProgram(
      `import { throwError } from 'rxjs';
      import { run } from 'sluice';
      const sink = { next: (m) => m.ack(), error() {}, complete() {} };
      const running = run(throwError(() => new Error('no such host')), sink);
      const [how] = process.argv.slice(2);
      if (how === 'done') running.done.catch(() => console.log('seen'));
      if (how === 'stop') running.stop().catch(() => console.log('seen'));
      `,
    );
    const unseen = program.start();
    expect(await unseen.ended).toBe(1);
    expect(unseen.said).toContain('flow failed: no such host');
    for (const how of ['done', 'stop']) {
      const seen = program.start(how);
      expect([await seen.ended, seen.said]).toEqual([0, 'seen\n']);
    }
  });

  it('is done at the deadline of a drain when its sink does not close', async () => {
    const clock = virtualClock();
    let completed = 0;
    const sink: Sink<number> = {
      ...ackingSink<number>(),
      complete: () => void (completed += 1),
      closed: new Promise(() => undefined),
    };
    const running = run(testSource<number>({ clock }).flow, sink, { clock, drainTimeoutMs: 100 });
    const stopped = running.stop();
    await clock.run(1_000);
    expect(await stopped).toMatchObject({ clean: false, unfinished: [] });
    expect((await stopped).error?.message).toContain('its sink has not ended');
    await expect(running.done).resolves.toBe(await stopped);
    expect(completed).toBe(1);
  });

  it('ends clean, and takes nothing in, with a signal that was aborted before', async () => {
    const clock = virtualClock();
    const source = testSource<number>({ clock });
    for (const value of [1, 2, 3]) source.offer(value);
    const seen: number[] = [];
    const running = run(source.flow, ackingSink(seen), { clock, signal: AbortSignal.abort() });
    await clock.run(1);
    expect(await running.done).toMatchObject({ clean: true });
    expect([seen.length + source.queued.length, source.unsettled]).toEqual([3, []]);
  });

  it.each(['the work', 'the sink', 'an ack'] as const)(
    'loses nothing when its signal aborts inside %s',
    async (where) => {
      const clock = virtualClock();
      const source = testSource<number>({ clock, credit: 3 });
      for (let value = 0; value < 9; value += 1) source.offer(value);
      const controller = new AbortController();
      const abortAt = (place: typeof where, value: number): void => {
        if (place === where && value === 4) controller.abort();
      };
      const worked: number[] = [];
      const flow = source.flow.pipe(
        each(
          (value) => {
            abortAt('the work', value);
            return value;
          },
          { clock },
        ),
      );
      const sink: Sink<number> = {
        ...ackingSink<number>(),
        next(message) {
          worked.push(message.payload);
          abortAt('the sink', message.payload);
          if (where === 'an ack') message.signal.addEventListener('abort', () => abortAt('an ack', message.payload));
          message.ack();
        },
      };
      const running = run(flow, sink, { clock, signal: controller.signal });
      await clock.run(1);
      expect(await running.done).toMatchObject({ clean: true, unfinished: [] });
      expect([worked, source.queued, source.unsettled]).toEqual([[0, 1, 2, 3, 4], [5, 6, 7, 8], []]);
    },
  );

  it('drains sources too that are subscribed when another one has ended, and does not begin them in a stop', async () => {
    const clock = virtualClock();
    const [first, second, third] = ['a', 'b', 'c'].map((connector) =>
      testSource<string>({ clock, connector, credit: 1 }),
    );
    const all = [first, second, third] as TestSource<string>[];
    for (const source of all) for (const value of ['1', '2', '3']) source.offer(value);
    first?.end();
    const running = run(concat(...all.map(({ flow }) => flow)), ackingSink<string>(), { clock, drainTimeoutMs: 1_000 });
    await clock.run(1);
    expect(running.health().sources.map(({ connector, status }) => `${connector} ${status}`)).toEqual([
      'a closed',
      'b connected',
    ]);
    second?.offer('4');
    const stopped = running.stop();
    await clock.run(1);
    expect(await stopped).toMatchObject({ clean: true });
    expect([second?.unsettled, third?.queued]).toEqual([[], ['1', '2', '3']]);
  });

  it('forgets sources that have ended when there are many of them', async () => {
    const clock = virtualClock();
    let tries = 0;
    const source = testSource<number>({ clock, reconnect: backoff({ tries: 1 }) });
    const counted = defer(() => {
      tries += 1;
      return source.flow;
    });
    const running = run(counted.pipe(retry()), ackingSink<number>(), { clock });
    for (let at = 0; at < 300; at += 1) {
      source.lose(new Error('cut'));
      clock.advance(1);
    }
    expect(tries).toBeGreaterThan(200);
    expect(running.health().sources.length).toBeLessThanOrEqual(65);
    const stopped = running.stop();
    await clock.run(1);
    expect(await stopped).toMatchObject({ clean: true });
  });

  it('lets go of its signal when it has ended', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    }) as typeof add;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    }) as typeof remove;
    await run(EMPTY as Flow<number>, ackingSink(), { signal }).done;
    expect(listeners).toBe(0);
  });

  it('stops when its signal aborts, and when it is disposed of (S4.39)', async () => {
    const broker = memoryBroker();
    const controller = new AbortController();
    const first = run(memorySource(broker, { topic: 'in' }), memorySink(broker, { topic: 'out' }), {
      signal: controller.signal,
    });
    controller.abort();
    expect((await first.done).clean).toBe(true);
    const statuses: string[] = [];
    {
      await using second = run(memorySource(broker, { topic: 'in' }), memorySink(broker, { topic: 'out' }));
      second.status$.subscribe((status) => statuses.push(status));
    }
    expect(statuses).toEqual(['running', 'draining', 'done']);
  });

  it('is not ready while a sink inside of the flow is away', async () => {
    const broker = memoryBroker();
    const sinkOf = (connector: string) => ({
      connector,
      status: 'connected' as Status,
      status$: of<Status>('connected'),
      unconfirmed: 0,
      queued: 0,
      confirmedCount: 0,
      failedCount: 0,
      next: (message: Message<unknown>) => void message.ack(),
      error: () => undefined,
      complete: () => undefined,
    });
    const [letters, audit, bills, rest] = ['letters', 'audit', 'bills', 'rest'].map(sinkOf);
    const running = run(
      memorySource<number>(broker, { topic: 'in' }).pipe(
        deadLetter(letters!),
        deliver(audit!),
        route([{ name: 'bills', when: topic('bills'), to: bills! }], { otherwise: (source) => source }),
      ),
      rest!,
    );
    const names = running.health().sinks.map(({ connector }) => connector);
    expect([names[0], names.toSorted()]).toEqual(['rest', ['audit', 'bills', 'letters', 'rest']]);
    expect(running.health().ready).toBe(true);
    for (const sink of [letters!, audit!, bills!]) {
      sink.status = 'reconnecting';
      expect(running.health().reasons).toEqual([`${sink.connector} is reconnecting`]);
      sink.status = 'connected';
    }
    await running.stop();
  });

  it('tells its health: credit, unsettled and the age of the oldest', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (let at = 0; at < 5; at += 1) broker.publish({ topic: 'in', payload: at });
    const held: Message<number>[] = [];
    const sink: Sink<number> = { ...ackingSink<number>(), next: (message) => void held.push(message) };
    const running = run(memorySource<number>(broker, { topic: 'in', credit: 2, clock }), sink, { clock });
    await clock.run(40_000);
    expect(running.health()).toMatchObject({
      ready: false,
      sources: [{ connector: 'memory', status: 'connected', credit: 2, unsettled: 2 }],
    });
    expect(running.health().reasons[0]).toMatch(/^memory has a message unsettled for 40000 ms/);
    const stopped = running.stop();
    for (const message of held) message.ack();
    await clock.run(1);
    expect((await stopped).clean).toBe(true);
  });

  it('is not ready while so many messages wait in lanes that nothing new is taken', async () => {
    const clock = virtualClock();
    const broker = memoryBroker({ clock });
    for (let at = 0; at < 20; at += 1) broker.publish({ topic: 'in', payload: at });
    const flow = memorySource<number>(broker, { topic: 'in', credit: 4, maxParked: 3, clock }).pipe(
      each(() => NEVER as Observable<number>, { lane: () => 'slow', clock, name: 'stuck' }),
    );
    const running = run(flow, ackingSink(), { clock, drainTimeoutMs: 10 });
    await clock.run(1);
    const { reasons, sources } = running.health();
    expect(reasons).toEqual([`memory takes nothing new, ${sources[0]?.parked} messages wait in lanes (maxParked)`]);
    expect(sources[0]?.parked).toBeGreaterThanOrEqual(3);
    const stopped = running.stop();
    await clock.run(100);
    const { unfinished } = await stopped;
    expect(unfinished.length).toBe(1 + (sources[0]?.parked ?? 0));
    expect(new Set(unfinished.map(({ stage }) => stage))).toEqual(new Set(['stuck']));
  });

  it('refuses a second sink, and says how several get a message', () => {
    expect(() => run(NEVER, ackingSink(), memorySink(memoryBroker()) as never)).toThrow(
      /got a sink: a flow has one; give to several with fanout/,
    );
  });

  it('refuses an unknown option and names the nearest one', () => {
    expect(() => run(NEVER, ackingSink(), { drainTimeout: 1 } as never)).toThrow(/did you mean 'drainTimeoutMs'/);
  });
});
