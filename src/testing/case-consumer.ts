import type { Flow, Stage } from '../connection/flow.js';
import { withScope, type Scope, type SourceHandle } from '../connection/scope.js';
import { isLegalStep, type Status } from '../observability/status.js';
import { isOpen } from '../message/envelope.js';
import type { Message, NackThen } from '../message/message.js';
import type { Subscription } from 'rxjs';
import type { History } from './history.js';

/** What a consumer does with a delivery. */
export type Handler = (message: Message<Uint8Array>, consumer: CaseConsumer) => void;

/** What a {@link CaseConsumer} is told besides its flow. */
export interface ConsumerPlan {
  readonly history: History;
  /** No more than so many deliveries may be unsettled at any instant. */
  readonly credit: number;
  readonly handler: Handler;
  readonly stage: Stage<Uint8Array, Uint8Array> | undefined;
  /** False for runs too long to be kept. */
  readonly record: boolean;
  readonly violated: (text: string) => void;
}

/**
 * One subscriber of a case: keeps what it got and watches what no source may do, whatever the case is about.
 *
 * @internal
 */
export class CaseConsumer {
  /** Every delivery, in order. Empty when it does not record. */
  readonly messages: Message<Uint8Array>[] = [];
  /** Their ids, in order, and the different ones. */
  readonly ids: string[] = [];
  readonly distinct: Set<string> = new Set();
  count = 0;
  completed = 0;
  error: unknown = undefined;
  /** Deepest nesting of `next` seen. */
  depth = 0;
  /** The source behind the flow, if it makes itself known to the runtime; of several the newest. */
  handle: SourceHandle | undefined;
  /** Every status of that source so far. */
  walk: Status[] = [];
  /** Settlements that took effect, by what they were. */
  readonly took: { ack: number; requeue: number; dead: number; drop: number } = {
    ack: 0,
    requeue: 0,
    dead: 0,
    drop: 0,
  };
  private readonly plan: ConsumerPlan;
  private readonly open = new Set<Message<Uint8Array>>();
  private readonly subscription: Subscription;
  private nested = 0;
  private unsubscribed = false;
  private readonly walks: Subscription[] = [];
  /** What the flow is made of, each with its walk, and what brings more of it. */
  private readonly sources = new Map<SourceHandle, readonly Status[]>();
  private readonly intakes = new Set<() => void>();

  constructor(flow: Flow<Uint8Array>, plan: ConsumerPlan) {
    this.plan = plan;
    const staged = plan.stage === undefined ? flow : plan.stage(flow);
    const scope: Scope = {
      addSource: (source) => this.watch(source),
      addIntake: (end) => {
        this.intakes.add(end);
        return () => void this.intakes.delete(end);
      },
    };
    this.subscription = withScope(scope, () =>
      staged.subscribe({
        next: (message) => this.next(message),
        error: (error: unknown) => {
          this.error = error;
        },
        complete: () => {
          this.completed += 1;
          if (this.open.size > 0 && this.openNow() > 0) plan.violated('completed with messages unsettled');
        },
      }),
    );
  }

  /** Deliveries nobody settled or took back. */
  openNow(): number {
    for (const message of this.open) if (!isOpen(message)) this.open.delete(message);
    return this.open.size;
  }

  get isUp(): boolean {
    return this.handle === undefined || this.handle.status === 'connected' || this.handle.status === 'degraded';
  }

  get isClosed(): boolean {
    return this.handle === undefined || this.handle.status === 'closed';
  }

  ack(message: Message<Uint8Array>): boolean {
    const took = message.ack();
    if (took) this.took.ack += 1;
    if (took && this.plan.record) this.plan.history.settled(idOf(message), 'ack');
    if (took) this.open.delete(message);
    return took;
  }

  nack(message: Message<Uint8Array>, then: NackThen = 'requeue'): boolean {
    const took = message.nack(new Error('refused by the case'), then);
    if (took) this.took[then] += 1;
    if (took && this.plan.record) this.plan.history.settled(idOf(message), then);
    if (took) this.open.delete(message);
    return took;
  }

  /** Acks what is open, in order. */
  ackOpen(): void {
    for (const message of [...this.open]) this.ack(message);
  }

  unsubscribe(): void {
    this.unsubscribed = true;
    this.subscription.unsubscribe();
  }

  /** How often the source lost its connection: a first try that failed had none to lose. */
  get losses(): number {
    return this.walk.filter((status, at) => status === 'reconnecting' && this.walk[at - 1] !== 'connecting').length;
  }

  /** Takes nothing new, and lets the flow complete once everything emitted was settled. */
  drain(): void {
    for (const end of [...this.intakes]) end();
    for (const source of this.sources.keys()) source.drain();
  }

  /** What its sources count and what it saw itself, where they differ. */
  audit(): void {
    const { plan, sources } = this;
    for (const walk of sources.values()) {
      for (const [at, status] of walk.entries()) {
        const before = walk[at - 1];
        if (before !== undefined && !isLegalStep(before, status)) plan.violated(`a status ${before} before ${status}`);
      }
    }
    if (sources.size === 0 || plan.stage !== undefined) return;
    const sum = (name: 'emitted' | 'acked'): number =>
      [...sources.keys()].reduce((total, { counts }) => total + counts[name], 0);
    if (sum('emitted') !== this.count) {
      plan.violated(`counted ${sum('emitted')} emitted messages where ${this.count} came`);
    }
    if (sum('acked') < this.took.ack) plan.violated(`counted ${sum('acked')} acked messages of ${this.took.ack}`);
  }

  /** Unsubscribes and takes back what it holds, so that its source does not wait for it with nobody left to answer. */
  end(): void {
    this.unsubscribe();
    for (const source of this.sources.keys()) source.release(new Error('The case is over.'));
    for (const walk of this.walks) walk.unsubscribe();
  }

  /** Each source has its own; one that has closed has none. */
  private credit(): number {
    const open = [...this.sources.keys()].filter(({ status }) => status !== 'closed');
    return this.plan.credit * Math.max(1, open.length);
  }

  private watch(source: SourceHandle): void {
    const walk: Status[] = [];
    this.handle = source;
    this.walk = walk;
    this.sources.set(source, walk);
    this.walks.push(source.status$.subscribe((status) => void walk.push(status)));
  }

  private next(message: Message<Uint8Array>): void {
    const { plan } = this;
    this.count += 1;
    this.nested += 1;
    this.depth = Math.max(this.depth, this.nested);
    if (this.unsubscribed) plan.violated('emitted after it was unsubscribed');
    if (this.completed > 0 || this.error !== undefined) plan.violated('emitted after its end');
    this.open.add(message);
    if (plan.record) {
      const id = idOf(message);
      this.messages.push(message);
      this.ids.push(id);
      this.distinct.add(id);
      plan.history.delivered(id, { attempt: message.attempt, bytes: message.payload.length });
    }
    if (this.open.size > plan.credit && this.openNow() > this.credit()) {
      plan.violated(`emitted ${this.open.size} unsettled messages with a credit of ${this.credit()}`);
    }
    try {
      plan.handler(message, this);
    } finally {
      this.nested -= 1;
    }
  }
}

const utf8 = new TextDecoder();

/** The id that a payload of the suite begins with. */
export function idOf({ payload }: { readonly payload: Uint8Array }): string {
  const end = payload.indexOf(32);
  return utf8.decode(end === -1 ? payload : payload.subarray(0, end));
}
