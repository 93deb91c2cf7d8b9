import { refusePlainText } from '../connection/refuse-plain-text.js';
import { configInvalid } from '../options.js';
import type { AmqpLinkOptions } from './amqp-options.js';

/** What says where to connect to, and as whom. */
type AmqpAddress = Pick<AmqpLinkOptions, 'url' | 'username' | 'password' | 'heartbeatMs' | 'dangerouslyAllowPlainText'>;

/** What the client is to connect to, as it wants it. @internal */
export interface AmqpTarget {
  readonly protocol: 'amqp' | 'amqps';
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  /** In seconds. */
  readonly heartbeat: number;
}

/**
 * Takes the URL of a broker apart. What is wrong with it is told without it: it holds a password. One that is given by a
 * function is not in what comes out.
 *
 * Source: RabbitMQ URI specification; an empty path is the virtual host `/` here.
 *
 * @internal
 */
export function amqpTarget(options: AmqpAddress): AmqpTarget {
  const { url, username, password, heartbeatMs = 5_000, dangerouslyAllowPlainText } = options;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^amqps?:$/.test(parsed.protocol) || parsed.hostname === '')
    throw configInvalid('amqpLink', [
      `'url': expected amqp://host or amqps://host, special characters of a login as %…`,
    ]);
  if (parsed.search + parsed.hash !== '')
    throw configInvalid('amqpLink', [
      `'url': expected nothing behind a ? or #: what stands there is an option, as heartbeatMs or tls; special characters of a login as %…`,
    ]);
  // What is taken for the host may be the first half of a login then.
  if (parsed.pathname.includes('@'))
    throw configInvalid('amqpLink', [
      `'url': expected no @ behind the host: special characters of a login, and an @ of the virtual host, as %…`,
    ]);
  const isSecure = parsed.protocol === 'amqps:';
  // Without a login there is no secret: the broker knows «guest» by default, and from its own machine only.
  const areSent = [username, password].some((given) => given !== undefined) || parsed.username + parsed.password !== '';
  const way = { areSent, isSecure, hosts: [parsed.hostname], dangerouslyAllowPlainText };
  refusePlainText('amqpLink', way, 'url', 'amqps:');
  return {
    protocol: isSecure ? 'amqps' : 'amqp',
    hostname: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? (isSecure ? 5671 : 5672) : Number(parsed.port),
    username: username ?? (decoded(parsed.username) || 'guest'),
    password: typeof password === 'string' ? password : decoded(parsed.password) || 'guest',
    vhost: decoded(parsed.pathname.slice(1)) || '/',
    heartbeat: Math.ceil(heartbeatMs / 1_000),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw configInvalid('amqpLink', [`'url': expected user, password and virtual host with % written as %25`]);
  }
}
