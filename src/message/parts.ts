import { Envelope, held, isOpen, isTakenBack, mark, type MessageSource, OPEN } from './envelope.js';
import type { Message } from './message.js';
import type { Outcome, Parked, ParkListener, Settler } from './settler.js';
import { WaitingParts } from './waiting-parts.js';

/**
 * The parts of one message, each settled on its own; how they end decides how the message does. Parts may be added until
 * {@link seal}; without any part, sealing acks the message.
 *
 * @internal
 */
export abstract class Parts implements Settler {
  protected readonly parent: Message<unknown>;
  private added = 0;
  private open = 0;
  private sealed = false;
  /** Made when the first part is put aside. */
  private waiting: WaitingParts | undefined;

  constructor(parent: Message<unknown>) {
    this.parent = parent;
  }

  /** What a part has its identity, its signal and its openness from. */
  protected abstract standsFor(part: Envelope<unknown>): Message<unknown>;

  /** Takes down how a part ended. True when the others no longer matter. */
  protected abstract decides(part: Envelope<unknown>, outcome: Outcome, reason: unknown): boolean;

  abstract membersOf(part: Envelope<unknown>): readonly Message<unknown>[] | undefined;

  protected part<T>(payload: T, facts: MessageSource): Envelope<T> {
    this.added += 1;
    this.open += 1;
    return new Envelope(this, payload, facts);
  }

  /** No further part will come. */
  seal(note?: string): void {
    this.sealed = true;
    if (this.open === 0) this.end('ack', this.added === 0 ? note : undefined);
    else this.waiting?.look();
  }

  settle(part: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
    this.open -= 1;
    this.waiting?.drop(part);
    const parent = this.parent as Envelope<unknown>;
    if (parent.root.state !== OPEN) return;
    mark(parent, part.holder);
    if (this.decides(part, outcome, reason)) parent.settle(outcome, reason);
    else if (this.sealed && this.open === 0) this.end(outcome, reason);
    else this.waiting?.look();
  }

  /** Nothing is left that could decide otherwise. */
  protected end(outcome: Outcome, reason: unknown): void {
    const parent = this.parent as Envelope<unknown>;
    if (parent.root.state === OPEN) parent.settle(outcome, reason);
  }

  park(part: Envelope<unknown>, listener: ParkListener): Parked {
    this.waiting ??= new WaitingParts(this.parent, () => (this.sealed ? this.openCount() : Infinity));
    return this.waiting.add(part, listener);
  }

  /** How many parts somebody still works on. */
  protected openCount(): number {
    return this.open;
  }

  /** Fewer parts may be open now, so those that wait may be all of them. */
  protected lookAtWaiting(): void {
    this.waiting?.look();
  }

  late(part: Envelope<unknown>, outcome: Outcome, stage: string): void {
    (this.parent as Envelope<unknown>).settler.late(part, outcome, stage);
  }

  held(stage: string, part: Envelope<unknown>): void {
    held((this.standsFor(part) as Envelope<unknown>).root, stage);
  }

  outerSignal(part: Envelope<unknown>): AbortSignal {
    return this.standsFor(part).signal;
  }

  isOpen(part: Envelope<unknown>): boolean {
    return isOpen(this.standsFor(part));
  }

  isStale(part: Envelope<unknown>): boolean {
    return isTakenBack(this.standsFor(part));
  }

  isLastAttempt(part: Envelope<unknown>): boolean {
    return isLastAttempt(this.standsFor(part));
  }

  /** All of it hangs on each part: the message is unsettled as long as one of them is. */
  origins(): readonly Message<unknown>[] {
    return [this.parent];
  }

  limit(): number {
    return (this.parent as Envelope<unknown>).settler.limit();
  }

  limitBytes(): number {
    return limitBytes(this.parent);
  }
}

/** Everything a message has besides its payload and settlement. @internal */
export function factsOf(message: Message<unknown>): MessageSource {
  const { id, topic, headers, key, timeMs, attempt, meta, reply } = message;
  return { id, topic, headers, key, timeMs, attempt, meta, reply };
}

/** True when the source would make a `requeue` of this message `dead`. @internal */
export function isLastAttempt(message: Message<unknown>): boolean {
  const { root } = message as Envelope<unknown>;
  return root.settler.isLastAttempt?.(root) ?? false;
}

/** How many bytes the source of this message may have unsettled. @internal */
export function limitBytes(message: Message<unknown>): number {
  return (message as Envelope<unknown>).settler.limitBytes?.() ?? Infinity;
}

/** The messages that this one was joined from, if it was, whatever it has passed since. @internal */
export function joinedIn(message: Message<unknown>): readonly Message<unknown>[] | undefined {
  const { root } = message as Envelope<unknown>;
  return root.settler.membersOf?.(root);
}
