/**
 * The position up to which everything is settled, for transports that can only say «all up to here»: the offset of a
 * file or a log. What is settled out of order waits for what came before it. Every step costs the same on average,
 * however many are open.
 *
 * @example
 * import { Prefix } from 'sluice/connection';
 * const prefix = new Prefix<number>();
 * const [first, second] = [prefix.push(10), prefix.push(20)];
 * prefix.settle(second); // false: 10 is still open
 * prefix.settle(first); // true: prefix.position is now 20
 * @see defineSource
 */
export class Prefix<T> {
  private slots: (T | undefined)[] = new Array<T | undefined>(16);
  private done = new Uint8Array(16);
  /** Ticket of the lowest open position; equal to {@link next} when none is open. */
  private lowest = 0;
  private next = 0;
  private reached: T | undefined;

  /** Notes a position in the order of the log; the ticket names it when it is settled. Tickets count up from 0. */
  push(position: T): number {
    const ticket = this.next;
    if (ticket - this.lowest === this.slots.length) this.grow();
    const slot = ticket & (this.slots.length - 1);
    this.slots[slot] = position;
    this.done[slot] = 0;
    this.next = ticket + 1;
    return ticket;
  }

  /** Settles a position; true when the prefix grew by it. Settling it again does nothing. */
  settle(ticket: number): boolean {
    if (ticket < this.lowest || ticket >= this.next) return false;
    const mask = this.slots.length - 1;
    this.done[ticket & mask] = 1;
    if (ticket !== this.lowest) return false;
    let at = ticket;
    while (at < this.next && this.done[at & mask] === 1) {
      this.reached = this.slots[at & mask];
      this.slots[at & mask] = undefined;
      at += 1;
    }
    this.lowest = at;
    return true;
  }

  /** The last position of the prefix: it and all before it are settled. `undefined` before the first. */
  get position(): T | undefined {
    return this.reached;
  }

  /** The lowest position that is still open. */
  get first(): T | undefined {
    return this.slots[this.lowest & (this.slots.length - 1)];
  }

  /** How many positions the prefix has passed. */
  get passed(): number {
    return this.lowest;
  }

  /** How many positions were pushed. */
  get pushed(): number {
    return this.next;
  }

  /** How many positions lie at or above the lowest open one: what has to be remembered. */
  get size(): number {
    return this.next - this.lowest;
  }

  private grow(): void {
    const { length } = this.slots;
    const slots = new Array<T | undefined>(length * 2);
    const done = new Uint8Array(length * 2);
    for (let ticket = this.lowest; ticket < this.next; ticket += 1) {
      const from = ticket & (length - 1);
      const to = ticket & (length * 2 - 1);
      slots[to] = this.slots[from];
      done[to] = this.done[from] as number;
    }
    this.slots = slots;
    this.done = done;
  }
}
