import { batchEnded, type MemberEnd, memberEnds } from './batch-partial.js';
import { type Envelope, mark, OPEN } from './envelope.js';
import type { Message, MessagePatch } from './message.js';
import { factsOf, joinedIn, Parts } from './parts.js';
import type { Outcome, Parked, ParkListener } from './settler.js';

/**
 * The members of a batch, each to be settled on its own, while stages above still answer for the batch as a whole: it is
 * settled once they all are, with what became of each. A part stands for one member and has everything from it but the
 * payload.
 *
 * @internal
 */
export class Members extends Parts {
  private readonly members: readonly Message<unknown>[];
  private readonly parts: Envelope<unknown>[] = [];
  private readonly positions = new Map<Envelope<unknown>, number>();
  /** How those ended that were not acked, or acked with a note. */
  private readonly ends = new Map<number, MemberEnd>();
  /** The last part that somebody may still settle, once all are there; the ones behind it have ended. */
  private last: number | undefined;
  private watched: number | undefined;
  private isParking = false;
  /** Parts nobody settles any more: they must not keep the credit of those that wait. Known once one waits. */
  private readonly abandoned = new Set<Envelope<unknown>>();

  constructor(batch: Message<unknown>, members: readonly Message<unknown>[]) {
    super(batch);
    this.members = members;
  }

  /** The part that stands for the member at this position; once for each. */
  take<T>(position: number, payload: T, patch?: MessagePatch): Envelope<T> {
    const member = this.members[position] as Envelope<unknown>;
    const part = this.part(payload, { ...factsOf(member), ...patch });
    this.positions.set(part, position);
    this.parts.push(part);
    mark(part, member.root.holder);
    return part;
  }

  override seal(note?: string): void {
    this.last = this.parts.length - 1;
    super.seal(note);
  }

  protected decides(part: Envelope<unknown>, outcome: Outcome, reason: unknown): boolean {
    if (outcome !== 'ack' || reason !== undefined) {
      this.ends.set(this.positions.get(part) as number, { outcome, reason });
    }
    this.abandoned.delete(part);
    this.look();
    return false;
  }

  /** Who holds a message that its source took back need not settle it: the others must not wait for that. */
  private look(): void {
    if (this.last === undefined) return;
    while (this.last >= 0 && !this.isWorked(this.last)) this.last -= 1;
    if (this.last < 0) this.end();
    else if (this.watched !== this.last) {
      this.watched = this.last;
      const { signal } = this.standsFor(this.parts[this.last] as Envelope<unknown>);
      signal.addEventListener('abort', () => this.look(), { once: true });
    }
  }

  override park(part: Envelope<unknown>, listener: ParkListener): Parked {
    if (!this.isParking) {
      this.isParking = true;
      for (const each of this.parts) this.watchEnd(each);
    }
    return super.park(part, listener);
  }

  private watchEnd(part: Envelope<unknown>): void {
    const over = (): void => {
      if (part.state !== OPEN) return;
      this.abandoned.add(part);
      this.lookAtWaiting();
    };
    const { signal } = this.standsFor(part);
    if (signal.aborted) over();
    else signal.addEventListener('abort', over, { once: true });
  }

  protected override openCount(): number {
    return super.openCount() - this.abandoned.size;
  }

  private isWorked(at: number): boolean {
    const part = this.parts[at] as Envelope<unknown>;
    return part.state === OPEN && this.isOpen(part);
  }

  protected override end(): void {
    const failed = [...this.ends.values()].find(({ outcome }) => outcome !== 'ack');
    super.end(failed?.outcome ?? 'ack', this.ends.size === 0 ? undefined : batchEnded(this.ends));
  }

  protected standsFor(part: Envelope<unknown>): Message<unknown> {
    return this.members[this.positions.get(part) as number] as Message<unknown>;
  }

  membersOf(part: Envelope<unknown>): readonly Message<unknown>[] | undefined {
    return joinedIn(this.standsFor(part));
  }
}

/**
 * A batch whose settlement does not say the same of all members, as batches of one member each, in its order, to be settled
 * with what it says of them. `undefined` when the payload is no list of its members any more.
 *
 * @internal
 */
export function apart(batch: Message<unknown>, outcome: Outcome, reason: unknown): readonly Apart[] | undefined {
  const members = joinedIn(batch);
  const { payload } = batch;
  if (members === undefined || !Array.isArray(payload) || payload.length !== members.length) return undefined;
  const ends = memberEnds(outcome, reason, members.length);
  const all = new Members(batch, members);
  const parts = payload.map((item: unknown, at) => ({
    part: all.take(at, [item]),
    end: ends === undefined ? { outcome, reason } : (ends.get(at) ?? ACKED),
  }));
  all.seal();
  return parts;
}

/** One member taken out of its batch. @internal */
export interface Apart {
  readonly part: Envelope<unknown[]>;
  readonly end: MemberEnd;
}

const ACKED: MemberEnd = { outcome: 'ack', reason: undefined };
