import type { MessageHeaders } from '../message/headers.js';
import type { ReplyPort } from '../message/message.js';

/**
 * A message as its transport brought it.
 *
 * @see ReaderContext
 */
export interface Delivery<T> {
  readonly payload: T;
  readonly topic: string;
  readonly headers?: MessageHeaders | undefined;
  readonly key?: string | undefined;
  readonly id?: string | undefined;
  readonly timeMs?: number | undefined;
  /** 1 on the first delivery. Default 1. */
  readonly attempt?: number | undefined;
  /** Weight against `creditBytes`. Default 0. */
  readonly bytes?: number | undefined;
  readonly meta?: unknown;
  readonly reply?: ReplyPort<unknown> | undefined;
  /** Handed back to `settle` of the reader: whatever the reader needs to settle it. */
  readonly position?: unknown;
}

/**
 * What comes with the payload of a {@link Delivery}.
 *
 * @see ReaderContext
 */
export type DeliveryFacts = Omit<Delivery<unknown>, 'payload'>;
