import { checkArgument, numeric } from '../options.js';

/**
 * Numbers from 0 to just below 1 that are the same for the same seed: a failing run is repeated by its seed.
 *
 * @example
 * import { seededRandom } from 'sluice/testing';
 * const random = seededRandom(7);
 * random(); // the same number each time the program runs
 * @param seed any whole number; only its low 32 bits count
 * @throws SluiceError `CONFIG_INVALID` for what is no number
 */
export function seededRandom(seed: number): () => number {
  checkArgument('seededRandom', 'seed', seed, numeric(-Infinity));
  let state = seed >>> 0;
  // A 32-bit counter through a mixing function: every seed, also 0, gives a full period of 2^32.
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
