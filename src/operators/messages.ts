import type { ObservableInput } from 'rxjs';
import { from } from 'rxjs';
import { defineSource, type Overflow } from '../connection/define-source.js';
import type { Flow } from '../connection/flow.js';
import { SluiceError } from '../errors.js';
import { checkArgument, checkOptions, either, having } from '../options.js';
import { ITERABLE, sourceFailed, VALUES_RULES, type ValuesOptions } from './from-async-iterable.js';

/**
 * Options of {@link messages}. An Observable cannot be asked to wait, so what to give up has to be chosen.
 *
 * @see messages
 */
export interface MessagesOptions extends ValuesOptions {
  /** What is given up when more waits than `credit`: the oldest, the newest, or the whole flow. */
  readonly overflow: Overflow;
}

const CREDIT = 128;
/** How many values may wait where the credit changes: as many as in any source. */
const ROOM = 65_536;

const SOURCE = either(having('subscribe'), having('then'), having('getReader'), ITERABLE);

/**
 * Plain values as messages: the way into a flow for what is an Observable already. Up to `credit` values are unsettled
 * and as many wait; of more, what `overflow` names is given up and counted.
 *
 * For values that can wait for their turn use `fromAsyncIterable`, which loses nothing. Completes when the Observable has
 * and everything was settled; errors with SOURCE_FAILED when it does, and under `close` with OVERFLOW when more comes than
 * fits. What was emitted and is unsettled then is taken back. On unsubscribe the Observable is unsubscribed.
 *
 * @example
 * import { fromEvent } from 'rxjs';
 * import { messages } from 'sluice';
 * const clicks = fromEvent(document, 'click').pipe(messages({ overflow: 'drop-oldest', credit: 16 }));
 * @param options `overflow` is required; `credit` defaults to 128
 * @throws SluiceError `CONFIG_INVALID` without `overflow`, or for an option out of range
 * @see values
 * @see fromAsyncIterable
 */
export function messages<T>(options: MessagesOptions): (source: ObservableInput<T>) => Flow<T> {
  checkOptions<MessagesOptions>('messages', options, VALUES_RULES);
  const { topic = 'messages', credit = CREDIT, overflow } = options;
  const room = overflow !== 'close' ? Infinity : typeof credit === 'number' ? Math.max(1, credit) : ROOM;
  return (source) => {
    checkArgument('messages', 'source', source, SOURCE);
    return defineSource<T>(
      {
        connector: 'messages',
        credit: CREDIT,
        local: true,
        needsOverflow: true,
        open(context) {
          const facts = { topic };
          const subscription = from(source).subscribe({
            next(payload) {
              // There is no connection that could be opened anew: subscribed again, the Observable gives other values, or all.
              if (context.waiting >= room) context.lost(flooded(room));
              else context.offerAs(payload, facts);
            },
            error: (error: unknown) => context.lost(sourceFailed(error)),
            complete: () => context.end(),
          });
          return {
            resume: () => undefined,
            settle: () => undefined,
            stop: () => subscription.unsubscribe(),
            close: () => subscription.unsubscribe(),
          };
        },
      },
      options,
    );
  };
}

function flooded(room: number): SluiceError {
  const cure = `choose drop-oldest or drop-newest, or raise 'credit'`;
  return new SluiceError('OVERFLOW', `messages: more than ${room} values waited, and 'overflow' is close: ${cure}.`);
}
