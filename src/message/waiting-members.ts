import { type Envelope, isOpen } from './envelope.js';
import type { Message } from './message.js';
import type { Parked, ParkListener } from './settler.js';

/**
 * A batch that waits without credit: each member gives its own back to its source. All of it is asked for in one go, and
 * sources give in the order they are asked, so of two batches that wait the first gets all of its credit first and they
 * never wait for each other. A batch that lost a member where it waits is not waited for any more.
 *
 * @internal
 */
export class WaitingMembers implements Parked {
  private readonly listener: ParkListener;
  /** The members that have no credit. */
  private readonly parked = new Set<Parked>();
  private isAsked = false;
  private isGone = false;

  private constructor(listener: ParkListener) {
    this.listener = listener;
  }

  /** Lets the members wait; `undefined` when none of them can. */
  static of(members: readonly Message<unknown>[], listener: ParkListener): WaitingMembers | undefined {
    const waiting = new WaitingMembers(listener);
    for (const member of members) if (isOpen(member)) waiting.add((member as Envelope<unknown>).root);
    return waiting.parked.size > 0 ? waiting : undefined;
  }

  private add(root: Envelope<unknown>): void {
    const parked = root.settler.park?.(root, {
      back: () => {
        this.parked.delete(parked as Parked);
        if (this.parked.size === 0 && !this.isGone) this.listener.back();
      },
      gone: () => this.gone(),
    });
    if (parked !== undefined) this.parked.add(parked);
  }

  bring(): boolean {
    if (this.isAsked) return false;
    this.isAsked = true;
    for (const parked of [...this.parked]) if (parked.bring(true)) this.parked.delete(parked);
    return this.parked.size === 0;
  }

  private gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.listener.gone();
  }
}
