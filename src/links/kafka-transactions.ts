import { originsOf } from '../message/settlement.js';
import { isOpen, type Envelope } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import type { KafkaOffset } from './kafka-driver.js';

/** A member of a group whose positions are told in the transactions of a sink. @internal */
export interface KafkaTransacted {
  readonly group: string;
  /** Up to where all is settled, as far as the group does not know it yet. */
  offsets(): readonly KafkaOffset[];
  /** A transaction with positions of it is under way: no partition is given back before it is over. */
  during(transaction: PromiseLike<unknown>): void;
  /** The group knows them now. */
  committed(offsets: readonly KafkaOffset[]): void;
  /** The transaction failed: what was acked in it comes again. */
  failed(error: unknown): void;
}

/**
 * Who a message was read by: its positions go into the transaction that its results go out with. Undefined where one of the
 * messages it is made of came from anywhere else.
 *
 * @internal
 */
export function transactedBy(message: Message<unknown>): ReadonlySet<KafkaTransacted> | undefined {
  const readers = new Set<KafkaTransacted>();
  for (const origin of originsOf(message)) {
    const reader = (origin.position as { readonly transacted?: KafkaTransacted } | undefined)?.transacted;
    if (reader === undefined) return undefined;
    readers.add(reader);
  }
  return readers;
}

/** True while what the message is made of is still its reader's: otherwise somebody else writes the same results. @internal */
export function isStillMine(message: Message<unknown>): boolean {
  return isOpen(message) && [...originsOf(message)].every((origin: Envelope<unknown>) => isOpen(origin));
}
