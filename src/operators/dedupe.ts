import { type Clock, currentClock } from '../clock.js';
import type { Stage } from '../connection/flow.js';
import { notLater } from '../connection/not-later.js';
import { callable, checkOptions, clockLike, integer, numeric, required } from '../connection/options.js';
import { type Envelope, isOpen, mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { Relays } from '../message/relay.js';
import { defineStage, failed } from './define-stage.js';

/**
 * Options of {@link dedupe}.
 *
 * @see dedupe
 */
export interface DedupeOptions<T> {
  /** What makes two messages the same one, for example `(message) => message.id`. `undefined` is never a duplicate. */
  readonly by: (message: Message<T>) => string | undefined;
  /** How long a message is remembered after it was acked. Default: as long as there is room. */
  readonly withinMs?: number;
  /** How many are remembered at once, the oldest forgotten first, 1 or more. */
  readonly maxKeys: number;
  /** Default: the clock in force on subscribe. */
  readonly clock?: Clock;
}

/** Under way, or acked at a time. */
type Memory = { readonly under: Envelope<unknown> } | { readonly ackedMs: number };

/**
 * Messages without their duplicates: one whose key is under way or was acked before is acked with the note `duplicate`.
 * A message counts as seen only once it was acked; nacked or handed back, its redelivery passes again.
 *
 * The memory is in this process and bounded by `maxKeys`: it makes processing idempotent against redeliveries and double
 * sends, not across restarts. A `by` that throws, or gives a promise, nacks its message as `dead` with
 * HANDLER_FAILED. Error, completion and unsubscribe pass through.
 *
 * @example
 * import { dedupe } from 'sluice';
 * orders.pipe(dedupe({ by: (message) => message.id, withinMs: 3_600_000, maxKeys: 100_000 }));
 * @throws SluiceError `CONFIG_INVALID` for a missing option or one out of range
 * @see where
 */
export function dedupe<T>(options: DedupeOptions<T>): Stage<T, T> {
  checkOptions<DedupeOptions<T>>('dedupe', options, {
    by: required(callable),
    withinMs: numeric(0),
    maxKeys: required(integer(1)),
    clock: clockLike,
  });
  const { by, withinMs = Infinity, maxKeys } = options;
  return defineStage<T, T>(
    'dedupe',
    (output) => {
      const clock = options.clock ?? currentClock();
      /** In the order of what is to be forgotten first. */
      const seen = new Map<string, Memory>();
      const keys = new WeakMap<Envelope<unknown>, string>();
      const relays = new Relays({
        settled(original, outcome, reason) {
          const key = keys.get(original);
          if (key !== undefined) {
            forget(key, original);
            if (outcome === 'ack') remember(key, { ackedMs: clock.elapsed() });
          }
          original.settle(outcome, reason);
        },
      });

      function forget(key: string, original: Envelope<unknown>): void {
        const memory = seen.get(key);
        if (memory !== undefined && 'under' in memory && memory.under === original) seen.delete(key);
      }

      function remember(key: string, memory: Memory): void {
        seen.delete(key);
        seen.set(key, memory);
        if (seen.size <= maxKeys) return;
        const [oldest] = seen.keys();
        seen.delete(oldest as string);
      }

      function isDuplicate(key: string): boolean {
        const memory = seen.get(key);
        if (memory === undefined) return false;
        // Taken back by its source: this is it again.
        if ('under' in memory) return isOpen(memory.under);
        return clock.elapsed() - memory.ackedMs <= withinMs;
      }

      return {
        next(message) {
          mark(message, 'dedupe');
          let key: string | undefined;
          try {
            key = notLater(by(message), 'The function of by', 'Work the key out in each before it.');
          } catch (error) {
            failed(message, error, 'dedupe', 'dead');
            return;
          }
          if (key === undefined) {
            output.next(message);
            return;
          }
          if (isDuplicate(key)) {
            message.ack('duplicate');
            return;
          }
          const original = message as Envelope<T>;
          keys.set(original, key);
          remember(key, { under: original });
          output.next(relays.pass(message));
        },
      };
    },
    undefined,
    { atMostOne: true },
  );
}
