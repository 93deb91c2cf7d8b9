import type { Flow } from 'sluice';
import { defineSource, type Delivery, type ReaderContext } from 'sluice/connection';

/** A source that stays subscribed and gives what it is fed, so that a run measures messages and no subscribing. */
export interface Feed<T> {
  readonly flow: Flow<T>;
  /** Resolves once everything of the list was settled. */
  give(deliveries: readonly Delivery<T>[]): Promise<void>;
  end(): void;
}

export function feed<T>(credit = 128): Feed<T> {
  let list: readonly Delivery<T>[] = [];
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
            while (at < list.length) {
              const delivery = list[at] as Delivery<T>;
              at += 1;
              if (!opened.offer(delivery)) return;
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
    give(deliveries) {
      list = deliveries;
      at = 0;
      unsettled = deliveries.length;
      return new Promise((resolve) => {
        done = resolve;
        context?.wake();
      });
    },
    end: () => context?.end(),
  };
}
