import { askedTls } from '../connection/asked-tls.js';
import { checkAll } from '../connection/check-all.js';
import { checkTls } from '../connection/check-tls.js';
import { defineLink, LINK_RULES, type Link, type LinkOptions } from '../connection/define-link.js';
import { insecureWarning } from '../connection/insecure-warning.js';
import { type CredentialsOnTheWay, refusePlainText } from '../connection/refuse-plain-text.js';
import { SluiceError } from '../errors.js';
import { callable, checkOptions, either, flag, having, integer, oneOf, required, text } from '../options.js';
import type { KafkaClient, KafkaCluster, KafkaDriver } from './kafka-driver.js';
import { kafkaError, kafkaErrorType } from './kafka-errors.js';
import { checkSasl, type KafkaSasl, type KafkaTls } from './kafka-security.js';
import { kafkaJsDriver } from './kafkajs-driver.js';
import { platformaticDriver } from './platformatic-driver.js';

export type { KafkaSasl, KafkaTls } from './kafka-security.js';

/**
 * Options of {@link kafkaLink}.
 *
 * @see kafkaLink
 */
export interface KafkaLinkOptions extends LinkOptions {
  /** `host:port` of some brokers; the others are found over them. */
  readonly brokers: readonly string[];
  /** The package that speaks to them, which has to be installed. Default `kafkajs`. */
  readonly driver?: KafkaDriverName;
  /** How the brokers' logs and quotas name it. Default `sluice`. */
  readonly clientId?: string;
  /**
   * TLS, with the roots of Node or as the object says. A function is asked before connections are opened, so that a certificate that
   * was renewed is used by the next ones. Default false.
   */
  readonly tls?: boolean | KafkaTls | (() => KafkaTls | PromiseLike<KafkaTls>);
  /** Default: no login. */
  readonly sasl?: KafkaSasl;
  /**
   * Logs in without `tls` on other machines, where whoever is on the way can listen. Default false; without a login what travels
   * so is reported as `connection.insecure`, once.
   */
  readonly dangerouslyAllowPlainText?: boolean;
  /** Longest a request may take; then the peer counts as lost. 1,000 to 10,000 ms, default 8,000 ms. */
  readonly requestTimeoutMs?: number;
  /** Topics come into being when they are first used, where the cluster allows it. Default false. */
  readonly autoCreateTopics?: boolean;
}

/**
 * What {@link kafkaLink} can work with: `@platformatic/kafka` is 1.35 on Node 20, 2 above, for Kafka 3.0 and later.
 *
 * @see KafkaLinkOptions
 */
export type KafkaDriverName = 'kafkajs' | '@platformatic/kafka';

/**
 * One cluster, for sources and sinks.
 *
 * @see kafkaLink
 */
export type KafkaLink = Link<KafkaClient>;

/** What the clients call it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ssl: 'tls',
  bootstrapServers: 'brokers',
  bootstrapBrokers: 'brokers',
  retry: 'reconnect',
  retries: 'reconnect',
  allowAutoTopicCreation: 'autoCreateTopics',
  groupId: `belongs to kafkaSource, as 'group'`,
  acks: 'belongs to kafkaSink',
};

/** By their names. @internal */
export const DRIVERS: Readonly<Record<KafkaDriverName, KafkaDriver>> = {
  kafkajs: kafkaJsDriver,
  '@platformatic/kafka': platformaticDriver,
};
const HOST_AND_PORT = /^[^\s/:@]+:\d{1,5}$|^\[[\da-f:.]+\]:\d{1,5}$/i;

/**
 * A connection to a Kafka cluster, which opens with its first user, closes with its last and comes back by itself. Over it
 * the cluster is asked about topics and offsets; every source and sink has a client of its own beside it.
 *
 * A dead peer is found within 15 s, by `heartbeatMs` or by `requestTimeoutMs`. A refused login, a certificate that is not
 * trusted and a missing permission end the link and reach the flow's `error`; everything else is tried again and seen on
 * `status$`. No password is in any error.
 *
 * @example
 * import { kafkaLink, kafkaSource } from 'sluice/kafka';
 * const link = kafkaLink({ brokers: ['localhost:9092'] });
 * kafkaSource(link, { topics: ['orders'], group: 'billing' }).subscribe((message) => message.ack());
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * Errors: `AUTH_FAILED` for a login, a permission or a certificate, `PEER_MISSING` where the driver is not installed, with
 * what to type.
 * Source: Apache Kafka protocol guide.
 * @see kafkaSource
 * @see kafkaSink
 */
export function kafkaLink(options: KafkaLinkOptions): KafkaLink {
  checkAll('kafkaLink', [
    () =>
      checkOptions<KafkaLinkOptions>(
        'kafkaLink',
        options,
        {
          ...LINK_RULES,
          brokers: required(brokerList),
          driver: oneOf(...Object.keys(DRIVERS)),
          clientId: text,
          tls: either(flag, having(), callable),
          sasl: having('mechanism'),
          dangerouslyAllowPlainText: flag,
          requestTimeoutMs: integer(1_000, 10_000),
          autoCreateTopics: flag,
        },
        ELSEWHERE,
      ),
    () => checkTls('kafkaLink tls', typeof options.tls === 'boolean' ? undefined : options.tls),
    () => checkSasl(options.sasl),
    () => refusePlainText('kafkaLink', wayOf(options), 'sasl', 'tls'),
  ]);
  return linkTo(DRIVERS[options.driver ?? 'kafkajs'], options);
}

/** The same over any driver. @internal */
export function linkTo(driver: KafkaDriver, options: KafkaLinkOptions): KafkaLink {
  const { brokers, clientId = 'sluice', tls, sasl, requestTimeoutMs = 8_000, connectTimeoutMs = 10_000 } = options;
  const warn = insecureWarning('kafka');
  return defineLink<KafkaClient>(
    {
      connector: 'kafka',
      async connect(context) {
        warn(wayOf(options));
        const cluster: KafkaCluster = {
          brokers,
          clientId,
          tls: () => askedTls('kafkaLink tls', tls === true ? {} : tls === false ? undefined : tls),
          sasl,
          connectTimeoutMs,
          requestTimeoutMs,
          autoCreateTopics: options.autoCreateTopics ?? false,
          clock: context.clock,
        };
        const events = {
          lost: (error: unknown) => context.lost(kafkaError(error, 'kafka connection lost')),
          alive: () => context.alive(),
        };
        try {
          return await driver.connect(cluster, events);
        } catch (error) {
          throw connectFailed(error);
        }
      },
      disconnect: (client) => client.close(),
      ping: (client) => client.ping(),
    },
    options,
  );
}

function wayOf({ brokers, tls = false, sasl, dangerouslyAllowPlainText }: KafkaLinkOptions): CredentialsOnTheWay {
  const hosts = brokers.map((broker) => broker.replace(/:\d+$/, ''));
  return { areSent: sasl !== undefined, isSecure: tls !== false, hosts, dangerouslyAllowPlainText };
}

function brokerList(value: unknown): string | undefined {
  const expected = 'expected an array of host:port';
  if (!Array.isArray(value) || value.length === 0) return expected;
  // The position instead of the entry: it may be an address with a password.
  const wrong = value.findIndex((one) => typeof one !== 'string' || !HOST_AND_PORT.test(one));
  return wrong < 0 ? undefined : `${expected}, without a scheme; brokers[${wrong}] is none`;
}

/** Later the same answer only means that a client has logged in anew too soon; with the first login nobody listens for one. */
function connectFailed(error: unknown): SluiceError {
  if (kafkaErrorType(error) !== 'ILLEGAL_SASL_STATE')
    return kafkaError(error, 'kafka could not connect', 'CONNECT_FAILED');
  const text =
    "kafka could not connect: the brokers take no login at this port; leave out 'sasl' or name another port.";
  return new SluiceError('AUTH_FAILED', text, { cause: error, details: { type: 'ILLEGAL_SASL_STATE' } });
}
