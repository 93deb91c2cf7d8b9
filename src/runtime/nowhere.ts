import type { Sink } from '../connection/flow.js';
import { configInvalid } from '../connection/options.js';
import type { SluiceError } from '../errors.js';
import { handBack } from '../message/envelope.js';

/**
 * The end of a flow that was started without a sink. What comes out of it all the same would be lost: it goes back to its
 * source, and the flow ends.
 *
 * @internal
 */
export function nowhere(flow: string, failed: (error: SluiceError) => void): Sink<unknown> {
  const cure = 'give run a sink as well, or let the last stage give nothing';
  return {
    next(message) {
      handBack(message);
      failed(configInvalid(flow, [`a message came out, but there is no sink that takes it; ${cure}`]));
    },
    error: () => undefined,
    complete: () => undefined,
  };
}
