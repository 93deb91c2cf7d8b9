import type { Envelope } from '../message/envelope.js';

/**
 * The messages that a source emitted and nobody settled yet, oldest first: a list through the messages themselves, so
 * that adding and removing costs no allocation.
 *
 * @internal
 */
export class Unsettled {
  size = 0;
  bytes = 0;
  /** Linked only when another comes, as most are settled before that. */
  private latest: Envelope<unknown> | undefined;
  private oldest: Envelope<unknown> | undefined;
  /** The last one that is linked. */
  private newest: Envelope<unknown> | undefined;

  add(message: Envelope<unknown>): void {
    if (this.latest !== undefined) this.link(this.latest);
    this.latest = message;
    this.size += 1;
    this.bytes += message.bytes;
  }

  /** Removing what was removed before does nothing. */
  remove(message: Envelope<unknown>): boolean {
    if (this.latest === message) this.latest = undefined;
    else if (!this.unlink(message)) return false;
    this.size -= 1;
    this.bytes -= message.bytes;
    return true;
  }

  toArray(): Envelope<unknown>[] {
    const all: Envelope<unknown>[] = [];
    for (let at = this.oldest; at !== undefined; at = at.next) all.push(at);
    if (this.latest !== undefined) all.push(this.latest);
    return all;
  }

  private link(message: Envelope<unknown>): void {
    const { newest } = this;
    if (newest === undefined) this.oldest = message;
    else {
      newest.next = message;
      message.previous = newest;
    }
    this.newest = message;
  }

  private unlink(message: Envelope<unknown>): boolean {
    const { previous, next } = message;
    if (previous === undefined && this.oldest !== message) return false;
    if (previous === undefined) this.oldest = next;
    else previous.next = next;
    if (next === undefined) this.newest = previous;
    else next.previous = previous;
    message.previous = undefined;
    message.next = undefined;
    return true;
  }
}
