import type { Stage } from '../connection/flow.js';
import { SluiceError } from '../errors.js';
import { mark } from '../message/envelope.js';
import { HEADERS, headerText } from '../message/headers.js';
import { checkOptions, integer } from '../options.js';
import { defineStage } from '../operators/define-stage.js';

/**
 * Options of {@link loopGuard}.
 *
 * @see loopGuard
 */
export interface LoopGuardOptions {
  /** How often a message may come by. Default 16. */
  readonly maxHops?: number;
}

/**
 * The messages, each with one hop more in its header `x-hops`; one that came by more often than `maxHops` is nacked as
 * `dead` with LOOP_DETECTED. Put it where messages can come round again: in front of what publishes to a topic that feeds
 * this flow. It counts across processes where the transport carries headers; where it does not, it sees no loop.
 *
 * Everything else of the message, its settlement included, is carried over. Error, completion and unsubscribe pass through.
 *
 * @example
 * import { loopGuard } from 'sluice';
 * orders.pipe(loopGuard({ maxHops: 4 })).subscribe(audit);
 * @throws SluiceError `CONFIG_INVALID` for a `maxHops` out of range
 * @see route
 */
export function loopGuard<T>(options: LoopGuardOptions = {}): Stage<T, T> {
  checkOptions<LoopGuardOptions>('loopGuard', options, { maxHops: integer(1) });
  const { maxHops = 16 } = options;
  return defineStage(
    'loopGuard',
    (output) => ({
      next(message) {
        mark(message, 'loopGuard');
        const hops = hopsOf(headerText(message.headers, HEADERS.hops)) + 1;
        if (hops > maxHops) {
          message.nack(
            new SluiceError('LOOP_DETECTED', `The message came by more than ${maxHops} times (maxHops).`),
            'dead',
          );
          return;
        }
        output.next(message.with(message.payload, { headers: { ...message.headers, [HEADERS.hops]: String(hops) } }));
      },
    }),
    undefined,
    { atMostOne: true },
  );
}

/** What is no count counts as endless: only somebody who wants a loop writes such a header. */
function hopsOf(text: string | undefined): number {
  if (text === undefined) return 0;
  return /^\d{1,9}$/.test(text) ? Number(text) : Infinity;
}
