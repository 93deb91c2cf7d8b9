import { Envelope, held, isOpen, isTakenBack, mark } from './envelope.js';
import type { Message } from './message.js';
import type { Outcome, Parked, ParkListener, RelayBound, Settler } from './settler.js';

/** What a stage does about the messages it let pass. @internal */
export interface RelayOwner {
  /** Without one, only the credit of the source bounds them. */
  readonly bound?: RelayBound;
  /** The passed message was settled downstream; `original` waits for what the owner makes of it. */
  settled(original: Envelope<unknown>, outcome: Outcome, reason: unknown, passed: Envelope<unknown>): void;
  /** `original` waits without credit behind the stage. */
  aside?(original: Envelope<unknown>): void;
  /** It has credit again: `go` lets it on, now or later. Default: at once. */
  back?(original: Envelope<unknown>, go: () => void): void;
}

/**
 * Lets a stage hear how the messages that pass it end, and decide what that means for the originals. A passed message is
 * one object that settles here; everything else it asks the original's settler.
 *
 * @internal
 */
export class Relays {
  private readonly owner: RelayOwner;
  /** One per settler above. Messages of a source share theirs, so the last one is nearly always the right one. */
  private last: Relay | undefined;

  constructor(owner: RelayOwner) {
    this.owner = owner;
  }

  pass<T>(message: Message<T>): Message<T> {
    const { settler } = message as Envelope<T>;
    if (this.last?.above !== settler) this.last = new Relay(settler, this.owner);
    return this.last.pass(message as Envelope<T>);
  }
}

class Relay implements Settler {
  readonly above: Settler;
  private readonly owner: RelayOwner;

  constructor(above: Settler, owner: RelayOwner) {
    this.above = above;
    this.owner = owner;
  }

  get bound(): RelayBound | undefined {
    return this.owner.bound;
  }

  pass<T>(original: Envelope<T>): Message<T> {
    const passed = new Envelope<T>(this, original.payload, original);
    mark(passed, original.stage);
    return passed;
  }

  settle(root: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
    const original = originalOf(root);
    mark(original, root.holder);
    this.owner.settled(original, outcome, reason, root);
  }

  late(root: Envelope<unknown>, outcome: Outcome, stage: string): void {
    this.above.late(root, outcome, stage);
  }

  held(stage: string, root: Envelope<unknown>): void {
    held(originalOf(root).root, stage);
  }

  limit(): number {
    return Math.min(this.owner.bound?.limit ?? Infinity, this.above.limit());
  }

  limitBytes(): number {
    return this.above.limitBytes?.() ?? Infinity;
  }

  outerSignal(root: Envelope<unknown>): AbortSignal {
    return originalOf(root).signal;
  }

  isOpen(root: Envelope<unknown>): boolean {
    return isOpen(originalOf(root));
  }

  isStale(root: Envelope<unknown>): boolean {
    return isTakenBack(originalOf(root));
  }

  origins(root: Envelope<unknown>): readonly Message<unknown>[] {
    return [originalOf(root)];
  }

  membersOf(root: Envelope<unknown>): readonly Message<unknown>[] | undefined {
    return this.above.membersOf?.(originalOf(root).root);
  }

  isLastAttempt(root: Envelope<unknown>): boolean {
    return this.above.isLastAttempt?.(originalOf(root).root) ?? false;
  }

  park(root: Envelope<unknown>, listener: ParkListener): Parked | undefined {
    const original = originalOf(root);
    const { owner } = this;
    if (owner.back === undefined) return this.above.park?.(original.root, listener);
    const parked = this.above.park?.(original.root, {
      back: () => owner.back?.(original, () => listener.back()),
      gone: () => listener.gone(),
    });
    if (parked !== undefined) owner.aside?.(original);
    return parked;
  }
}

function originalOf(root: Envelope<unknown>): Envelope<unknown> {
  return root.facts as Envelope<unknown>;
}
