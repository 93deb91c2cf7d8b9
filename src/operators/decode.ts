import type { Stage } from '../connection/flow.js';
import { called, checkArgument } from '../connection/options.js';
import { isBytes } from '../mappers/bytes.js';
import type { Mapper } from '../mappers/codec.js';
import { encodeUtf8, loneSurrogateAt } from '../mappers/utf8.js';
import { mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { SluiceError, toSluiceError } from '../errors.js';
import { defineStage } from './define-stage.js';

/**
 * Each message with its bytes read by `mapper`; a text, such as a frame of a WebSocket, is read as its UTF-8 bytes. What cannot
 * be read will not be readable the next time either: the message is nacked as `dead`, with DECODE_FAILED or the mapper's own
 * error, and the flow goes on. A `deadLetter` before this stage keeps the bytes as they came. Error, completion and unsubscribe
 * pass through.
 *
 * @example
 * import { decode, json } from 'sluice';
 * raw.pipe(decode(json<Order>()));
 * @param mapper only its `decode` and `name` are used
 * @throws SluiceError `CONFIG_INVALID` for what is no mapper
 * @see encode
 * @see deadLetter
 */
export function decode<T>(mapper: Pick<Mapper<T>, 'decode' | 'name'>): Stage<Uint8Array | string, T> {
  checkArgument('decode', 'mapper', mapper, called('a mapper with name and decode, such as json()', 'name', 'decode'));
  const name = `decode(${mapper.name})`;
  return defineStage(
    name,
    (output) => ({
      next(message) {
        mark(message, name);
        let value: T;
        try {
          value = mapper.decode(typeof message.payload === 'string' ? bytesOf(message.payload) : message.payload);
        } catch (error) {
          message.nack(
            toSluiceError(isReadable(message.payload) ? error : noBytes(message), 'DECODE_FAILED', `${name} failed`),
            'dead',
          );
          return;
        }
        output.next(message.with(value));
      },
    }),
    undefined,
    { atMostOne: true, stateless: true },
  );
}

function bytesOf(text: string): Uint8Array {
  if (loneSurrogateAt(text) !== -1)
    throw new SluiceError('DECODE_FAILED', 'the text has half a surrogate pair: it has no UTF-8 form.');
  return encodeUtf8(text);
}

function isReadable(payload: unknown): boolean {
  return typeof payload === 'string' || isBytes(payload);
}

/** What a mapper says of something else than bytes would lead astray: that an object is no UTF-8, for example. */
function noBytes({ payload }: Message<unknown>): SluiceError {
  const kind = payload === null ? 'null' : typeof payload;
  return new SluiceError(
    'DECODE_FAILED',
    `expected bytes (a Uint8Array) or text, got ${kind}: leave decode out, or handle it before.`,
  );
}
