import { describe, expect, it } from 'vitest';
import type { AuthenticationProviderArgs } from 'kafkajs';
import { passwordLogin } from '../../src/links/kafkajs-password.js';

/** A login with PLAIN, which gives what was sent. */
function loginWith(password: () => unknown): () => Promise<string> {
  const login = passwordLogin({ mechanism: 'plain', username: 'u', password: password as () => string });
  return async () => {
    let bytes = '';
    const saslAuthenticate = async ({ request }: { request: { encode(): Buffer | PromiseLike<Buffer> } }) => {
      bytes = (await request.encode()).toString();
    };
    const logger = { debug: () => undefined, error: () => undefined };
    const args = { host: 'h', port: 1, logger, saslAuthenticate } as unknown as AuthenticationProviderArgs;
    await login(args).authenticate();
    return bytes;
  };
}

describe('a login of kafkajs with a password that is asked for', () => {
  it('asks anew each time (REC-11)', async () => {
    let asked = 0;
    const login = loginWith(async () => `p${(asked += 1)}`);
    expect([await login(), await login()]).toEqual([
      expect.stringContaining('\0u\0p1') as string,
      expect.stringContaining('\0u\0p2') as string,
    ]);
  });

  it('is refused for good where the function gives no text, and tried again where it throws', async () => {
    await expect(loginWith(() => 7)()).rejects.toMatchObject({ code: 'CONFIG_INVALID', retriable: false });
    const failing = loginWith(() => {
      throw new Error('The vault is sealed.');
    });
    await expect(failing()).rejects.toThrow('The vault is sealed.');
  });
});
