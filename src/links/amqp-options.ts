import { checkAll } from '../connection/check-all.js';
import { checkTls, type TlsOptions } from '../connection/check-tls.js';
import { LINK_RULES, type LinkOptions } from '../connection/define-link.js';
import {
  callable,
  checkOptions,
  configInvalid,
  either,
  flag,
  having,
  integer,
  required,
  text,
} from '../connection/options.js';
import { type AmqpTarget, amqpTarget } from './amqp-target.js';
import { type AmqpTopology, checkTopology } from './amqp-topology.js';

/**
 * How the broker is known and this side makes itself known, over `amqps://`.
 *
 * @see AmqpLinkOptions
 */
export type AmqpTls = TlsOptions;

/**
 * Options of {@link amqpLink}.
 *
 * @see AmqpTopology
 */
export interface AmqpLinkOptions extends LinkOptions {
  /** `amqp://user:password@host:port/vhost` or `amqps://…`. */
  readonly url: string;
  /** Default: that of the URL, or `guest`. */
  readonly username?: string;
  /**
   * Default: that of the URL, or `guest`. A function is asked before each connection, so that an expired token is replaced;
   * also where the broker refuses what it had allowed when the token was new.
   */
  readonly password?: string | (() => string | PromiseLike<string>);
  /** What has to exist; declared whenever a source or sink opens. Default: nothing is declared. */
  readonly topology?: AmqpTopology;
  /**
   * A function is asked before each connection, so that a certificate that was renewed is used by the next one. Default: the
   * certificates that Node trusts.
   */
  readonly tls?: AmqpTls | (() => AmqpTls | PromiseLike<AmqpTls>);
  /**
   * Sends user and password over `amqp://` to another machine, where whoever is on the way can read them. Default false; without a
   * login what travels so is reported as `connection.insecure`, once.
   */
  readonly dangerouslyAllowPlainText?: boolean;
  /** How the broker's list of connections shows it. Default `sluice`. */
  readonly name?: string;
  /**
   * How many connections sources share, and how many sinks do: each takes the next in turn. Default 1. More helps where one
   * socket is what limits, up to 1,000; a connection opens only once somebody uses it.
   */
  readonly connections?: number;
  /** Whole milliseconds from 1,000, told to the broker in seconds, rounded up. Default 5,000 ms. */
  readonly heartbeatMs?: number;
}

/** What the client has beside each other, in the URL or under another name. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ssl: 'tls',
  ca: 'tls',
  cert: 'tls',
  key: 'tls',
  pfx: 'tls',
  rejectUnauthorized: 'tls',
  host: 'url',
  hostname: 'url',
  port: 'url',
  vhost: 'url',
  protocol: 'url',
  user: 'username',
  exchanges: 'topology',
  queues: 'topology',
  bindings: 'topology',
  clientProperties: 'name',
  prefetch: 'belongs to amqpSource',
};

/** Checks the options of a link, and takes its URL apart. @internal */
export function checkAmqpLink(options: AmqpLinkOptions): AmqpTarget {
  let target: AmqpTarget | undefined;
  checkAll('amqpLink', [
    () =>
      checkOptions<AmqpLinkOptions>(
        'amqpLink',
        options,
        {
          ...LINK_RULES,
          url: required(text),
          username: text,
          password: either(text, callable),
          topology: having(),
          tls: either(having(), callable),
          dangerouslyAllowPlainText: flag,
          name: text,
          heartbeatMs: integer(1_000),
          connections: integer(1, 1_000),
        },
        ELSEWHERE,
      ),
    () => checkTls('amqpLink tls', options.tls),
    () => checkTopology(options.topology ?? {}),
    () => (target = amqpTarget(options)),
    () => {
      if (options.tls !== undefined && target?.protocol === 'amqp')
        throw configInvalid('amqpLink', [`'tls' needs a URL that begins with amqps:`]);
    },
  ]);
  return target as AmqpTarget;
}
