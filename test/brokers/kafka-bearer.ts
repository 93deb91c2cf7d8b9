import type { KafkaSettings } from './kafka-settings.js';

const named = (text: string): string => `listener.name.bearer.${text}`;

/**
 * The settings of a listener named `BEARER`, which takes tokens that nobody has signed, as Kafka does where it is not told who signs
 * them. It ends connections whose token is over and that did not log in anew.
 */
export const BEARER: KafkaSettings = {
  [named('sasl.enabled.mechanisms')]: 'OAUTHBEARER',
  [named('oauthbearer.sasl.jaas.config')]:
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
  [named('oauthbearer.connections.max.reauth.ms')]: 3_600_000,
};

/** A token that is good for so long. */
export function bearerToken(forMs: number): string {
  const part = (claims: object): string => Buffer.from(JSON.stringify(claims)).toString('base64url');
  const nowS = Date.now() / 1_000;
  return `${part({ alg: 'none' })}.${part({ sub: 'reader', iat: nowS, exp: nowS + forMs / 1_000 })}.`;
}
