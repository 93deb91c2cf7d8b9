/**
 * One of both ways between two ends: `up` from the client to the server, `down` back.
 *
 * @see Bench
 */
export type Direction = 'up' | 'down';
