import { isSluiceError, type ErrorCode, type SluiceError } from 'sluice';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, a byte-order mark included. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** The SluiceError that `work` throws; anything else it throws, and that it does not throw, fails the test. */
export function refusal(work: () => unknown): SluiceError {
  try {
    work();
  } catch (error) {
    if (isSluiceError(error)) return error;
    throw error;
  }
  throw new Error('expected a SluiceError, but nothing was thrown');
}

/** The code that `work` refuses with, or `undefined` when it does not refuse. */
export function codeOf(work: () => unknown): ErrorCode | undefined {
  try {
    work();
  } catch (error) {
    if (isSluiceError(error)) return error.code;
    throw error;
  }
  return undefined;
}

/** The bytes in pieces of the given sizes, which repeat until all is cut. */
export function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    pieces.push(bytes.slice(at, at + size));
    at += size;
  }
  return pieces;
}
