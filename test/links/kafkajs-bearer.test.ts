import type { AuthenticationProviderArgs } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { bearerLogin } from '../../src/links/kafkajs-bearer.js';

/** Bytes with their length in front, as the client hands over what a broker has answered. */
const answerOf = (text: string): Buffer => Buffer.from(`\0\0\0${String.fromCharCode(text.length)}${text}`);

/** Logs in at a broker that answers so; gives what was said to it. */
async function logIn(token: () => string, ...answers: readonly (string | Error)[]): Promise<string[]> {
  const said: string[] = [];
  const saslAuthenticate = (async ({ request, response }) => {
    const bytes = await request.encode();
    expect(bytes.readInt32BE(0)).toBe(bytes.length - 4);
    const answer = answers[said.push(bytes.toString('utf8', 4)) - 1] ?? '';
    if (answer instanceof Error) throw answer;
    return response?.parse(await response.decode(answerOf(answer)));
  }) as AuthenticationProviderArgs['saslAuthenticate'];
  await bearerLogin(token)({ saslAuthenticate } as AuthenticationProviderArgs).authenticate();
  return said;
}

describe('a login by token', () => {
  it('says the token, and is over with an empty answer', async () => {
    expect(await logIn(() => 'abc')).toEqual(['n,,\u0001auth=Bearer abc\u0001\u0001']);
  });

  it('is AUTH_FAILED with an answer that is a refusal, by its reason and without the token', async () => {
    const refusal = '{"status":"invalid_token","openid-configuration":"x"}';
    const refused = logIn(() => 'secret-abc', refusal, new Error('SASL_AUTHENTICATION_FAILED'));
    await expect(refused).rejects.toMatchObject({
      code: 'AUTH_FAILED',
      retriable: false,
      message: 'kafka: the broker refused the token: invalid_token.',
    });
    await expect(logIn(() => 'abc', 'secret')).rejects.toThrow('it does not say why');
  });

  it('fails as the token does where there is none', async () => {
    const none = logIn(() => {
      throw new Error('none just now');
    });
    await expect(none).rejects.toThrow('none just now');
  });
});
