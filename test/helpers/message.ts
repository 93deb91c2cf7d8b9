import { Observable } from 'rxjs';
import { isSluiceError, type Flow, type Message, type MessageHeaders } from 'sluice';
import { Envelope } from '../../src/message/envelope.js';
import type { Outcome, SourceSettler } from '../../src/message/settler.js';

/** What a message of a {@link Recorder} may have besides its payload. */
export interface MessageFields {
  readonly topic?: string;
  readonly id?: string;
  readonly headers?: MessageHeaders;
  readonly key?: string | undefined;
  readonly attempt?: number;
  readonly timeMs?: number;
}

/** How one message ended. */
export interface Settled {
  readonly payload: unknown;
  readonly outcome: Outcome;
  /** The error code of a nack's reason, or its message when it is no SluiceError. */
  readonly code?: string;
  /** The note of an ack. */
  readonly note?: string;
  /** The stage that settled it. */
  readonly by: string;
}

/** Hands out messages and writes down what becomes of them. It stands in for a source where only settlement matters. */
export interface Recorder {
  message<T>(payload: T, fields?: MessageFields): Message<T>;
  /** A flow of messages with these payloads, all at once; it completes without waiting for their settlement. */
  flow<T>(payloads: readonly T[], fields?: (payload: T) => MessageFields): Flow<T>;
  /** Every first settlement in order. */
  readonly settled: readonly Settled[];
  /** The same as text: `a ack`, `b dead UNROUTED`, `c ack (filtered)`. */
  readonly log: readonly string[];
  /** Payloads of the messages that are not settled. */
  readonly open: readonly unknown[];
  /** Payloads of the messages that were settled a second time. */
  readonly late: readonly unknown[];
  /** What `isWaiting` says; setting it to true tells those who listen. */
  waiting: boolean;
}

/** Messages whose settlements are recorded, in lists that grow as it happens: `const { message, log } = recorder()`. */
export function recorder(): Recorder {
  const settled: Settled[] = [];
  const late: unknown[] = [];
  const log: string[] = [];
  const open: unknown[] = [];
  /** In the order of `open`, as payloads may be equal. */
  const openRoots: Envelope<unknown>[] = [];
  const listeners = new Set<() => void>();
  let ids = 0;
  let waiting = false;
  const settler: SourceSettler = {
    settle(root, outcome, reason) {
      const { payload, holder: by } = root;
      const at = openRoots.indexOf(root);
      openRoots.splice(at, 1);
      open.splice(at, 1);
      const why = whyOf(outcome, reason);
      settled.push({ payload, outcome, by, ...why });
      const note = why.note === undefined ? undefined : `(${why.note})`;
      log.push([textOf(payload), outcome, why.code, note].filter(Boolean).join(' '));
    },
    late: (root) => void late.push(root.payload),
    wallMs: () => 0,
    newId: () => `id-${(ids += 1)}`,
    isWaiting: () => waiting,
    pending: () => open.length,
    limit: () => 16,
    onWaiting(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  function message<T>(payload: T, fields: MessageFields = {}): Message<T> {
    const made = new Envelope<T>(settler, payload, { topic: 'test', ...fields });
    openRoots.push(made);
    open.push(payload);
    return made;
  }
  return {
    message,
    flow: (payloads, fields) =>
      new Observable((subscriber) => {
        for (const payload of payloads) subscriber.next(message(payload, fields?.(payload)));
        subscriber.complete();
      }),
    settled,
    log,
    open,
    late,
    get waiting() {
      return waiting;
    },
    set waiting(value) {
      waiting = value;
      if (value) for (const listener of [...listeners]) listener();
    },
  };
}

/** Spelling out a megabyte takes longer than any test. */
const textOf = (payload: unknown): string =>
  payload instanceof Uint8Array && payload.length > 10_000 ? `${payload.length} bytes` : String(payload);

function whyOf(outcome: Outcome, reason: unknown): { readonly note?: string; readonly code?: string } {
  if (outcome === 'ack') return typeof reason === 'string' ? { note: reason } : {};
  if (isSluiceError(reason)) return { code: reason.code };
  return reason instanceof Error ? { code: reason.message } : {};
}
