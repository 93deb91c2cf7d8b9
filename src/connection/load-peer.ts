import { SluiceError } from '../errors.js';
import { checkArgument, text } from './options.js';

/**
 * For `import('ws').catch(peerMissing('ws', '^8.21.1'))`: a client that is not installed becomes an instruction. The import
 * stays a literal, so that its types and bundlers find it; a module missing inside an installed client is passed on.
 *
 * @example
 * import { peerMissing } from 'sluice/connection';
 * const { WebSocket } = await import('ws').catch(peerMissing('ws', '^8.21.1'));
 * @throws SluiceError `PEER_MISSING`, with the package and the range to install
 */
export function peerMissing(peer: string, range: string): (error: unknown) => never {
  checkArgument('peerMissing', 'peer', peer, text);
  checkArgument('peerMissing', 'range', range, text);
  return (error) => {
    const { code, message = '' } = error as { code?: string; message?: string };
    // Node, Deno and Bun set a code; browsers and bundlers only say it.
    const absent =
      code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND' || /resolve|bare specifier/i.test(message);
    const named = ["'", '"', '\u201c'].some((quote) => message.includes(quote + peer));
    if (!absent || !named) throw error;
    throw new SluiceError('PEER_MISSING', `This needs the package ${peer}: npm install "${peer}@${range}"`, {
      details: { peer, range },
      cause: error,
    });
  };
}
