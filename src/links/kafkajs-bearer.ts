import { Buffer } from 'node:buffer';
import type { Authenticator, AuthenticationProviderArgs } from 'kafkajs';
import { SluiceError } from '../errors.js';

const LENGTH_BYTES = 4;
/** What is sent in a round of a login: bytes with their length in front, as the client gives and takes them. */
const round = (text: string): { encode(): Buffer } => ({
  encode() {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  },
});
const ANSWER = { decode: (bytes: Buffer) => bytes, parse: (bytes: Buffer) => bytes.toString('utf8', LENGTH_BYTES) };

/**
 * A login with a token. The client's own takes a token that is refused for one that is good, as it does not read the answer:
 * the first request would fail for a reason that says nothing of it.
 *
 * Source: RFC 7628, 3.1 (the client's message) and 3.2.2 (a refusal is an answer, and ends when the client has said that it saw it).
 *
 * @internal
 */
export function bearerLogin(
  token: () => string | PromiseLike<string>,
): (args: AuthenticationProviderArgs) => Authenticator {
  return ({ saslAuthenticate }) => ({
    async authenticate() {
      const request = round(`n,,\u0001auth=Bearer ${await token()}\u0001\u0001`);
      const answer = await saslAuthenticate({ request, response: ANSWER });
      if (answer === undefined || answer === '') return;
      // What the broker says to that is that there is no login, which is known.
      await saslAuthenticate({ request: round('\u0001') }).catch(() => undefined);
      const status = /"status"\s*:\s*"([\w-]{1,64})"/.exec(answer)?.[1] ?? 'it does not say why';
      throw new SluiceError('AUTH_FAILED', `kafka: the broker refused the token: ${status}.`);
    },
  });
}
