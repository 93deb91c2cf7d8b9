import { systemClock } from '../clock.js';
import type { Sink } from '../connection/flow.js';
import type { SinkHandle } from '../connection/scope.js';
import { isSluiceError } from '../errors.js';
import type { SluiceEvent } from '../observability/events.js';
import type { CaseConsumer } from './case-consumer.js';
import type { Bench } from './harness.js';

/** What a case has to tell of itself. */
export interface CaseFacts {
  readonly consumers: readonly CaseConsumer[];
  /** Those that are not closed. */
  readonly sinks: ReadonlySet<Sink<Uint8Array>>;
  readonly events: readonly SluiceEvent[];
  /** When each of the events came. */
  readonly heardMs: readonly number[];
}

const LAST_EVENTS = 30;
/** How long the far side may take to say how it is. */
const ANSWER_MS = 15_000;
const MAX_TEXT = 4_000;

/**
 * Where sources, sinks and the far side stood when a case failed, and what was reported last: in real time a failure may
 * not come again, so its message has to be enough to understand it.
 *
 * @internal
 */
export async function caseStory(facts: CaseFacts, bench: Bench): Promise<string> {
  const nowMs = systemClock.elapsed();
  const { consumers, sinks, events, heardMs } = facts;
  const heard = events.map((event, at) => `-${Math.round(nowMs - (heardMs[at] ?? nowMs))} ms ${told(event)}`);
  return [
    ...consumers.map((consumer) => `  source ${source(consumer)}`),
    ...Array.from(sinks, (sink) => `  sink ${open(sink)}`),
    `  the last of ${events.length} events:`,
    ...heard.slice(-LAST_EVENTS).map((line) => `    ${line}`),
    ...(bench.explain === undefined ? [] : ['  the far side:', await farSide(bench)]),
  ].join('\n');
}

function source({ handle, count, distinct, walk, error, completed }: CaseConsumer): string {
  const end = error === undefined ? (completed > 0 ? ', completed' : '') : `, ended with ${reasonOf(error)}`;
  const got = `got ${count}, ${distinct.size} different${end}`;
  if (handle === undefined) return got;
  const { connector, status, credit, unsettled, parked, counts } = handle;
  const { acked, released, reconnects } = counts;
  return (
    `${connector} ${status} after ${walk.slice(-5).join(', ')}: ${got}; credit ${credit}, unsettled ${unsettled}, ` +
    `parked ${parked}, acked ${acked}, released ${released}, reconnects ${reconnects}`
  );
}

function open(sink: Sink<Uint8Array>): string {
  const { connector, status, unconfirmed, queued, confirmedCount } = sink as Partial<SinkHandle>;
  return `${connector} ${status}: unconfirmed ${unconfirmed}, queued ${queued}, confirmed ${confirmedCount}`;
}

function told(event: SluiceEvent): string {
  const about = 'connector' in event ? ` ${event.connector}` : '';
  const step = event.type === 'status.changed' ? ` ${event.from} to ${event.to}` : '';
  const why = 'reason' in event && event.reason !== undefined ? `: ${reasonOf(event.reason)}` : '';
  return `${event.type}${about}${step}${why}`;
}

function reasonOf(reason: unknown): string {
  const { message } = (reason ?? {}) as { readonly message?: unknown };
  const text = typeof message === 'string' ? message : String(reason);
  return (isSluiceError(reason) ? `${reason.code} ${text}` : text).slice(0, 200);
}

async function farSide(bench: Bench): Promise<string> {
  let cancel: (() => void) | undefined;
  const late = new Promise<string>((resolve) => {
    cancel = systemClock.timer(ANSWER_MS, () => resolve(`gave no answer within ${ANSWER_MS} ms`));
  });
  try {
    return (await Promise.race([bench.explain?.() ?? '', late])).slice(-MAX_TEXT);
  } catch (error) {
    return `gave no answer: ${reasonOf(error)}`;
  } finally {
    cancel?.();
  }
}
