import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SluiceError, type Mapper } from 'sluice';

const CIPHER = 'aes-256-gcm';
/** A shorter one would be easier to guess, and is taken unless this is said. */
const TAG = { authTagLength: 16 };

/**
 * Another mapper whose bytes are encrypted with the key `current`. Its name stands in front of them, so that what was written
 * with an older key can be read for as long as that one is in `keys`.
 */
export function encrypted<T>(inner: Mapper<T>, keys: ReadonlyMap<string, Uint8Array>, current: string): Mapper<T> {
  const keyOf = (name: string): Uint8Array => {
    const key = keys.get(name);
    if (key === undefined) throw new SluiceError('DECODE_FAILED', `there is no key '${name}'`);
    return key;
  };
  return {
    name: `encrypted ${inner.name}`,
    contentType: 'application/octet-stream',
    encode(value) {
      const name = Buffer.from(current);
      const nonce = randomBytes(12);
      const cipher = createCipheriv(CIPHER, keyOf(current), nonce, TAG).setAAD(name);
      const sealed = Buffer.concat([cipher.update(inner.encode(value)), cipher.final()]);
      return Buffer.concat([Uint8Array.of(name.length), name, nonce, cipher.getAuthTag(), sealed]);
    },
    decode(bytes) {
      const from = 1 + (bytes[0] ?? 0);
      const name = Buffer.from(bytes.subarray(1, from));
      const decipher = createDecipheriv(CIPHER, keyOf(name.toString()), bytes.subarray(from, from + 12), TAG);
      decipher.setAAD(name).setAuthTag(bytes.subarray(from + 12, from + 28));
      return inner.decode(Buffer.concat([decipher.update(bytes.subarray(from + 28)), decipher.final()]));
    },
  };
}
