/** The last moment that a `Date` can name, and the first one with the other sign. */
const MOST_MS = 8.64e15;

/**
 * Whether it is a time in milliseconds. What others write on a message may be any number, and one that is no time spoils what it
 * is sent with.
 *
 * @internal
 */
export function isTime(ms: number | undefined): boolean {
  return ms !== undefined && Math.abs(ms) <= MOST_MS;
}
