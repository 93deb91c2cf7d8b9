import { lastValueFrom, tap, toArray } from 'rxjs';
import type { Flow, Message } from 'sluice';

/** What a consumer of a flow that does not end got so far. */
export interface Consumer<T> {
  readonly messages: readonly Message<T>[];
  readonly error: unknown;
  readonly completed: boolean;
  unsubscribe(): void;
}

/** Subscribes and calls `handle` with each message; without one, each is acked. */
export function consume<T>(flow: Flow<T>, handle: (message: Message<T>) => unknown = (m) => m.ack()): Consumer<T> {
  const messages: Message<T>[] = [];
  const consumer = { messages, error: undefined as unknown, completed: false, unsubscribe: () => undefined as void };
  const subscription = flow.subscribe({
    next(message) {
      messages.push(message);
      handle(message);
    },
    error: (error: unknown) => (consumer.error = error),
    complete: () => (consumer.completed = true),
  });
  consumer.unsubscribe = () => subscription.unsubscribe();
  return consumer;
}

/** All messages of a flow that ends, each acked. */
export function acked<T>(flow: Flow<T>): Promise<Message<T>[]> {
  return lastValueFrom(
    flow.pipe(
      tap((message) => message.ack()),
      toArray(),
    ),
  );
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** The payloads of messages of bytes, as text. */
export function texts(messages: readonly Message<Uint8Array>[]): string[] {
  return messages.map(({ payload }) => utf8.decode(payload));
}
