import { type Envelope, OPEN } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { Fork } from '../message/settlement.js';

/** Room before settled ones are looked for. */
const SMALLEST = 32;

/**
 * The messages that went into a branch and neither left it nor were settled there: what it holds when it breaks. Nobody
 * tells it of settlements, so that a message costs no object; it forgets settled ones whenever it adds or runs full.
 *
 * @internal
 */
export class OpenMessages {
  /** The newest; where a stage works at once it is the only one, and the list is never touched. */
  private last: Envelope<unknown> | undefined = undefined;
  private others: Envelope<unknown>[] | undefined = undefined;
  private room = SMALLEST;
  private readonly isInside: (root: Envelope<unknown>) => boolean;

  /**
   * @param isInside whether one still counts. Default: until it was settled itself, also when what it is part of was, as
   * whoever holds it goes on
   */
  constructor(isInside: (root: Envelope<unknown>) => boolean = isUnsettled) {
    this.isInside = isInside;
  }

  /** True when at least `count` are inside and open. */
  holds(count: number): boolean {
    const { last, others } = this;
    if (others !== undefined && others.length + 1 >= count) this.compact(others);
    return (others?.length ?? 0) + (last?.state === OPEN ? 1 : 0) >= count;
  }

  add(message: Message<unknown>): void {
    const { last } = this;
    this.last = (message as Envelope<unknown>).root;
    if (last === undefined || last.state !== OPEN) return;
    const others = (this.others ??= []);
    if (others.length >= this.room) this.compact(others);
    others.push(last);
  }

  /**
   * A message came out: it, or what it stands for, is not inside any more. What was split stays, since nothing tells
   * whether all parts came out. Removing what is not there does nothing.
   */
  remove(message: Message<unknown>): void {
    const { root } = message as Envelope<unknown>;
    if (this.last === root) {
      this.last = undefined;
      return;
    }
    if (this.delete(root) || root.settler instanceof Fork) return;
    for (const origin of root.settler.origins?.(root) ?? []) this.remove(origin);
  }

  /** Empties it; gives those that are still open, in the order they came as far as it is known. */
  takeOpen(): Envelope<unknown>[] {
    const { last, others } = this;
    this.last = undefined;
    this.others = undefined;
    this.room = SMALLEST;
    const all = others ?? [];
    if (last !== undefined) all.push(last);
    return all.filter(this.isInside);
  }

  private delete(root: Envelope<unknown>): boolean {
    const { others } = this;
    if (others === undefined) return false;
    // The oldest first, as most stages let their messages go in order.
    const at = others.indexOf(root);
    if (at < 0) return false;
    const newest = others.pop() as Envelope<unknown>;
    if (at < others.length) others[at] = newest;
    return true;
  }

  private compact(others: Envelope<unknown>[]): void {
    let kept = 0;
    for (const root of others) if (this.isInside(root)) others[kept++] = root;
    others.length = kept;
    this.room = Math.max(SMALLEST, kept * 2);
  }
}

function isUnsettled({ state }: Envelope<unknown>): boolean {
  return state === OPEN;
}
