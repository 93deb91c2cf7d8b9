import { BehaviorSubject } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { observe, SluiceError, type Message, type SluiceEvent } from 'sluice';
import { defineLink, isLegalStep, type Reader, type ReaderContext, type SourceOptions } from 'sluice/connection';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { defineSource } from '../../src/connection/define-source.js';
import { withScope, type SourceHandle } from '../../src/connection/scope.js';
import type { Outcome } from '../../src/message/settlement.js';
import { collect, type Collected } from '../helpers/collect.js';

interface Rig {
  readonly clock: VirtualClock;
  readonly seen: Collected<string>;
  /** What happened, in order: readers opened and closed, connections, settlements. */
  readonly log: string[];
  /** Steps of the status of the source, with the code of the reason. */
  readonly steps: string[];
  readonly source: SourceHandle;
  offer(payload: string): void;
  end(): void;
  lose(error: Error): void;
}

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

let rigs = 0;

/** A source over a link, whose far side brings nothing by itself. */
function rig(options: SourceOptions = {}, probe?: Reader['probe']): Rig {
  const connector = `rig ${(rigs += 1)}`;
  const clock = virtualClock();
  const log: string[] = [];
  const steps: string[] = [];
  let context: ReaderContext<string> | undefined;
  let handle: SourceHandle | undefined;
  const link = defineLink<number>(
    { connector: 'wire', connect: () => log.push('connect'), disconnect: () => void log.push('disconnect') },
    { clock },
  );
  const flow = defineSource<string, number>(
    {
      connector,
      credit: 2,
      link,
      open(current) {
        context = current;
        log.push('open');
        return {
          resume: () => undefined,
          settle: (position, outcome: Outcome) => void log.push(`${String(position)} ${outcome}`),
          close: () => void log.push('close'),
          ...(probe === undefined ? {} : { probe }),
        };
      },
    },
    { clock, settleWithinMs: 0, ...options },
  );
  const told = (event: SluiceEvent): void => {
    if (event.type !== 'status.changed' || event.connector !== connector) return;
    expect(isLegalStep(event.from, event.to)).toBe(true);
    steps.push(event.reason instanceof SluiceError ? `${event.to} ${event.reason.code}` : event.to);
  };
  onTestFinished(observe(told));
  const seen = withScope({ addSource: (source) => void (handle = source) }, () => collect(flow));
  clock.advance(0);
  return {
    clock,
    seen,
    log,
    steps,
    source: handle as unknown as SourceHandle,
    offer: (payload) => void context?.offer({ payload, topic: 't', position: payload }),
    end: () => context?.end(),
    lose: (error) => context?.lost(error),
  };
}

const opened = ({ log }: Rig): number => log.filter((line) => line === 'open').length;
const stalls = ({ steps }: Rig): number => steps.filter((step) => step === 'reconnecting STALLED').length;

describe('a source that gets nothing (REC-06, F5)', () => {
  it('is left alone by default, however long that lasts: a quiet topic looks the same', () => {
    const quiet = rig();
    quiet.clock.advance(24 * HOUR);
    expect([opened(quiet), quiet.steps, quiet.clock.pendingTimers]).toEqual([1, ['connecting', 'connected'], 0]);
  });

  it('is degraded and opened anew after stallTimeoutMs, and what was unsettled comes again', () => {
    const stalled = rig({ stallTimeoutMs: 8 * SECOND });
    stalled.offer('a');
    const [message] = stalled.seen.messages as [Message<string>];
    stalled.clock.advance(8 * SECOND);
    expect(stalls(stalled)).toBe(0);
    stalled.clock.advance(4 * SECOND);
    expect(stalls(stalled)).toBe(1);
    expect([message.ack(), message.signal.aborted]).toEqual([false, true]);
    stalled.clock.advance(SECOND);
    expect(stalled.log).toEqual(['connect', 'open', 'close', 'open']);
    expect(stalled.steps).toEqual([
      'connecting',
      'connected',
      'degraded STALLED',
      'reconnecting STALLED',
      'connected',
      'degraded STALLED',
    ]);
  });

  it('is well again with the next message, and its second stall in a row renews the connection as well', () => {
    const stalled = rig({ stallTimeoutMs: 8 * SECOND });
    stalled.clock.advance(13 * SECOND);
    stalled.offer('a');
    stalled.seen.messages[0]?.ack();
    stalled.clock.advance(2 * SECOND);
    expect(stalled.source.status).toBe('connected');
    stalled.clock.advance(13 * SECOND);
    expect([stalls(stalled), stalled.log.filter((line) => line === 'connect').length]).toEqual([2, 1]);
    stalled.clock.advance(13 * SECOND);
    expect(stalls(stalled)).toBe(3);
    expect(stalled.log.slice(-4)).toEqual(['close', 'disconnect', 'connect', 'open']);
  });

  it('is opened anew each time where there is no link to renew', () => {
    const clock = virtualClock();
    let opens = 0;
    const open = (): Reader => {
      opens += 1;
      return { resume: () => undefined, settle: () => undefined, close: () => undefined };
    };
    collect(defineSource<string>({ connector: 'alone', credit: 2, open }, { clock, stallTimeoutMs: 8 * SECOND }));
    clock.advance(HOUR);
    expect(opens).toBeGreaterThan(100);
  });

  it('is not stalled while messages come, while it has no credit, at its end, or after an unsubscribe', () => {
    const busy = rig({ stallTimeoutMs: 8 * SECOND });
    for (let at = 0; at < 100; at += 1) {
      busy.clock.advance(7 * SECOND);
      busy.offer(String(at));
      busy.seen.messages.at(-1)?.ack();
    }
    const full = rig({ stallTimeoutMs: 8 * SECOND });
    full.offer('a');
    full.offer('b');
    full.clock.advance(HOUR);
    full.seen.messages[0]?.ack();
    full.clock.advance(7 * SECOND);
    const paused = rig({ stallTimeoutMs: 8 * SECOND, credit: new BehaviorSubject(0) });
    paused.clock.advance(HOUR);
    const ended = rig({ stallTimeoutMs: 8 * SECOND });
    ended.offer('a');
    ended.end();
    ended.clock.advance(HOUR);
    for (const each of [busy, full, paused, ended]) expect([opened(each), stalls(each)]).toEqual([1, 0]);
    for (const each of [busy, full, paused, ended]) {
      for (const message of each.seen.messages) message.ack();
      each.seen.subscription.unsubscribe();
      expect(each.clock.pendingTimers).toBe(0);
    }
  });

  it('refuses a timeout that is none', () => {
    expect(() => rig({ stallTimeoutMs: -1 })).toThrow(/stallTimeoutMs/);
  });
});

describe('a source whose far side can be asked', () => {
  it('is watched by default, and left alone as long as nothing is there for it', () => {
    let asked = 0;
    const quiet = rig({}, () => (asked += 1) > 0);
    quiet.clock.advance(HOUR);
    expect([opened(quiet), stalls(quiet)]).toEqual([1, 0]);
    expect(asked).toBeGreaterThan(200);
  });

  it('is not watched with a stallTimeoutMs of 0', () => {
    const unwatched = rig({ stallTimeoutMs: 0 }, () => false);
    unwatched.clock.advance(HOUR);
    expect([opened(unwatched), unwatched.clock.pendingTimers]).toEqual([1, 0]);
  });

  const never = { then: () => never } as unknown as PromiseLike<boolean>;
  it.each<[string, () => boolean | PromiseLike<boolean>]>([
    ['it has messages', () => false],
    ['it has messages, said later', () => Promise.resolve(false)],
    ['asking fails', () => Promise.reject(new Error('no channel'))],
    ['asking throws', () => JSON.parse('') as boolean],
    ['it does not answer', () => never],
  ])('is stalled within 30 s when %s (G9)', async (_name, probe) => {
    const stalled = rig({}, probe);
    await stalled.clock.run(30 * SECOND);
    expect(stalls(stalled)).toBeGreaterThan(0);
    expect(stalled.steps).toContain('degraded STALLED');
  });

  it('is not stalled by what comes while it is asked, and an answer for a reader that is gone says nothing', async () => {
    const answers: ((isIdle: boolean) => void)[] = [];
    const asked = rig({}, () => new Promise((resolve) => void answers.push(resolve)));
    await asked.clock.run(13 * SECOND);
    expect(answers).toHaveLength(1);
    asked.offer('a');
    answers[0]?.(false);
    await asked.clock.run(9 * SECOND);
    expect(stalls(asked)).toBe(0);
    await asked.clock.run(20 * SECOND);
    expect([stalls(asked), answers.length]).toEqual([1, 2]);
    await asked.clock.run(2 * SECOND);
    expect(asked.source.status).toBe('degraded');
    answers[1]?.(true);
    await asked.clock.run(SECOND);
    expect(asked.source.status).toBe('degraded');
  });

  it('is not well by the answer to a question that its connection was lost over', async () => {
    const answers: ((isIdle: boolean) => void)[] = [];
    const asked = rig({}, () => new Promise((resolve) => void answers.push(resolve)));
    await asked.clock.runUntil(() => stalls(asked) === 1, HOUR);
    await asked.clock.runUntil(() => answers.length === 2, HOUR);
    asked.lose(new Error('cut'));
    await asked.clock.run(5 * SECOND);
    expect(asked.source.status).toBe('degraded');
    answers[1]?.(true);
    await asked.clock.run(SECOND);
    expect(asked.source.status).toBe('degraded');
  });

  it('is not degraded any more by the connection after the one that was well again', async () => {
    const stalled = rig({ stallTimeoutMs: 8 * SECOND });
    await stalled.clock.runUntil(() => stalls(stalled) === 1, HOUR);
    await stalled.clock.run(SECOND);
    stalled.offer('a');
    await stalled.clock.run(3 * SECOND);
    expect(stalled.source.status).toBe('connected');
    stalled.lose(new Error('cut'));
    await stalled.clock.run(SECOND);
    expect([opened(stalled), stalled.source.status]).toEqual([3, 'connected']);
  });

  it('is well again once the far side says that nothing is there for it', async () => {
    let isIdle = false;
    const asked = rig({}, () => Promise.resolve(isIdle));
    await asked.clock.run(20 * SECOND);
    expect([stalls(asked), asked.source.status]).toEqual([1, 'degraded']);
    isIdle = true;
    await asked.clock.run(15 * SECOND);
    expect([stalls(asked), asked.source.status]).toEqual([1, 'connected']);
  });
});
