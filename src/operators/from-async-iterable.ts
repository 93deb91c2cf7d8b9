import { defineSource, SOURCE_RULES, type ReaderContext, type SourceOptions } from '../connection/define-source.js';
import type { Flow } from '../connection/flow.js';
import { toSluiceError, type SluiceError } from '../errors.js';
import { checkArgument, checkOptions, type OptionRule, text } from '../options.js';
import { valuesOf } from './iterable-values.js';

/**
 * Options of what makes a flow of plain values.
 *
 * @see fromAsyncIterable
 */
export interface ValuesOptions extends SourceOptions {
  /** The topic of the messages. Default: the name of the function. */
  readonly topic?: string;
}

/** What can be iterated. @internal */
export const ITERABLE: OptionRule = (value) =>
  typeof value === 'string' || isObject(value, Symbol.asyncIterator) || isObject(value, Symbol.iterator)
    ? undefined
    : 'expected an iterable, async or not';

function isObject(value: unknown, key: symbol): boolean {
  return typeof value === 'object' && value !== null && key in value;
}

/** The rules of {@link ValuesOptions}. @internal */
export const VALUES_RULES: typeof SOURCE_RULES & { readonly topic: typeof text } = { ...SOURCE_RULES, topic: text };

/**
 * The values of an iterable, async or not, as messages. It is asked for a value only while there is credit, so a slow
 * consumer makes a generator wait; while the credit is 0 and nothing is out, one value is fetched ahead, to know whether
 * that was the end. A requeued value is emitted again, in place, with its attempt raised.
 *
 * Completes when the iterable has ended and everything was settled. Errors with SOURCE_FAILED when it throws; what is
 * unsettled then is taken back. On unsubscribe its `return` is called, unless it has ended by itself, so a generator runs
 * its `finally`; that of one that is not async once all that was emitted is settled.
 *
 * @example
 * import { createInterface } from 'node:readline';
 * import { fromAsyncIterable } from 'sluice';
 * const lines = fromAsyncIterable(createInterface({ input: process.stdin }), { credit: 16 });
 * @param iterable each subscription iterates it from the start; a generator object has only one start
 * @param options `credit` defaults to 128
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * @see toAsyncIterable
 * @see messages
 */
export function fromAsyncIterable<T>(iterable: Iterable<T> | AsyncIterable<T>, options: ValuesOptions = {}): Flow<T> {
  checkArgument('fromAsyncIterable', 'iterable', iterable, ITERABLE);
  checkOptions<ValuesOptions>('fromAsyncIterable', options, VALUES_RULES);
  const topic = options.topic ?? 'fromAsyncIterable';
  return defineSource<T>(
    {
      connector: 'iterable',
      credit: 128,
      local: true,
      open(context) {
        try {
          return isAsync(iterable) ? readAsync(iterable, topic, context) : readSync(iterable, topic, context);
        } catch (error) {
          // What cannot be iterated now, for example a stream that is read already, cannot be later either.
          throw sourceFailed(error);
        }
      },
    },
    options,
  );
}

function isAsync<T>(iterable: Iterable<T> | AsyncIterable<T>): iterable is AsyncIterable<T> {
  return typeof iterable === 'object' && Symbol.asyncIterator in iterable;
}

type OpenReader = ReturnType<Parameters<typeof defineSource>[0]['open']>;

function readSync<T>(iterable: Iterable<T>, topic: string, context: ReaderContext<T>): OpenReader {
  const values = valuesOf(iterable);
  const facts = { topic };
  function within(work: () => void): void {
    try {
      work();
    } catch (error) {
      context.lost(sourceFailed(error));
    }
  }
  return {
    resume: () => within(() => values.offerTo(context, facts)),
    peek: () => within(() => values.offerOne(context, facts)),
    settle: () => undefined,
    close: () => values.close(),
  };
}

function readAsync<T>(iterable: AsyncIterable<T>, topic: string, context: ReaderContext<T>): OpenReader {
  const iterator = iterable[Symbol.asyncIterator]();
  const facts = { topic };
  let asking = false;
  let over = false;
  function ask(): void {
    asking = true;
    try {
      // As a loop does: what is no promise of the language may answer at once, or twice.
      Promise.resolve(iterator.next()).then(take, failed);
    } catch (error) {
      failed(error);
    }
  }
  function take(step: IteratorResult<T>): void {
    asking = false;
    if (over) return;
    try {
      if (step.done === true) {
        over = true;
        context.end();
      } else if (context.offerAs(step.value, facts)) ask();
    } catch (error) {
      // An iterator of somebody else's may answer with what is no step at all.
      failed(error);
    }
  }
  function failed(error: unknown): void {
    over = true;
    context.lost(sourceFailed(error));
  }
  function close(): void {
    // It ended or threw by itself: as a loop does, nobody asks it for its return then.
    if (over) return;
    over = true;
    try {
      // A generator that still waits for its next value answers only once it has it: nobody waits for that.
      void iterator.return?.().then(undefined, () => undefined);
    } catch {
      // Whoever leaves has more to do, and nothing is lost by it.
    }
  }
  function peek(): void {
    if (over) context.end();
    else if (!asking) ask();
  }
  return {
    resume() {
      if (over || context.ready) peek();
    },
    peek,
    settle: () => undefined,
    // What was asked for already may still come, and is not to be lost.
    stop: () => asking || close(),
    close,
  };
}

/** What a source of plain values read from has failed. @internal */
export function sourceFailed(error: unknown): SluiceError {
  return toSluiceError(error, 'SOURCE_FAILED', 'What the source read from failed');
}
