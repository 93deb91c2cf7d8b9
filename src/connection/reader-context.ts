import type { ReaderContext } from './define-source.js';

/**
 * What one reader sees of its session. A reader of an earlier connection may still call: once `isCurrent` is false it
 * can neither feed nor end the present one.
 *
 * @internal
 */
export function readerContext<T>(
  session: Omit<ReaderContext<T>, 'lost'>,
  isCurrent: () => boolean,
  lost: (error: unknown) => void,
): ReaderContext<T> {
  return {
    clock: session.clock,
    get ready() {
      return isCurrent() && session.ready;
    },
    get free() {
      return isCurrent() ? session.free : 0;
    },
    get waiting() {
      return isCurrent() ? session.waiting : 0;
    },
    get waitingBytes() {
      return isCurrent() ? session.waitingBytes : 0;
    },
    offer: (delivery) => isCurrent() && session.offer(delivery),
    offerAs: (payload, facts) => isCurrent() && session.offerAs(payload, facts),
    refuse: (delivery, reason) => isCurrent() && session.refuse(delivery, reason),
    takeBack: (isMeant, reason) => {
      if (isCurrent()) session.takeBack(isMeant, reason);
    },
    end: () => {
      if (isCurrent()) session.end();
    },
    wake: () => {
      if (isCurrent()) session.wake();
    },
    lost,
  };
}
