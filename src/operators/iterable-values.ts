import type { DeliveryFacts, ReaderContext } from '../connection/define-source.js';

/** Values that are there when they are asked for. */
export interface Values<T> {
  /** Offers what comes next until an offer is refused. False at the end. */
  offerTo(context: ReaderContext<T>, facts: DeliveryFacts): boolean;
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
  /** What is offered next. */
  private at = 0;

  constructor(array: readonly T[]) {
    this.array = array;
  }

  offerTo(context: ReaderContext<T>, facts: DeliveryFacts): boolean {
    const { array } = this;
    while (this.at < array.length) {
      const value = array[this.at] as T;
      this.at += 1;
      if (!context.offerAs(value, facts)) return true;
    }
    return false;
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

  offerTo(context: ReaderContext<T>, facts: DeliveryFacts): boolean {
    let step = this.iterator.next();
    while (step.done !== true) {
      if (!context.offerAs(step.value, facts)) return true;
      step = this.iterator.next();
    }
    return false;
  }

  close(): void {
    this.iterator.return?.();
  }
}
