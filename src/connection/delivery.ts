import type { SluiceError } from '../errors.js';
import type { MessageSource } from '../message/envelope.js';
import { areHeaders } from '../message/headers.js';
import { configInvalid } from './options.js';

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

/**
 * What is wrong with a message that is handed over, `undefined` when nothing is. Types are not looked at where JavaScript
 * is written, and who meets the message later would be blamed.
 *
 * @internal
 */
export function deliveryFault(owner: string, given: unknown): SluiceError | undefined {
  const fault = factsFault(given);
  return fault === undefined ? undefined : configInvalid(owner, [fault]);
}

function factsFault(given: unknown): string | undefined {
  if (typeof given !== 'object' || given === null) return 'expected an object with payload and topic';
  const { topic, id, key, headers } = given as Record<keyof DeliveryFacts, unknown>;
  if (typeof topic !== 'string') return `'topic': expected a text`;
  if (id !== undefined && typeof id !== 'string') return `'id': expected a text, or none`;
  if (key !== undefined && typeof key !== 'string') return `'key': expected a text, or none`;
  if (headers !== undefined && !areHeaders(headers))
    return `'headers': expected an object with values by name, or none`;
  return undefined;
}
