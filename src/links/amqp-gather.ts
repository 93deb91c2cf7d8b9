import type { Clock } from '../clock.js';

/** What the client writes to: a socket. */
export interface AmqpStream {
  write: (...given: never[]) => boolean;
  cork(): void;
  uncork(): void;
}

/**
 * Lets everything that is written in one turn leave in one write. The client writes each frame for itself, and asking the
 * system to send a small frame costs more than all that is done for the message in it.
 *
 * @internal
 */
export function gatherWrites(stream: AmqpStream, clock: Clock): void {
  const write = stream.write.bind(stream);
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    stream.uncork();
  };
  stream.write = (...given) => {
    if (!isCorked) {
      isCorked = true;
      stream.cork();
      clock.defer(uncork);
    }
    return write(...given);
  };
}
