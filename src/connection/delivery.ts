import type { MessageSource } from '../message/envelope.js';

/**
 * What comes with the payload of a {@link Delivery}: topic, key, headers, id and the like, and the position that `settle`
 * of the reader gets back.
 *
 * @see ReaderContext
 */
export type DeliveryFacts = MessageSource;

/**
 * A message as its transport brought it.
 *
 * @see ReaderContext
 */
export interface Delivery<T> extends DeliveryFacts {
  readonly payload: T;
}
