import { SluiceError } from '../errors.js';
import { areHeaders, type MessageHeaders } from '../message/headers.js';

/**
 * The headers of a message as a sink sends them.
 *
 * @throws SluiceError `ENCODE_FAILED` for what has no values by name
 * @internal
 */
export function headersToSend(headers: MessageHeaders): MessageHeaders {
  if (areHeaders(headers)) return headers;
  throw new SluiceError(
    'ENCODE_FAILED',
    'The headers of a message are an object with values by name: make one, of a Map with Object.fromEntries.',
  );
}
