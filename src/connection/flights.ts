import type { Message, NackThen } from '../message/message.js';
import type { Sending } from './define-sink.js';

/** Who hears what became of a message that was sent. */
export interface FlightOwner<T> {
  confirmed(flight: Flight<T>): void;
  refused(flight: Flight<T>, reason: unknown, then?: NackThen): void;
}

/**
 * A message handed to one writer. After that writer was lost, what it still says of it no longer counts.
 *
 * @internal
 */
export class Flight<T> implements Sending<T> {
  readonly message: Message<T>;
  /** When it was sent, on the clock's monotonic scale; put forward while the far side takes nothing. */
  sentMs = 0;
  /** Neighbours among those that are under way, the oldest first. */
  previous: Flight<T> | undefined = undefined;
  next: Flight<T> | undefined = undefined;
  /** False once it was answered, or its writer was lost. */
  isOpen = true;
  private readonly owner: FlightOwner<T>;

  constructor(owner: FlightOwner<T>, message: Message<T>) {
    this.owner = owner;
    this.message = message;
  }

  confirm(): void {
    this.owner.confirmed(this);
  }

  fail(reason: unknown, then?: NackThen): void {
    this.owner.refused(this, reason, then);
  }
}

/**
 * What was sent and not answered, in the order it was sent: a list through the flights themselves, so that adding and
 * removing costs no allocation.
 *
 * @internal
 */
export class Flights<T> {
  size = 0;
  oldest: Flight<T> | undefined;
  private newest: Flight<T> | undefined;

  add(flight: Flight<T>): void {
    const { newest } = this;
    if (newest === undefined) this.oldest = flight;
    else {
      newest.next = flight;
      flight.previous = newest;
    }
    this.newest = flight;
    this.size += 1;
  }

  /** False when it was answered before, or given up with its writer. */
  end(flight: Flight<T>): boolean {
    if (!flight.isOpen) return false;
    flight.isOpen = false;
    const { previous, next } = flight;
    if (previous === undefined) this.oldest = next;
    else previous.next = next;
    if (next === undefined) this.newest = previous;
    else next.previous = previous;
    flight.previous = undefined;
    flight.next = undefined;
    this.size -= 1;
    return true;
  }

  toArray(): Flight<T>[] {
    const all: Flight<T>[] = [];
    for (let at = this.oldest; at !== undefined; at = at.next) all.push(at);
    return all;
  }

  /** Empties it: no answer counts any more. What it held comes back, the oldest first. */
  clear(): Flight<T>[] {
    const all = this.toArray();
    for (const flight of all) this.end(flight);
    return all;
  }
}
