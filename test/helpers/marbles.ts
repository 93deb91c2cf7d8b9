import { configure, type Context } from 'rxjs-marbles';
import { expect } from 'vitest';
import { useClock } from 'sluice';
import { testSchedulerClock } from 'sluice/testing';

interface Notified {
  readonly frame: number;
  readonly notification: {
    readonly kind: 'N' | 'E' | 'C';
    readonly value?: unknown;
    readonly error?: unknown;
  };
}

interface Subscribed {
  readonly subscribedFrame: number;
  readonly unsubscribedFrame: number;
}

function isNotified(value: unknown): value is Notified[] {
  if (!Array.isArray(value) || value.length === 0) return false;
  return value.every((entry: unknown) => typeof entry === 'object' && entry !== null && 'notification' in entry);
}

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}

/** One line of text per event, so that a failing test prints a short difference. */
function timeline(log: unknown, indent: string = '  '): string {
  if (!Array.isArray(log)) return show(log);
  const lines = (log as (Notified | Subscribed)[]).map((entry) => {
    if ('subscribedFrame' in entry) {
      const end = entry.unsubscribedFrame === Infinity ? 'open' : `unsubscribed ${entry.unsubscribedFrame}ms`;
      return `${indent}subscribed ${entry.subscribedFrame}ms, ${end}`;
    }
    const { kind, value, error } = entry.notification;
    if (kind === 'C') return `${indent}${entry.frame}ms complete`;
    if (kind === 'E') return `${indent}${entry.frame}ms error ${show(error)}`;
    const text = isNotified(value) ? `Observable${timeline(value, `${indent}  `)}` : show(value);
    return `${indent}${entry.frame}ms next ${text}`;
  });
  return `\n${lines.join('\n')}\n`;
}

const base = configure({
  run: true,
  frameworkMatcher: true,
  assert: (value: unknown, message: string) => {
    expect(value, message).toBeTruthy();
  },
  assertDeepEqual: (actual: unknown, expected: unknown) => {
    try {
      expect(actual).toStrictEqual(expected);
    } catch (strict) {
      expect(timeline(actual)).toBe(timeline(expected));
      // Equal as text and still not equal: undefined against missing, a class against a literal.
      throw strict;
    }
  },
});

/**
 * `it('...', marbles((m) => { ... }))`: the frames of `m` are also the time of every source and stage that is subscribed
 * meanwhile. A failure points at the test, not at the scheduler.
 */
export function marbles(test: (m: Context) => void): () => void {
  const defined = new Error('defined here');
  Error.captureStackTrace(defined, marbles);
  return () => {
    let restore = (): void => undefined;
    try {
      base.marbles((m: Context) => {
        restore = useClock(testSchedulerClock(m.scheduler));
        test(m);
      })();
    } catch (error) {
      if (error instanceof Error && !/\.(test|spec)\.ts/.test(error.stack ?? '')) {
        error.stack = `${error.name}: ${error.message}\n${defined.stack?.split('\n').slice(1).join('\n') ?? ''}`;
      }
      throw error;
    } finally {
      restore();
    }
  };
}
