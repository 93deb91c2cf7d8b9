import type { Clock } from '../clock.js';
import { defineSource, type ReaderContext } from '../connection/define-source.js';
import type { Sink } from '../connection/flow.js';
import type { MessageHeaders } from '../message/headers.js';
import type { Outcome } from '../message/settlement.js';

/** One message on its way to a channel. */
export interface Outgoing {
  readonly payload: Uint8Array;
  readonly id?: string | undefined;
  readonly key?: string | undefined;
  readonly headers?: MessageHeaders | undefined;
}

/** Told what became of each message; `outcome` is missing when it is handed to the sink. */
export type PublishListener = (item: Outgoing, outcome?: Outcome, reason?: unknown) => void;

/**
 * Feeds a sink with messages and sends again what the sink hands back, until each is confirmed or refused for good.
 *
 * @internal
 */
export class CasePublisher {
  readonly total: number;
  confirmed = 0;
  /** Messages refused for good, with the reason. */
  readonly refused: { readonly item: Outgoing; readonly reason: unknown }[] = [];
  /** All settled, and the sink closed. */
  isDone = false;
  readonly unsubscribe: () => void;

  constructor(items: readonly Outgoing[], sink: Sink<Uint8Array>, clock: Clock, told: PublishListener, topic: string) {
    this.total = items.length;
    const waiting = [...items].reverse();
    const flow = defineSource<Uint8Array>(
      {
        connector: 'case publisher',
        credit: 256,
        open: (context) => {
          context.wake();
          return {
            resume: () => this.offer(waiting, context, told, topic),
            settle: (position, outcome, reason) => {
              const item = position as Outgoing;
              told(item, outcome, reason);
              if (outcome === 'ack') this.confirmed += 1;
              else if (outcome === 'requeue' || outcome === 'release') waiting.push(item);
              else this.refused.push({ item, reason });
              context.wake();
            },
            close: () => undefined,
          };
        },
      },
      { clock, maxAttempts: 1_000_000, settleWithinMs: 0, closeTimeoutMs: 0 },
    );
    const subscription = flow.subscribe({
      next: (message) => sink.next(message),
      error: (error: unknown) => sink.error(error),
      complete: () => {
        sink.complete();
        void (sink.closed ?? Promise.resolve()).then(() => (this.isDone = true));
      },
    });
    this.unsubscribe = () => {
      subscription.unsubscribe();
      if (!this.isDone) sink.complete();
    };
  }

  private offer(waiting: Outgoing[], context: ReaderContext<Uint8Array>, told: PublishListener, topic: string): void {
    while (context.ready && waiting.length > 0) {
      const item = waiting.pop() as Outgoing;
      told(item);
      context.offer({ ...item, topic, position: item });
    }
    if (waiting.length === 0) context.end();
  }
}
