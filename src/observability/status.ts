/**
 * Where a link, a source or a sink stands. It only walks
 * `idle → connecting → connected → (degraded) → reconnecting → … → closing → closed`.
 * @see isLegalStep
 */
export type Status = 'idle' | 'connecting' | 'connected' | 'degraded' | 'reconnecting' | 'closing' | 'closed';

const NEXT: Readonly<Record<Status, readonly Status[]>> = {
  idle: ['connecting', 'closed'],
  connecting: ['connected', 'reconnecting', 'closing'],
  connected: ['degraded', 'reconnecting', 'closing'],
  degraded: ['connected', 'reconnecting', 'closing'],
  reconnecting: ['connected', 'closing'],
  closing: ['closed'],
  // A link that lost its last user may be opened again by a new one.
  closed: ['connecting'],
};

/**
 * True when a status may follow another.
 *
 * @example
 * import { isLegalStep } from 'sluice/connection';
 * isLegalStep('connected', 'connecting'); // false: a lost link is reconnecting
 * @see Status
 */
export function isLegalStep(from: Status, to: Status): boolean {
  return Object.hasOwn(NEXT, from) && NEXT[from].includes(to);
}
