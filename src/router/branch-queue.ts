import { Ring } from '../connection/ring.js';
import { isOpen } from '../message/envelope.js';
import type { Message } from '../message/message.js';

/** The messages that wait in front of a branch, in the order they came. @internal */
export interface BranchQueue<T> {
  readonly length: number;
  /** Returns the message that has to give way, if any. */
  push(message: Message<T>): Message<T> | undefined;
  shift(): Message<T> | undefined;
}

/**
 * Keeps at most `limit`; beyond that the oldest gives way. Messages that their source took back meanwhile are forgotten,
 * so it never holds more than the source's credit.
 *
 * @internal
 */
export class OrderedQueue<T> implements BranchQueue<T> {
  private readonly ring = new Ring<Message<T>>();
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  get length(): number {
    return this.ring.length;
  }

  push(message: Message<T>): Message<T> | undefined {
    for (let oldest = this.ring.peek(); oldest !== undefined && !isOpen(oldest); oldest = this.ring.peek())
      this.ring.shift();
    this.ring.push(message);
    return this.ring.length > this.limit ? this.ring.shift() : undefined;
  }

  shift(): Message<T> | undefined {
    return this.ring.shift();
  }
}

/** Keeps one per key, or per topic where there is no key: the newest, in the place of the first. @internal */
export class ConflatingQueue<T> implements BranchQueue<T> {
  private readonly newest = new Map<string, Message<T>>();

  get length(): number {
    return this.newest.size;
  }

  push(message: Message<T>): Message<T> | undefined {
    // A key must not meet a topic of the same name.
    const key = message.key === undefined ? `t${message.topic}` : `k${message.key}`;
    const older = this.newest.get(key);
    this.newest.set(key, message);
    return older;
  }

  shift(): Message<T> | undefined {
    const [first] = this.newest;
    if (first === undefined) return undefined;
    this.newest.delete(first[0]);
    return first[1];
  }
}
