import type { Clock } from '../clock.js';
import { defineSource } from '../connection/define-source.js';
import type { Sink } from '../connection/flow.js';
import type { Outcome } from '../message/settlement.js';
import type { Outgoing } from './case-publisher.js';

/** What became of one message that a sink was given. */
export interface OfferFate {
  readonly item: Outgoing;
  readonly outcome: Outcome;
  readonly reason: unknown;
}

/**
 * Gives a sink each message once, all of them at once, and keeps what became of it. Unlike a publisher it does not ask
 * again, so that what a sink said of a message is what is judged.
 *
 * @internal
 */
export class CaseOffers {
  readonly fates: OfferFate[] = [];
  readonly total: number;
  private readonly sink: Sink<Uint8Array>;
  private readonly end: () => void;

  constructor(items: readonly Outgoing[], sink: Sink<Uint8Array>, clock: Clock, topic: string) {
    this.total = items.length;
    this.sink = sink;
    const { fates } = this;
    const subscription = defineSource<Uint8Array>(
      {
        connector: 'case offers',
        credit: 65_535,
        open: (context) => {
          let next = 0;
          context.wake();
          return {
            resume() {
              for (let item = items[next]; item !== undefined && context.ready; item = items[next]) {
                next += 1;
                context.offer({ ...item, topic, position: item });
              }
            },
            settle: (position, outcome, reason) => void fates.push({ item: position as Outgoing, outcome, reason }),
            close: () => undefined,
          };
        },
      },
      { clock, settleWithinMs: 0, closeTimeoutMs: 0, maxAttempts: 1_000_000 },
    ).subscribe((message) => sink.next(message));
    this.end = () => subscription.unsubscribe();
  }

  /** How many came to this end. */
  count(outcome: Outcome): number {
    return this.fates.filter((fate) => fate.outcome === outcome).length;
  }

  get isSettled(): boolean {
    return this.fates.length >= this.total;
  }

  /** Says that nothing more comes, to the sink. */
  complete(): void {
    this.sink.complete();
  }

  unsubscribe(): void {
    this.end();
    this.sink.complete();
  }
}
