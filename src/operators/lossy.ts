import { type Observable, Subject } from 'rxjs';
import { subscribeTo } from '../connection/attach.js';
import type { Stage } from '../connection/flow.js';
import { callable, checkArgument, flowLike, oneOf } from '../connection/options.js';
import { type Envelope, handBack, isTakenBack, mark, OPEN } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { defineStage } from './define-stage.js';

/**
 * How {@link lossy} tells what an operator gave up: `latest`, everything older than the newest; `sync`, what did not come
 * out while it was given in.
 */
export type LossyMode = 'latest' | 'sync';

/**
 * Any RxJS operator that drops, lifted onto messages: it watches which ones come out and settles the others. Under
 * `latest` (default: `debounceTime`, `auditTime`, `sampleTime`, `switchMap`) a newer message settles the older ones that
 * have not come out, with the note `superseded`; under `sync` (`filter`, `distinctUntilChanged`, `skip`, `throttleTime`) a
 * message that does not come out at once is acked with the note `dropped`.
 *
 * An operator that errors ends the flow with the error. What it never lets out goes back untouched on unsubscribe; under
 * `latest` the newest message stays open until the operator emits it or a newer one comes.
 *
 * @example
 * import { debounceTime } from 'rxjs';
 * import { lossy } from 'sluice';
 * orders.pipe(lossy(debounceTime(100)));
 * @param operator from messages to the same messages or copies of them
 * @throws SluiceError `CONFIG_INVALID` for another mode. The flow errors with it where the operator gives what are no messages
 * @see latest
 * @see where
 */
export function lossy<I, O = I>(
  operator: (source: Observable<Message<I>>) => Observable<Message<O>>,
  mode: LossyMode = 'latest',
): Stage<I, O> {
  checkArgument('lossy', 'operator', operator, callable);
  checkArgument('lossy', 'mode', mode, oneOf('latest', 'sync'));
  return defineStage(
    'lossy',
    (output) => {
      const feed = new Subject<Message<I>>();
      /** Went in and did not come out. */
      const inside = new Set<Envelope<unknown>>();
      const flow = operator(feed);
      checkArgument('lossy', 'what the operator gives', flow, flowLike);
      const subscription = subscribeTo(flow, {
        next(message) {
          const { root } = message as Envelope<O>;
          // Given up before it came out, or taken back by its source: nobody may work on it.
          if (inside.delete(root) && !isTakenBack(root)) output.next(message);
        },
        error: (error: unknown) => output.error(error),
        complete: () => output.complete(),
      });
      return {
        next(message) {
          mark(message, 'lossy');
          const { root } = message as Envelope<I>;
          if (mode === 'latest') settle(inside, 'superseded');
          inside.add(root);
          feed.next(message);
          if (mode === 'sync') settle(inside, 'dropped');
        },
        error: (error) => output.error(error),
        complete: () => feed.complete(),
        teardown() {
          subscription.unsubscribe();
          for (const root of inside) handBack(root);
          inside.clear();
        },
      };
    },
    undefined,
    { atMostOne: true },
  );
}

function settle(inside: Set<Envelope<unknown>>, note: string): void {
  for (const root of inside) if (root.state === OPEN) root.ack(note);
  inside.clear();
}
