import type { DeliveryFacts, ReaderContext, Supply } from '../connection/define-source.js';

/** Values that are there when they are asked for. */
export interface Values<T> {
  /** Offers what comes next until there is no credit, or says the end. */
  offerTo(context: ReaderContext<T>, facts: DeliveryFacts): void;
  /** Offers the next one, with credit or without, or says the end. */
  offerOne(context: ReaderContext<T>, facts: DeliveryFacts): void;
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

class ArrayValues<T> implements Values<T>, Supply<T> {
  private readonly array: readonly T[];
  /** What comes next. */
  private at = 0;

  constructor(array: readonly T[]) {
    this.array = array;
  }

  offerTo(context: ReaderContext<T>, facts: DeliveryFacts): void {
    context.offerEach(this, facts);
  }

  offerOne(context: ReaderContext<T>, facts: DeliveryFacts): void {
    if (this.isEmpty) context.end();
    else context.offerAs(this.take(), facts);
  }

  get isEmpty(): boolean {
    return this.at >= this.array.length;
  }

  take(): T {
    const { array, at } = this;
    this.at = at + 1;
    return array[at] as T;
  }

  close(): void {
    // Nobody has to know.
  }
}

class IteratorValues<T> implements Values<T> {
  private readonly iterator: Iterator<T>;
  /** It ended or threw by itself: as a loop does, nobody asks it for its return then. */
  private isOver = false;

  constructor(iterable: Iterable<T>) {
    this.iterator = iterable[Symbol.iterator]();
  }

  /** One by one: a generator may do anything before it yields, also end the flow or take its credit. */
  offerTo(context: ReaderContext<T>, facts: DeliveryFacts): void {
    while (context.ready) this.offerOne(context, facts);
  }

  offerOne(context: ReaderContext<T>, facts: DeliveryFacts): void {
    const step = this.step();
    if (step.done === true) context.end();
    else context.offerAs(step.value, facts);
  }

  close(): void {
    if (!this.isOver) this.iterator.return?.();
  }

  private step(): IteratorResult<T> {
    try {
      const step = this.iterator.next();
      this.isOver = step.done === true;
      return step;
    } catch (error) {
      this.isOver = true;
      throw error;
    }
  }
}
