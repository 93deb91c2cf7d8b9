import { Observable } from 'rxjs';
import type { Flow, Message, Sink } from 'sluice';
import type { Bench, BenchSourceOptions, CaseId } from 'sluice/testing';
import type { TinyBroker } from './tiny-broker.js';
import type { TinyOptions } from './tiny-connector.js';

/** What is wrong, the case that notices it, by which words, and the bench that is so. */
export type Broken = readonly [what: string, id: CaseId, text: RegExp, options: TinyOptions];

export type Bytes = Message<Uint8Array>;
export type BytesSink = Sink<Uint8Array>;
export type Source = Bench['source'];

/** A bench whose source is made by `change` from the right one. */
export const source =
  (change: (right: Source, broker: TinyBroker) => Source) =>
  (bench: Bench, broker: TinyBroker): Bench => ({ ...bench, source: change(bench.source, broker) });

/** A bench whose sinks are made by `change` from the right ones. */
export const sink =
  (change: (right: BytesSink) => BytesSink) =>
  (bench: Bench): Bench => ({
    ...bench,
    sink: (channel, options) => change(bench.sink?.(channel, options) as BytesSink),
  });

/** A flow whose messages and end pass through `change`. */
export function altered(
  flow: Flow<Uint8Array>,
  change: (message: Bytes, emit: (message: Bytes) => void, complete: () => void) => void,
): Flow<Uint8Array> {
  return new Observable((output) =>
    flow.subscribe({
      next: (message) =>
        change(
          message,
          (given) => output.next(given),
          () => output.complete(),
        ),
      error: (error: unknown) => output.error(error),
      complete: () => output.complete(),
    }),
  );
}

/** The message with some of its members replaced. */
export function posing(message: Bytes, members: Partial<Record<keyof Bytes, unknown>>): Bytes {
  const replaced = Object.fromEntries(Object.entries(members).map(([name, value]) => [name, { value }]));
  return Object.create(message, replaced) as Bytes;
}

/** One more than it was told. */
export const moreCredit = (options: BenchSourceOptions): BenchSourceOptions =>
  typeof options.credit === 'number' ? { ...options, credit: options.credit + 1 } : options;

/** Takes no notice of one option. */
export const ignores =
  (option: keyof BenchSourceOptions) =>
  (right: Source): Source =>
  (channel, options) =>
    right(channel, Object.fromEntries(Object.entries(options).filter(([name]) => name !== option)));

/** Acks what it has not handed out yet. */
export function tooEarly(message: Bytes, emit: (message: Bytes) => void): void {
  message.ack();
  emit(message);
}

export function twice(message: Bytes, emit: (message: Bytes) => void): void {
  emit(message);
  emit(message);
}

export function raise(text: string): never {
  throw new Error(text);
}
