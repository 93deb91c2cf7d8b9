import { onTestFinished } from 'vitest';
import { observe, type Message, type Sink, type SluiceEvent } from 'sluice';

/** A sink that acks at once and writes down what it got and how it ended. */
export function recordingSink<T>(): Sink<T> & { readonly taken: T[]; readonly ended: string[] } {
  const taken: T[] = [];
  const ended: string[] = [];
  return {
    taken,
    ended,
    next(message) {
      taken.push(message.payload);
      message.ack();
    },
    error: (error: unknown) => void ended.push(`error ${(error as Error).message}`),
    complete: () => void ended.push('complete'),
  };
}

/** Acks a message and gives its payload. */
export function settling<T>(message: Message<T>): T {
  message.ack();
  return message.payload;
}

/** Every event of a type until `stop`. */
export function events(type: SluiceEvent['type']): { readonly seen: SluiceEvent[]; readonly stop: () => void } {
  const seen: SluiceEvent[] = [];
  const stop = observe((event) => event.type === type && seen.push(event));
  onTestFinished(stop);
  return { seen, stop };
}
