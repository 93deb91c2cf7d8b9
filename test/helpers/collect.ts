import type { Subscription } from 'rxjs';
import { onTestFinished } from 'vitest';
import type { Flow, Message } from 'sluice';

/** Everything a flow emitted, unsettled unless `settle` settles it. */
export interface Collected<T> {
  readonly messages: Message<T>[];
  readonly payloads: T[];
  readonly errors: unknown[];
  completed: boolean;
  readonly subscription: Subscription;
}

/** Subscribes to a flow until the end of the test and keeps what comes. */
export function collect<T>(flow: Flow<T>, settle?: (message: Message<T>) => void): Collected<T> {
  const messages: Message<T>[] = [];
  const payloads: T[] = [];
  const errors: unknown[] = [];
  const result = { messages, payloads, errors, completed: false };
  const subscription = flow.subscribe({
    next(message) {
      messages.push(message);
      payloads.push(message.payload);
      settle?.(message);
    },
    error: (error: unknown) => void errors.push(error),
    complete: () => (result.completed = true),
  });
  onTestFinished(() => subscription.unsubscribe());
  return Object.assign(result, { subscription });
}
