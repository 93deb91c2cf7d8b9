import { askedTls } from '../connection/asked-tls.js';
import { checkAll } from '../connection/check-all.js';
import { checkTls, type TlsOptions } from '../connection/check-tls.js';
import { LINK_RULES, type LinkOptions } from '../connection/define-link.js';
import {
  callable,
  called,
  checkOptions,
  configInvalid,
  either,
  flag,
  having,
  integer,
  numeric,
  type OptionRule,
  required,
  text,
} from '../connection/options.js';
import { plainTextFault } from '../connection/refuse-plain-text.js';
import type { PlatformWebSocket, WsWebSocket } from './websocket-client.js';
import type { WebSocketData } from './websocket-wire.js';

/** A link of this connector. @internal */
export const WEBSOCKET_LINK: OptionRule = called('a link made with webSocketLink', 'use', 'limits', 'channels');

/**
 * How the peer is known and this side makes itself known, over `wss://` in Node.
 *
 * @see webSocketLink
 */
export interface WebSocketTls extends TlsOptions {
  /** Accepts any certificate: whoever stands in between reads and changes everything. Default false; reported as `connection.insecure`. */
  readonly dangerouslySkipVerify?: boolean;
}

/**
 * Options of {@link webSocketLink} that work in browsers and in Node.
 *
 * @see webSocketLink
 */
export interface WebSocketLinkOptions extends LinkOptions {
  /** `ws:` or `wss:`. A function is asked before each try, for a ticket that works once. */
  readonly url: string | (() => string | PromiseLike<string>);
  /** Subprotocols to offer, the preferred one first. Default none. */
  readonly protocols?: readonly string[];
  /** A class like the browser's `WebSocket`. Default: `ws` in Node where it is installed, else the global one. */
  readonly client?: PlatformWebSocket;
  /** The topic of what is read. Default: the path of the URL. */
  readonly topic?: string;
  /** Largest message, in and out. Default 1 MiB. */
  readonly maxBytes?: number;
  /** How much may wait, read ahead of the credit and written ahead of the network, each. Default 1 MiB. */
  readonly maxBufferedBytes?: number;
  /** How long a close may take before the socket is cut. Default 2,000 ms. */
  readonly closeTimeoutMs?: number;
  /** How often a silent peer is asked for a sign of life, 10 ms or more; two misses lose the link. Default 5,000 ms. */
  readonly heartbeatMs?: number;
  /** A frame that asks the server for any answer, where the client cannot send pings: in browsers. Default none. */
  readonly ping?: () => WebSocketData;
}

/**
 * Options of {@link webSocketLink} that need the package `ws`, and so Node.
 *
 * @see webSocketLink
 */
export interface NodeWebSocketLinkOptions extends Omit<WebSocketLinkOptions, 'client'> {
  /** Says that this runs in Node with the package `ws`, or gives its class. Reading can then be held off. */
  readonly client: 'ws' | WsWebSocket;
  /** Headers of the upgrade. A function is asked before each try, so that an expired token is replaced. Default: none. */
  readonly headers?:
    | Readonly<Record<string, string>>
    | (() => Readonly<Record<string, string>> | PromiseLike<Readonly<Record<string, string>>>);
  /**
   * A function is asked before each try, so that a certificate that was renewed is used by the next one. Default: the
   * certificates that Node trusts.
   */
  readonly tls?: WebSocketTls | (() => WebSocketTls | PromiseLike<WebSocketTls>);
  /**
   * Lets credentials travel over `ws:` to another machine, where anybody on the way can read them. Default false; without
   * credentials what travels so is reported as `connection.insecure`, once.
   */
  readonly dangerouslyAllowPlainText?: boolean;
}

/** The options of either kind, checked. */
export type LinkSettings = Partial<Omit<NodeWebSocketLinkOptions, 'client' | 'url'>> & {
  readonly url: WebSocketLinkOptions['url'];
  readonly client?: 'ws' | WsWebSocket | PlatformWebSocket;
};

/** True for the package `ws`, or a class like its own. @internal */
export const isPausing = (client: 'ws' | WsWebSocket | PlatformWebSocket): boolean =>
  client === 'ws' || typeof (client.prototype as { pause?: unknown } | undefined)?.pause === 'function';

/** Source: RFC 6455, 4.1: a subprotocol is a token of HTTP. */
const isToken = (value: unknown): boolean => typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value);

/** What the package `ws`, and clients that reconnect, call it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  maxPayload: 'maxBytes',
  handshakeTimeout: 'connectTimeoutMs',
  reconnectInterval: 'reconnect',
  maxReconnectionDelay: 'reconnect',
  ssl: 'tls',
  ca: 'tls',
  cert: 'tls',
  key: 'tls',
  rejectUnauthorized: 'tls',
  WebSocket: 'client',
  origin: 'write it into headers',
  auth: 'write it into headers, as authorization',
  perMessageDeflate: 'nothing is compressed',
};

const OWN_TLS = { servername: text, dangerouslySkipVerify: flag };

/** What TLS is done with in one try. @internal */
export function tlsOf({ tls }: LinkSettings): Promise<WebSocketTls | undefined> {
  return askedTls('webSocketLink tls', tls, OWN_TLS);
}

/** Checks and types the options. @internal */
export function checkLinkOptions(options: WebSocketLinkOptions | NodeWebSocketLinkOptions): LinkSettings {
  const settings: LinkSettings = options;
  checkAll('webSocketLink', [
    () =>
      checkOptions<LinkSettings>(
        'webSocketLink',
        settings,
        {
          ...LINK_RULES,
          url: required(either(text, callable)),
          protocols: (value) =>
            Array.isArray(value) && value.every(isToken) && new Set(value).size === value.length
              ? undefined
              : 'expected an array of names, each once',
          client: (value) =>
            value === 'ws' || typeof value === 'function' ? undefined : `expected 'ws', or a class like WebSocket`,
          topic: text,
          maxBytes: integer(1),
          maxBufferedBytes: integer(1),
          closeTimeoutMs: numeric(0),
          ping: callable,
          headers: either(having(), callable),
          tls: either(having(), callable),
          dangerouslyAllowPlainText: flag,
          heartbeatMs: numeric(10),
        },
        ELSEWHERE,
      ),
    () => checkTls('webSocketLink tls', settings.tls, OWN_TLS),
    () => checkTogether(settings),
  ]);
  return settings;
}

function checkTogether(settings: LinkSettings): void {
  const faults: string[] = [];
  if (typeof settings.url === 'string') {
    const { headers, dangerouslyAllowPlainText } = settings;
    // What a function gives is looked at before each try.
    const known = typeof headers === 'function' ? undefined : headers;
    const wrong =
      urlFault(settings.url) ?? headersFault(known) ?? credentialsFault(settings.url, known, dangerouslyAllowPlainText);
    if (wrong !== undefined) faults.push(wrong);
    else if (settings.tls !== undefined && /^ws:/i.test(settings.url))
      faults.push(`'tls' needs a URL that begins with wss:`);
  }
  const forWs = [settings.headers, settings.tls].some((option) => option !== undefined);
  if (forWs && (settings.client === undefined || !isPausing(settings.client))) {
    faults.push(`'headers' and 'tls' need client: 'ws': no browser offers them`);
  }
  if (faults.length > 0) throw configInvalid('webSocketLink', faults);
}

/** What keeps a text from being the URL of a WebSocket. It may hold a token, so nothing of it is shown. */
function urlFault(url: unknown): string | undefined {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  return (parsed?.protocol === 'ws:' || parsed?.protocol === 'wss:') && parsed.hash === ''
    ? undefined
    : `'url': expected a URL that begins with ws: or wss: and has no #fragment`;
}

/** What keeps headers from being sent. Nothing of a value is shown. Source: RFC 9110, 5.1 and 5.5. */
function headersFault(headers: unknown = {}): string | undefined {
  // One of fetch's own class, a Map or a text would be sent as none at all, or letter by letter.
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers)
    return `'headers': expected an object with a text for each name`;
  for (const [name, value] of Object.entries(headers)) {
    if (!isToken(name)) return `'headers': expected names of HTTP headers`;
    if (typeof value !== 'string' || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      return `'headers': expected texts that HTTP can carry, without a line break; that of '${name.slice(0, 32)}' is none`;
  }
  return undefined;
}

/**
 * Checks what the functions `url` and `headers` gave for one try.
 *
 * @throws SluiceError `CONFIG_INVALID`, which ends the link: the next try would get no better ones
 * @internal
 */
export function checkTry(
  url: string,
  headers: Readonly<Record<string, string>> | undefined,
  allowPlainText: boolean | undefined,
): void {
  const wrong = urlFault(url) ?? headersFault(headers) ?? credentialsFault(url, headers, allowPlainText);
  if (wrong !== undefined) throw configInvalid('webSocketLink', [wrong]);
}

/** The options that the package `ws` gets. @internal */
export function wsOptions(
  settings: LinkSettings,
  headers: Readonly<Record<string, string>> | undefined,
  { dangerouslySkipVerify = false, ...tls }: WebSocketTls,
  maxPayload: number,
): Record<string, unknown> {
  return {
    ...tls,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: !dangerouslySkipVerify,
    headers: { ...headers },
    maxPayload,
    perMessageDeflate: false,
    // The wire answers.
    autoPong: false,
    followRedirects: false,
    handshakeTimeout: settings.connectTimeoutMs ?? 10_000,
  };
}

const CREDENTIALS = /^(authorization|cookie|proxy-authorization|x-api-key)$/i;

function credentialsFault(
  url: string,
  headers: Readonly<Record<string, string>> | undefined,
  dangerouslyAllowPlainText: boolean | undefined,
): string | undefined {
  const { protocol, hostname, username, password } = new URL(url);
  const areSent =
    username !== '' || password !== '' || Object.keys(headers ?? {}).some((name) => CREDENTIALS.test(name));
  const way = { areSent, isSecure: protocol === 'wss:', hosts: [hostname], dangerouslyAllowPlainText };
  return plainTextFault(way, 'url', 'wss:');
}
