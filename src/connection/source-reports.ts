import type { Cancel, Clock } from '../clock.js';
import { type SluiceError, toSluiceError } from '../errors.js';
import { type Envelope, OPEN, RELEASED } from '../message/envelope.js';
import type { Outcome } from '../message/settlement.js';
import type { MessageFacts, SluiceEvent } from '../observability/events.js';
import { isObserved, report } from '../observability/observe.js';
import type { Scope, SourceCounts, Unfinished } from './scope.js';
import type { Unsettled } from './unsettled.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * What a source counts and tells: to the scope it was subscribed in and to whoever observes. While nobody listens an
 * event costs one comparison.
 *
 * @internal
 */
export class SourceReports {
  readonly counts: Mutable<SourceCounts> = {
    emitted: 0,
    acked: 0,
    requeued: 0,
    dead: 0,
    dropped: 0,
    late: 0,
    released: 0,
    reconnects: 0,
  };
  private readonly connector: string;
  private readonly clock: Clock;
  private readonly scope: Scope | undefined;
  private readonly unsettled: Unsettled;
  /** What waits without credit. */
  private readonly parked: () => readonly Envelope<unknown>[];
  private readonly overdue = new WeakSet<Envelope<unknown>>();

  constructor(
    connector: string,
    clock: Clock,
    scope: Scope | undefined,
    unsettled: Unsettled,
    parked: () => readonly Envelope<unknown>[],
  ) {
    this.connector = connector;
    this.clock = clock;
    this.scope = scope;
    this.unsettled = unsettled;
    this.parked = parked;
  }

  settled(root: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
    if (outcome === 'ack') this.counts.acked += 1;
    else this.notAcked(root, outcome, reason);
  }

  private notAcked(root: Envelope<unknown>, outcome: Exclude<Outcome, 'ack'>, reason: unknown): void {
    const { counts, connector } = this;
    if (outcome === 'release') {
      counts.released += 1;
      return;
    }
    if (outcome === 'requeue') counts.requeued += 1;
    else if (outcome === 'dead') counts.dead += 1;
    else counts.dropped += 1;
    if (this.isHeard()) this.tell({ type: 'message.nacked', connector, message: factsOf(root), then: outcome, reason });
  }

  /** Hands a message without a usable payload to whoever keeps dead letters. */
  refused(message: Envelope<unknown>, reason: SluiceError): void {
    if (this.scope?.refused === undefined) message.nack(reason, 'dead');
    else this.scope.refused(message, reason);
  }

  /** Something that it was handed to threw, which none of our stages does: the flow goes on without it. */
  threw(message: Envelope<unknown>, error: unknown): void {
    const { holder: stage } = message;
    const reason = toSluiceError(error, 'HANDLER_FAILED', `${stage} threw`, { details: { stage } });
    report({ type: 'stage.failed', stage, reason });
    if (message.state === OPEN) message.nack(reason);
  }

  late(root: Envelope<unknown>, second: string): void {
    const { connector } = this;
    this.counts.late += 1;
    if (this.isHeard()) {
      this.tell({
        type: 'message.late',
        connector,
        message: factsOf(root),
        first: root.state === RELEASED ? '' : root.holder,
        second,
      });
    }
  }

  /**
   * Takes back whatever is unsettled, and these that wait, as far as it is meant: settling it touches nothing from now on. All
   * are marked before anybody hears of the first, as hearing of one can make somebody settle another.
   */
  takeBackAll(
    reason: unknown,
    waiting: readonly Envelope<unknown>[] = [],
    isMeant: (position: unknown) => boolean = () => true,
  ): void {
    const held = this.unsettled.toArray().filter(({ position }) => isMeant(position));
    for (const root of held) this.unsettled.remove(root);
    const all = [...waiting, ...held].filter(({ state, position }) => state === OPEN && isMeant(position));
    for (const root of all) root.state = RELEASED;
    for (const root of all) this.takeBack(root, reason);
  }

  /** Takes back one message. Without a reason nobody is told: it was not lost. */
  takeBack(root: Envelope<unknown>, reason?: unknown): void {
    const { connector } = this;
    root.release();
    this.counts.released += 1;
    if (reason === undefined || !this.isHeard()) return;
    this.tell({ type: 'message.released', connector, message: factsOf(root), reason });
  }

  /** All that was emitted and is neither settled nor taken back, at work or waiting. */
  private open(): Envelope<unknown>[] {
    const waiting = this.parked().filter(({ state }) => state === OPEN);
    return [...this.unsettled.toArray(), ...waiting];
  }

  /** Not simply the first of the list: what has waited without credit is back in it with the age that it has. */
  oldestMs(): number {
    const now = this.clock.elapsed();
    return this.open().reduce((oldest, { emittedMs }) => Math.max(oldest, now - emittedMs), 0);
  }

  overflowed(policy: string, count: number = 1): void {
    if (count === 0) return;
    this.counts.dropped += count;
    this.tell({ type: 'message.overflowed', connector: this.connector, policy, count: this.counts.dropped });
  }

  unfinished(): readonly Unfinished[] {
    const now = this.clock.elapsed();
    const { connector } = this;
    return this.open().map((message) => ({
      ...factsOf(message),
      connector,
      ageMs: Math.max(0, Math.round(now - message.emittedMs)),
    }));
  }

  /** One timer for all messages, also those that wait without credit. Each is reported once. */
  watchAge(withinMs: number): Cancel {
    const look = (): void => {
      const now = this.clock.elapsed();
      for (const root of this.open()) {
        const ageMs = Math.round(now - root.emittedMs);
        if (ageMs < withinMs || this.overdue.has(root)) continue;
        this.overdue.add(root);
        this.tell({ type: 'message.overdue', connector: this.connector, message: factsOf(root), ageMs });
      }
      cancel = this.clock.timer(withinMs / 4, look, true);
    };
    let cancel = this.clock.timer(withinMs / 4, look, true);
    return () => cancel();
  }

  private isHeard(): boolean {
    return this.scope?.event !== undefined || isObserved();
  }

  private tell(event: SluiceEvent): void {
    this.scope?.event?.(event);
    report(event);
  }
}

function factsOf(message: Envelope<unknown>): MessageFacts {
  const { id, topic, attempt, holder } = message;
  return { id, topic, attempt, stage: holder };
}
