import { readFileSync } from 'node:fs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { isMessage, memoryBroker, memorySource, observe } from 'sluice';
import { testSchedulerClock } from 'sluice/testing';
import { censusPage } from './census-page.js';
import { PLAIN_OPERATORS, type CensusClass, type CensusRow } from './plain-operators.js';

const MESSAGES = 24;
const CREDIT = 4;
const RUN_MS = 400;

interface Measured {
  readonly settled: number;
  /** Settlements of what was settled or taken back before. */
  readonly late: number;
  /** Messages that wait at the broker. */
  readonly waiting: number;
  /** What may still be emitted. */
  readonly free: number;
  readonly ended: boolean;
}

function measure({ apply }: CensusRow): Measured {
  const scheduler = new TestScheduler(() => undefined);
  return scheduler.run(({ flush }) => {
    // Operators on an interval go on for ever.
    scheduler.maxFrames = RUN_MS;
    // What an ended flow held goes back by a background timer, which runs only while something else is to come.
    scheduler.schedule(() => undefined, RUN_MS);
    const clock = testSchedulerClock(scheduler);
    const broker = memoryBroker({ clock });
    const options = { topic: 't', credit: CREDIT, maxAttempts: 100, settleWithinMs: 0, closeTimeoutMs: 50, clock };
    for (let payload = 0; payload < MESSAGES; payload += 1) broker.publish({ topic: 't', payload });
    let late = 0;
    const stop = observe((event) => void (late += event.type === 'message.late' ? 1 : 0));
    let ended = false;
    const subscription = apply(memorySource<number>(broker, options)).subscribe({
      next: (out) => [out].flat().forEach((part) => void (isMessage(part) && part.ack())),
      complete: () => void (ended = true),
    });
    flush();
    const waiting = broker.peek.depth('t');
    const held = broker.peek.unsettled('t');
    const free = broker.peek.consumers('t') * CREDIT - held;
    subscription.unsubscribe();
    stop();
    return { settled: MESSAGES - waiting - held, late, waiting, free, ended };
  });
}

function classOf({ settled, late, waiting, free, ended }: Measured): CensusClass {
  if (late > 0) return 'settles twice';
  if (settled === MESSAGES || (ended && settled + waiting === MESSAGES)) return 'safe';
  return free === 0 ? 'stalls' : 'degrades';
}

describe('plain operators on a flow', () => {
  it.each(PLAIN_OPERATORS)('$name: $expected', (row) => {
    const measured = measure(row);
    expect({ ...measured, class: classOf(measured) }).toMatchObject({ class: row.expected });
  });

  it('are each named once, and something is named instead of each that is not safe', () => {
    expect(new Set(PLAIN_OPERATORS.map((row) => row.name)).size).toBe(PLAIN_OPERATORS.length);
    expect(PLAIN_OPERATORS.filter((row) => row.expected !== 'safe' && row.instead === '')).toEqual([]);
  });

  it('are listed on the page as the table says', () => {
    expect(readFileSync(new URL('../../docs/plain-operators.md', import.meta.url), 'utf8')).toBe(censusPage());
  });
});
