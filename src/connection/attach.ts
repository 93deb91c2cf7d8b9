import { Observable } from 'rxjs';
import type { Cancel } from '../clock.js';
import type { Message } from '../message/message.js';
import type { Flow } from './flow.js';

/**
 * Where a source or a stage puts its messages: whoever subscribed, or the next stage itself.
 *
 * @internal
 */
export interface Output<T> {
  /** Nothing more is wanted, or the end was said. */
  readonly closed: boolean;
  next(message: Message<T>): void;
  error(error: unknown): void;
  complete(): void;
}

// Not of the global registry: another copy of the package is subscribed to, like any Observable.
const CONNECT: unique symbol = Symbol('sluice.connect');

interface Attachable<T> {
  readonly [CONNECT]?: (output: Output<T>) => Cancel;
}

/**
 * A flow whose messages reach the next of our own stages by one call. Everybody else subscribes to it as to any Observable,
 * through a subscriber that costs each message several calls.
 *
 * @internal
 */
export function attachable<T>(connect: (output: Output<T>) => Cancel): Flow<T> {
  return Object.defineProperty(new Observable<Message<T>>(connect), CONNECT, { value: connect });
}

/**
 * Subscribes to a flow, directly where it can be. The output must not throw, and must take nothing once it is closed.
 *
 * @internal
 */
export function attach<T>(flow: Flow<T>, output: Output<T>): Cancel {
  const connect = (flow as Attachable<T>)[CONNECT];
  if (connect === undefined) {
    const subscription = flow.subscribe(output);
    return () => subscription.unsubscribe();
  }
  try {
    return connect(output);
  } catch (error) {
    output.error(error);
    return () => undefined;
  }
}
