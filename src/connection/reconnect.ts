import { backoff, type Backoff } from './backoff.js';

/**
 * How links, sources and sinks wait between tries unless they are told otherwise: 500 ms doubling to 4 s, full jitter,
 * without end. Longer waits would spare a far side that is down, and keep its clients away when it is back: with 4 s
 * nearly all of them are back within 5 s, however long it was down.
 *
 * @internal
 */
export const RECONNECT: Backoff = backoff({ maxMs: 4_000, tries: Infinity });
