import type { Flow } from 'sluice';
import { defineSource, type Delivery, type ReaderContext } from 'sluice/connection';

/** A source that stays subscribed and gives what it is fed, so that a run measures messages and no subscribing. */
export interface Feed<T> {
  readonly flow: Flow<T>;
  /** Resolves once so many were given and settled. Each is made when there is credit for it, as a client makes it. */
  give(count: number, delivery: (at: number) => Delivery<T>): Promise<void>;
  end(): void;
}

export function feed<T>(credit = 128): Feed<T> {
  let make: (at: number) => Delivery<T> = () => {
    throw new Error('Nothing is given yet.');
  };
  let all = 0;
  let at = 0;
  let unsettled = 0;
  let context: ReaderContext<T> | undefined;
  let done: () => void = () => undefined;
  const flow = defineSource<T>(
    {
      connector: 'feed',
      credit,
      open(opened) {
        context = opened;
        return {
          resume() {
            while (at < all) {
              at += 1;
              if (!opened.offer(make(at - 1))) return;
            }
          },
          settle() {
            unsettled -= 1;
            if (unsettled === 0) done();
          },
          close: () => undefined,
        };
      },
    },
    { credit },
  );
  return {
    flow,
    give(count, delivery) {
      make = delivery;
      all = count;
      at = 0;
      unsettled = count;
      return new Promise((resolve) => {
        done = resolve;
        context?.wake();
      });
    },
    end: () => context?.end(),
  };
}
