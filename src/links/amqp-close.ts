import type { Clock } from '../clock.js';

/** How long a broker may take to answer that something is closed. One that is short of memory does not even read it. */
const CLOSE_MS = 5_000;

/** A channel or a connection of the client. */
interface Closable {
  close(): Promise<void>;
  on(event: 'close', listener: () => void): unknown;
}

/**
 * Closes it, whatever state it is in, and gives whether it is closed: false where the broker gave no answer in time. The
 * client's own promise stays open for ever then, and when the connection goes first; it is rejected when it had gone before.
 *
 * @internal
 */
export function closeAmqp(closable: Closable, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.timer(CLOSE_MS, () => resolve(false));
    const closed = (): void => {
      cancel();
      resolve(true);
    };
    closable.on('close', closed);
    // Some of its states throw instead of rejecting.
    Promise.resolve()
      .then(() => closable.close())
      .then(closed, closed);
  });
}
