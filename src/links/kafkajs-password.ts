import type { AuthenticationProviderArgs, Authenticator } from 'kafkajs';
import { askedText } from '../connection/asked-text.js';
import type { KafkaSasl } from './kafka-security.js';

type PasswordSasl = Exclude<KafkaSasl, { mechanism: 'oauthbearer' }>;

/** What makes a login of the client, for one user. */
type Login = (sasl: {
  readonly username: string;
  readonly password: string | undefined;
}) => (args: AuthenticationProviderArgs) => Authenticator;

/** The client's own logins: it exports them in no other way, and has no types for them. */
const LOGINS: Readonly<Record<PasswordSasl['mechanism'], () => Promise<{ readonly default: Login }>>> = {
  // @ts-expect-error without types
  plain: () => import('kafkajs/src/broker/saslAuthenticator/plain.js'),
  // @ts-expect-error without types
  'scram-sha-256': () => import('kafkajs/src/broker/saslAuthenticator/scram256.js'),
  // @ts-expect-error without types
  'scram-sha-512': () => import('kafkajs/src/broker/saslAuthenticator/scram512.js'),
};

/**
 * A login with a password that is asked for each time. The client takes one that stays as it is for as long as it lives, and
 * connects anew with that whenever a broker comes back or another one leads.
 *
 * @internal
 */
export function passwordLogin({
  mechanism,
  username,
  password,
}: PasswordSasl): (args: AuthenticationProviderArgs) => Authenticator {
  return (args) => ({
    async authenticate() {
      const asked = await askedText('kafkaLink sasl', 'password', password);
      const { default: login } = await LOGINS[mechanism]();
      await login({ username, password: asked })(args).authenticate();
    },
  });
}
