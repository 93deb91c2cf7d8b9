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
  numeric,
  oneOf,
  required,
  text,
} from '../connection/options.js';
import { plainTextFault } from '../connection/refuse-plain-text.js';
import { type MqttTarget, mqttTarget } from './mqtt-target.js';
import { textFault, topicFault } from './mqtt-topic.js';

/**
 * How the broker is known and this side makes itself known, over `mqtts://` and, in Node, `wss://`.
 *
 * @see MqttLinkOptions
 */
export type MqttTls = TlsOptions;

/**
 * What the broker publishes for a client that is gone without a goodbye.
 *
 * @see mqttLink
 */
export interface MqttWill {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  /** Default 1. */
  readonly qos?: 0 | 1;
  /** Default false. */
  readonly retain?: boolean;
  /** How long the broker waits for the client to come back; whole seconds, MQTT 5. Default 0. */
  readonly delayMs?: number;
  /** MQTT 5. */
  readonly contentType?: string;
}

/**
 * Options of {@link mqttLink}.
 *
 * @see MqttWill
 */
export interface MqttLinkOptions extends LinkOptions {
  /** `mqtt://user:password@host:port`, `mqtts://…`, or in browsers too `ws://host/path`, `wss://…`. */
  readonly url: string;
  /** Default `5`. 3.1.1 has no headers and gives no reasons. */
  readonly protocolVersion?: '5' | '3.1.1';
  /**
   * Names the sessions of the sources: what is sent while a source is away waits for it under this name. Nobody else may
   * have it. Default: each source gets a random one, and its subscription ends with its connection.
   */
  readonly clientId?: string;
  /** Default: that of the URL, or none. */
  readonly username?: string;
  /** A function is asked before each connection, so that an expired token is replaced. Default: that of the URL, or none. */
  readonly password?: string | (() => string | PromiseLike<string>);
  /**
   * A function is asked before each connection, so that a certificate that was renewed is used by the next one. Default: the
   * certificates that Node, or the browser, trusts.
   */
  readonly tls?: MqttTls | (() => MqttTls | PromiseLike<MqttTls>);
  /** Of the connection that sinks publish over; a source has one of its own. Default: none. */
  readonly will?: MqttWill;
  /**
   * MQTT 5: how many topics the broker may abbreviate towards a source, up to 65,535. Sinks then abbreviate as far as the
   * broker allows. Default 0, none.
   */
  readonly topicAliases?: number;
  /**
   * Lets credentials travel over `mqtt:` or `ws:` to another machine, where anybody on the way can read them. Default false;
   * without credentials what travels so is reported as `connection.insecure`, once.
   */
  readonly dangerouslyAllowPlainText?: boolean;
  /** A ping after so much silence: whole milliseconds from 500 to 32,000,000. Default 4,000 ms. */
  readonly heartbeatMs?: number;
}

/** What the client has beside each other, in the URL or under another name. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ssl: 'tls',
  ca: 'tls',
  cert: 'tls',
  key: 'tls',
  rejectUnauthorized: 'tls',
  host: 'url',
  hostname: 'url',
  port: 'url',
  protocol: 'url',
  path: 'url',
  protocolId: 'protocolVersion',
  keepalive: 'heartbeatMs',
  reconnectPeriod: 'reconnect',
  clean: `belongs to mqttSource, as 'cleanStart'`,
  qos: 'belongs to mqttSource and mqttSink',
};

/** Checks the options of a link, and takes its URL apart. @internal */
export function checkMqttLink(options: MqttLinkOptions): MqttTarget {
  let target: MqttTarget | undefined;
  checkAll('mqttLink', [
    () =>
      checkOptions<MqttLinkOptions>(
        'mqttLink',
        options,
        {
          ...LINK_RULES,
          url: required(text),
          protocolVersion: oneOf('5', '3.1.1'),
          clientId: utf8,
          username: utf8,
          password: either(text, callable),
          tls: either(having(), callable),
          will: having(),
          topicAliases: integer(0, 65_535),
          dangerouslyAllowPlainText: flag,
          heartbeatMs: integer(500, 32_000_000),
        },
        ELSEWHERE,
      ),
    () => (target = mqttTarget(options.url)),
    () => checkTls('mqttLink tls', options.tls),
    () => checkWill('mqttLink will', options.will, options.protocolVersion !== '3.1.1'),
    () => checkTogether(options, target),
  ]);
  return target as MqttTarget;
}

function checkTogether(
  { protocolVersion = '5', tls, topicAliases = 0, password, dangerouslyAllowPlainText }: MqttLinkOptions,
  target: MqttTarget | undefined,
): void {
  const faults: string[] = [];
  if (tls !== undefined && target?.isSecure === false) faults.push(`'tls' needs a URL that begins with mqtts: or wss:`);
  if (topicAliases > 0 && protocolVersion !== '5') faults.push(`'topicAliases' needs protocolVersion '5'`);
  if (target !== undefined) {
    const { isSecure, hostname } = target;
    const areSent = (password ?? target.password) !== undefined;
    const way = { areSent, isSecure, hosts: [hostname], dangerouslyAllowPlainText };
    const inTheClear = plainTextFault(way, 'url', 'mqtts: or wss:');
    if (inTheClear !== undefined) faults.push(inTheClear);
  }
  if (faults.length > 0) throw configInvalid('mqttLink', faults);
}

/** Checks a will, where there is one. @internal */
export function checkWill(owner: string, will: MqttWill | undefined, isFive: boolean): void {
  if (will === undefined) return;
  checkOptions<MqttWill>(owner, will, {
    topic: required(either(topic)),
    payload: required((value) =>
      typeof value === 'string' || value instanceof Uint8Array ? undefined : 'expected a text or bytes',
    ),
    qos: qos,
    retain: flag,
    delayMs: numeric(0),
    contentType: utf8,
  });
  if (!isFive && (will.delayMs !== undefined || will.contentType !== undefined))
    throw configInvalid(owner, [`'delayMs' and 'contentType' need protocolVersion '5'`]);
}

/** QoS 2 is named, so that nobody has to guess why it is refused. @internal */
export function qos(value: unknown): string | undefined {
  if (value === 0 || value === 1) return undefined;
  return value === 2
    ? 'expected 0 or 1: QoS 2 needs a store of packet identifiers that outlives the process, which the client does not have; with 1 and an id to tell copies apart nothing is lost'
    : 'expected 0 or 1';
}

/** A topic that may be published to. @internal */
export function topic(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'expected a topic';
  const fault = topicFault(value);
  return fault === undefined ? undefined : `expected a topic, but ${fault}`;
}

function utf8(value: unknown): string | undefined {
  const fault = typeof value === 'string' && value !== '' ? textFault(value) : 'it is no text, or empty';
  return fault === undefined ? undefined : `expected a text that MQTT can carry, but ${fault}`;
}
