import { type DeliveryFacts, NO_MORE, type ReaderContext, type Supply } from '../connection/define-source.js';

/** Values that are there when they are asked for. */
export interface Values<T> extends Supply<T> {
  /** Offers what comes next until there is no credit, or says the end. */
  offerTo(context: ReaderContext<T>, facts: DeliveryFacts): void;
  /** No further value is wanted. */
  close(): void;
}

/**
 * The values of an iterable. An array is read by its positions, as its iterator makes an object for each value. Classes, so that
 * all subscriptions run the same compiled loop.
 *
 * @internal
 */
export function valuesOf<T>(iterable: Iterable<T>): Values<T> {
  return Array.isArray(iterable) && iterable[Symbol.iterator] === Array.prototype[Symbol.iterator]
    ? new ArrayValues<T>(iterable)
    : new IteratorValues<T>(iterable);
}

class ArrayValues<T> implements Values<T> {
  private readonly array: readonly T[];
  /** What comes next. */
  private at = 0;

  constructor(array: readonly T[]) {
    this.array = array;
  }

  offerTo(context: ReaderContext<T>, facts: DeliveryFacts): void {
    context.offerEach(this, facts);
  }

  take(): T | typeof NO_MORE {
    const { array, at } = this;
    if (at >= array.length) return NO_MORE;
    this.at = at + 1;
    return array[at] as T;
  }

  close(): void {
    // Nobody has to know.
  }
}

class IteratorValues<T> implements Values<T> {
  private readonly iterator: Iterator<T>;

  constructor(iterable: Iterable<T>) {
    this.iterator = iterable[Symbol.iterator]();
  }

  /** One by one: a generator may do anything before it yields, also end the flow or take its credit. */
  offerTo(context: ReaderContext<T>, facts: DeliveryFacts): void {
    while (context.ready) {
      const value = this.take();
      if (value === NO_MORE) {
        context.end();
        return;
      }
      context.offerAs(value, facts);
    }
  }

  take(): T | typeof NO_MORE {
    const step = this.iterator.next();
    return step.done === true ? NO_MORE : step.value;
  }

  close(): void {
    this.iterator.return?.();
  }
}
