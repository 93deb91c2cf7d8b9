import type { TlsOptions } from '../connection/check-tls.js';
import { anything, callable, checkArgument, checkOptions, oneOf, required, text } from '../options.js';

/**
 * How the brokers are known and this side makes itself known.
 *
 * @see KafkaLinkOptions
 */
export type KafkaTls = TlsOptions;

/**
 * The login: a user and a password, or a token. What is given as a function is asked for whenever a connection opens, so
 * that an expired one is replaced.
 *
 * @see KafkaLinkOptions
 */
export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string | (() => string | PromiseLike<string>);
    }
  | { readonly mechanism: 'oauthbearer'; readonly token: () => string | PromiseLike<string> };

const MECHANISM = oneOf('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer');

/** Throws CONFIG_INVALID for what is no login; never with a secret in it. @internal */
export function checkSasl(sasl: KafkaSasl | undefined): void {
  if (sasl === undefined) return;
  const { mechanism } = sasl as Partial<KafkaSasl>;
  checkArgument('kafkaLink sasl', 'mechanism', mechanism, MECHANISM);
  if (mechanism === 'oauthbearer')
    checkOptions('kafkaLink sasl', sasl as { mechanism: string; token: unknown }, {
      mechanism: anything,
      token: required(callable),
    });
  else
    checkOptions('kafkaLink sasl', sasl as { mechanism: string; username: unknown; password: unknown }, {
      mechanism: anything,
      username: required(text),
      // Not shown when it is none: it is a secret.
      password: required((value) =>
        typeof value === 'string' || typeof value === 'function'
          ? undefined
          : 'expected a text, or a function that gives one',
      ),
    });
}
