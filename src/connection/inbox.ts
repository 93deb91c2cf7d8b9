import type { Envelope } from '../message/envelope.js';
import type { Delivery } from './define-source.js';
import { Ring } from './ring.js';

/**
 * Deliveries that wait for credit, with the bytes they hold.
 *
 * @internal
 */
export class Inbox<T> {
  bytes = 0;
  private readonly ring = new Ring<Delivery<T>>();

  get length(): number {
    return this.ring.length;
  }

  push(delivery: Delivery<T>): void {
    this.bytes += delivery.bytes ?? 0;
    this.ring.push(delivery);
  }

  shift(): Delivery<T> | undefined {
    return this.took(this.ring.shift());
  }

  pop(): Delivery<T> | undefined {
    return this.took(this.ring.pop());
  }

  peek(): Delivery<T> | undefined {
    return this.ring.peek();
  }

  /** Drops what `isMeant` says of its position; the rest keeps its order. */
  drop(isMeant: (position: unknown) => boolean): void {
    for (const delivery of this.clear()) if (!isMeant(delivery.position)) this.push(delivery);
  }

  /** Empties it; what it held comes back in order. */
  clear(): Delivery<T>[] {
    this.bytes = 0;
    return this.ring.clear();
  }

  private took(delivery: Delivery<T> | undefined): Delivery<T> | undefined {
    this.bytes -= delivery?.bytes ?? 0;
    return delivery;
  }
}

/** Puts what was requeued or handed back behind what waits: the retry in place of a transport that brings nothing again. */
export function deliverAgain<T>(inbox: Inbox<T>, root: Envelope<unknown>, outcome: 'requeue' | 'release'): void {
  const attempt = root.attempt + (outcome === 'requeue' ? 1 : 0);
  const { id, timeMs } = root;
  inbox.push({ ...root.facts, payload: root.payload as T, id, timeMs, attempt });
}
