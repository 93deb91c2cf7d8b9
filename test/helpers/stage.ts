import type { Subscription } from 'rxjs';
import { expect, it } from 'vitest';
import { isSluiceError, type Message, SluiceError, type SourceOptions, type Stage, useClock } from 'sluice';
import { testSource, type TestSource, virtualClock, type VirtualClock } from 'sluice/testing';

/** Options of {@link runStage}. */
export interface StageRunOptions<I, O> extends SourceOptions {
  /** Offered at once, in order; the source ends after them unless `open` is set. */
  readonly values?: readonly I[];
  readonly open?: boolean;
  /** What the end of the flow does with each message. Default: acks it. */
  readonly sink?: 'ack' | 'hold' | ((message: Message<O>) => void);
  readonly key?: (value: I) => string | undefined;
}

/** A stage at work in virtual time, between a source and a consumer. */
export interface StageRun<I, O> {
  readonly clock: VirtualClock;
  readonly source: TestSource<I>;
  /** Payloads that came out, in order. */
  readonly out: O[];
  /** The same as messages. */
  readonly messages: Message<O>[];
  /** How each delivery ended, in order: `a ack`, `b ack filtered`, `c dead HANDLER_FAILED`. */
  readonly log: string[];
  /** `open`, `complete`, or the code of the error. */
  readonly end: string;
  readonly subscription: Subscription;
  /** Payloads that are delivered and unsettled. */
  readonly held: readonly I[];
}

/** What an error says in a log: its code, or its message. */
export const codeOf = (error: unknown): string =>
  isSluiceError(error) ? error.code : error instanceof Error ? error.message : String(error);

/** Subscribes `stage` behind a source that was offered the values, and lets everything that takes no time happen. */
export function runStage<I, O>(stage: Stage<I, O>, options: StageRunOptions<I, O> = {}): StageRun<I, O> {
  const { values = [], open = false, sink = 'ack', ...sourceOptions } = options;
  const clock = virtualClock();
  const source = testSource<I>({ clock, ...sourceOptions });
  const log: string[] = [];
  source.events$.subscribe(({ type, record, reason }) => {
    if (type === 'delivered' || type === 'waiting') return;
    log.push([String(record.value), type, reason === undefined ? '' : codeOf(reason)].join(' ').trim());
  });
  for (const value of values) source.offer(value);
  if (!open) source.end();
  const out: O[] = [];
  const messages: Message<O>[] = [];
  let end = 'open';
  const restore = useClock(clock);
  const subscription = stage(source.flow).subscribe({
    next(message) {
      out.push(message.payload);
      messages.push(message);
      if (sink === 'ack') message.ack();
      else if (sink !== 'hold') sink(message);
    },
    error: (error: unknown) => (end = codeOf(error)),
    complete: () => (end = 'complete'),
  });
  restore();
  clock.advance(0);
  return {
    clock,
    source,
    out,
    messages,
    log,
    get end() {
      return end;
    },
    subscription,
    get held() {
      return source.unsettled.map(({ value }) => value);
    },
  };
}

/**
 * What holds for every stage: it says nothing before its source does, completes and fails with it, gives back what it
 * holds when it is unsubscribed, and keeps nothing from one subscription for the next.
 *
 * @param make called for each test
 * @param values that pass the stage, at least two
 */
export function stageLaws<I, O>(make: () => Stage<I, O>, values: readonly I[]): void {
  it('never says anything when its source does not', () => {
    const run = runStage(make(), { open: true });
    run.clock.advance(60_000);
    expect([run.out, run.end, run.log]).toEqual([[], 'open', []]);
    run.subscription.unsubscribe();
    expect(run.clock.pendingTimers).toBe(0);
  });

  it('completes at once when its source is empty', () => {
    const run = runStage(make());
    expect([run.out, run.end, run.log]).toEqual([[], 'complete', []]);
  });

  it('settles every message and completes when its source has', () => {
    for (const credit of [1, 3, 16]) {
      const run = runStage(make(), { values, credit });
      run.clock.advance(60_000);
      expect([run.end, run.held, run.log.length]).toEqual(['complete', [], values.length]);
    }
  });

  it('hands the error of its source on, and leaves nothing open', () => {
    const run = runStage(make(), { values: values.slice(0, 1), open: true, sink: 'hold' });
    run.source.lose(new SluiceError('CONNECT_FAILED', 'for good'));
    run.clock.advance(60_000);
    expect([run.end, run.held]).toEqual(['CONNECT_FAILED', []]);
  });

  it('gives back what nobody settled when it is unsubscribed, and emits nothing any more', () => {
    const run = runStage(make(), { values, open: true, sink: 'hold' });
    run.subscription.unsubscribe();
    const { length } = run.out;
    run.clock.advance(60_000);
    expect(run.held).toEqual([]);
    expect(run.log.filter((line) => / (ack|dead|drop)/.test(line))).toEqual([]);
    expect(run.out.length).toBe(length);
    expect(run.clock.pendingTimers).toBe(0);
  });

  it('starts anew with every subscription', () => {
    const stage = make();
    const outs = [1, 2].map(() => {
      const run = runStage(stage, { values });
      run.clock.advance(60_000);
      return [run.out, run.log, run.end];
    });
    expect(outs[0]).toEqual(outs[1]);
  });
}
