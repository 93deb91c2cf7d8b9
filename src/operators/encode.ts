import type { Stage } from '../connection/flow.js';
import { called, checkArgument } from '../connection/options.js';
import { toSluiceError } from '../errors.js';
import type { Mapper } from '../mappers/codec.js';
import { mark } from '../message/envelope.js';
import { HEADERS, type MessageHeaders } from '../message/headers.js';
import { defineStage } from './define-stage.js';

const MAPPER = called('a mapper with name, encode and contentType, such as json()', 'name', 'encode', 'contentType');

/**
 * Each message with its payload written by `mapper`, and the mapper's media type as header `content-type`. A payload that
 * cannot be written nacks its message as `dead`, with ENCODE_FAILED or the mapper's own error, and the flow goes on.
 * Error, completion and unsubscribe pass through.
 *
 * @example
 * import { encode, json } from 'sluice';
 * bills.pipe(encode(json()));
 * @param mapper only its `encode`, `contentType` and `name` are used
 * @throws SluiceError `CONFIG_INVALID` for what is no mapper
 * @see decode
 */
export function encode<T>(mapper: Pick<Mapper<T>, 'encode' | 'contentType' | 'name'>): Stage<T, Uint8Array> {
  checkArgument('encode', 'mapper', mapper, MAPPER);
  const name = `encode(${mapper.name})`;
  // Most messages of a flow share their headers: the ones with the media type are then made once.
  let before: MessageHeaders | undefined;
  let after: MessageHeaders = {};
  return defineStage(
    name,
    (output) => ({
      next(message) {
        mark(message, name);
        let bytes: Uint8Array;
        try {
          bytes = mapper.encode(message.payload);
        } catch (error) {
          message.nack(toSluiceError(error, 'ENCODE_FAILED', `${name} failed`), 'dead');
          return;
        }
        if (message.headers !== before) {
          before = message.headers;
          after = { ...before, [HEADERS.contentType]: mapper.contentType };
        }
        output.next(message.with(bytes, { headers: after }));
      },
    }),
    undefined,
    { atMostOne: true, stateless: true },
  );
}
