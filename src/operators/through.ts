import { type Observable, of } from 'rxjs';
import type { Stage } from '../connection/flow.js';
import { callable, checkArgument, someOptions } from '../connection/options.js';
import { SluiceError } from '../errors.js';
import type { Message } from '../message/message.js';
import { each, type EachOptions } from './each.js';
import { isValue } from './each-task.js';

/**
 * Each message's payload sent through a chain of RxJS operators of its own: `retry`, `timeout`, `delay`, `filter`,
 * `switchMap` then mean this one message, and none of them can lose or stop another.
 *
 * The message is acked when the chain has completed and everything that came out of it was acked; a chain that lets
 * nothing through acks it. A chain that errors fails it like the work of `each`: `retry` and `onError` of the options. On
 * unsubscribe the chains are unsubscribed and their messages go back untouched.
 *
 * @example
 * import { mergeMap, retry, timeout } from 'rxjs';
 * import { through } from 'sluice';
 * orders.pipe(through((order$) => order$.pipe(mergeMap(async (order) => bill(order)), timeout(500), retry(2)), { concurrency: 4 }));
 * @param chain called once per try with an Observable of the payload alone; RxJS's `pipe(…)` gives such a function
 * @param options those of `each`
 * @throws SluiceError `CONFIG_INVALID` as `each` does
 * @see each
 */
export function through<I, O>(
  chain: (payload$: Observable<I>, message: Message<I>) => Observable<O>,
  options: EachOptions<I> = {},
): Stage<I, O> {
  checkArgument('through', 'chain', chain, callable);
  checkArgument('through', 'options', options, someOptions);
  const work = (payload: I, message: Message<I>): Observable<O> => {
    const results = chain(of(payload), message);
    // `undefined` would be no result, and ack the message: most likely a `return` was forgotten.
    if (isValue<unknown>(results)) throw noObservable();
    return results;
  };
  return each(work, { name: 'through', ...options }) as Stage<I, unknown> as Stage<I, O>;
}

function noObservable(): SluiceError {
  return new SluiceError('HANDLER_FAILED', 'through: the chain gave no Observable. Return the piped one from it.');
}
