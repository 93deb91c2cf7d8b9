import type { Clock } from '../clock.js';
import { called, checkOptions, integer, numeric, oneOf, either, type OptionRule } from './options.js';

/**
 * How long to wait between tries.
 *
 * @see backoff
 */
export interface BackoffOptions {
  /** The longest wait before the first retry. Default 500 ms. */
  readonly initialMs?: number;
  /** What the longest wait grows by with each try. Default 2. */
  readonly factor?: number;
  /** Where it stops growing. Default 30,000 ms. */
  readonly maxMs?: number;
  /** The shortest wait, so that tries never become a hot loop. Default 100 ms. */
  readonly minMs?: number;
  /** `full` (default): a random wait up to the longest, so that many clients spread out; `none`: exactly the longest. */
  readonly jitter?: 'full' | 'none';
  /** How long it has to hold before the count of tries starts again. Default 30,000 ms. */
  readonly stableMs?: number;
  /** How many tries in all, the first included. Default: 3 for the work on a message, else without end. */
  readonly tries?: number;
}

/**
 * Options made whole.
 *
 * @see backoff
 */
export interface Backoff {
  /** How many tries in all. `undefined`, where it was not said: 3 for the work on a message, else without end. */
  readonly tries: number | undefined;
  readonly stableMs: number;
  /** The wait after the `failed`-th failure in a row, 1 for the first. */
  delayMs(failed: number, clock: Clock): number;
}

/**
 * A schedule of waits that doubles up to a limit, with full jitter: each wait is random between `minMs` and the limit.
 *
 * @example
 * import { backoff, each } from 'sluice';
 * each(bill, { retry: backoff({ tries: 5, initialMs: 200 }) });
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 */
export function backoff(options: BackoffOptions = {}): Backoff {
  checkOptions<BackoffOptions>('backoff', options, {
    initialMs: numeric(0),
    factor: numeric(1),
    maxMs: numeric(0),
    minMs: numeric(0),
    jitter: oneOf('full', 'none'),
    stableMs: numeric(0),
    tries: either(integer(1), (value) => (value === Infinity ? undefined : 'expected Infinity')),
  });
  const { initialMs = 500, factor = 2, maxMs = 30_000, jitter = 'full', stableMs = 30_000, tries } = options;
  const minMs = Math.min(options.minMs ?? 100, initialMs, maxMs);
  return {
    tries,
    stableMs,
    delayMs(failed, clock) {
      const longest = Math.min(maxMs, initialMs * factor ** Math.min(failed - 1, 64));
      return jitter === 'none' ? longest : minMs + clock.random() * (longest - minMs);
    },
  };
}

/** Waits between tries, as an option. @internal */
export const backoffLike: OptionRule = called('waits made with backoff()', 'delayMs');
