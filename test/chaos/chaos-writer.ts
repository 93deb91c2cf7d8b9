import type { Sink } from 'sluice';
import { defineSource, type ReaderContext } from 'sluice/connection';
import type { History } from 'sluice/testing';

/** Somebody who writes until everything is confirmed. */
export interface ChaosWriter {
  readonly confirmed: number;
  /** All is confirmed and the sink closed. */
  readonly isDone: boolean;
  /** It may go on to write, up to this many in all. */
  upTo(count: number): void;
  stop(): void;
}

const utf8 = new TextEncoder();
/** More than a sink may have unconfirmed, so that it is the sink that waits. */
const CREDIT = 4_096;

/**
 * Writes `total` messages of `bytes` bytes, which begin with their id, and writes again what the sink hands back. A payload
 * is made when it is asked for: a run may be larger than memory. It never gets further ahead than it is let.
 */
export function chaosWriter(
  sink: Sink<Uint8Array>,
  seen: History,
  name: string,
  total: number,
  bytes: number,
): ChaosWriter {
  const nextId = seen.writer(name);
  const again: string[] = [];
  let made = 0;
  let limit = 0;
  let open: ReaderContext<Uint8Array> | undefined;
  let confirmed = 0;
  let isDone = false;

  function offer(context: ReaderContext<Uint8Array>): void {
    while (context.ready && (again.length > 0 || made < Math.min(limit, total))) {
      let id = again.pop();
      if (id === undefined) {
        made += 1;
        id = nextId();
      }
      seen.attempted(id);
      context.offer({ id, payload: utf8.encode(`${id} `.padEnd(bytes, 'x')), topic: 'chaos', position: id });
    }
    if (made === total && again.length === 0) context.end();
  }

  const flow = defineSource<Uint8Array>(
    {
      connector: 'chaos writer',
      credit: CREDIT,
      open(context) {
        open = context;
        context.wake();
        return {
          resume: () => offer(context),
          settle(position, outcome) {
            const id = position as string;
            if (outcome === 'ack') {
              confirmed += 1;
              seen.confirmed(id);
            } else if (outcome === 'dead' || outcome === 'drop') seen.refused(id);
            else {
              seen.unknown(id);
              again.push(id);
            }
            context.wake();
          },
          close: () => undefined,
        };
      },
    },
    { maxAttempts: 1_000_000, settleWithinMs: 0, closeTimeoutMs: 0 },
  );
  const subscription = flow.subscribe({
    next: (message) => sink.next(message),
    complete() {
      sink.complete();
      void (sink.closed ?? Promise.resolve()).then(() => (isDone = true));
    },
  });
  return {
    get confirmed() {
      return confirmed;
    },
    get isDone() {
      return isDone;
    },
    upTo(count) {
      limit = count;
      open?.wake();
    },
    stop() {
      subscription.unsubscribe();
      if (!isDone) sink.complete();
    },
  };
}
