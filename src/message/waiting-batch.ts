import { type Envelope, isOpen } from './envelope.js';
import type { Message } from './message.js';
import type { Parked, ParkListener } from './settler.js';

/**
 * A joined message that waits without credit: each of its members does, and it is back once all of them are. They are
 * asked for in one go, so that of two such batches the first to ask gets its credit first and neither waits for the other.
 *
 * @internal
 */
export class WaitingBatch implements Parked, ParkListener {
  private readonly listener: ParkListener;
  private readonly members: Parked[] = [];
  private missing = 0;
  private isGone = false;

  constructor(messages: readonly Message<unknown>[], listener: ParkListener) {
    this.listener = listener;
    for (const message of messages) {
      const { root, settler } = message as Envelope<unknown>;
      const parked = isOpen(message) ? settler.park?.(root, this) : undefined;
      if (parked !== undefined) this.members.push(parked);
    }
  }

  bring(): boolean {
    if (this.isGone) return true;
    for (const member of this.members) if (!member.bring()) this.missing += 1;
    return this.missing === 0;
  }

  back(): void {
    this.missing -= 1;
    if (this.missing === 0 && !this.isGone) this.listener.back();
  }

  /** One is lost: who waits with the batch hands the others back, as they would only come again apart. */
  gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.listener.gone();
  }
}
