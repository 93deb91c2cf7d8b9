import type { IncomingMessage } from 'node:http';
import type { PeerCertificate, TLSSocket } from 'node:tls';

/**
 * Who asks for a connection, as {@link WebSocketServerOptions.authenticate} sees it.
 *
 * @see webSocketServer
 */
export interface WebSocketRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  /** By lower-case name; repeated ones are joined. */
  readonly headers: Readonly<Record<string, string>>;
  /** The subprotocols the client offers. */
  readonly protocols: readonly string[];
  /** Set by browsers, and only by them to be trusted: it says which page opened the connection. */
  readonly origin: string | undefined;
  readonly address: string;
  readonly isEncrypted: boolean;
  /** The subject alternative names of a client certificate that was verified. */
  readonly certificate: string | undefined;
}

/** What of an upgrade the server's user may look at. @internal */
export function requestOf(message: IncomingMessage): WebSocketRequest {
  const { url: target = '/' } = message;
  // In front of a path and not as its base: that would take what follows two slashes for a host, and the rest for the path.
  const url = new URL(target.startsWith('/') ? `ws://localhost${target}` : target);
  const headers = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  const socket = message.socket as Partial<TLSSocket> & { readonly remoteAddress?: string };
  return {
    path: url.pathname,
    query: url.searchParams,
    headers,
    protocols: (headers['sec-websocket-protocol'] ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
    origin: headers['origin'],
    address: socket.remoteAddress ?? '',
    isEncrypted: socket.encrypted === true,
    certificate: certificateOf(socket)?.subjectaltname,
  };
}

/**
 * The certificate of a client that was verified. That alone is asked for, not `authorized`: Node says that too of a client that showed
 * none and resumed a session of TLS 1.3.
 *
 * @internal
 */
export function certificateOf(socket: Partial<TLSSocket>): Partial<PeerCertificate> | undefined {
  if (socket.authorized !== true) return undefined;
  // Null once the socket is destroyed, and empty where nothing was shown.
  const shown = socket.getPeerCertificate?.() as Partial<PeerCertificate> | null | undefined;
  return shown?.raw === undefined ? undefined : shown;
}

/**
 * Whether a page of this origin may connect. Without an origin it is no page: a program decides for itself what it sends,
 * so only its credentials can keep it out.
 *
 * @internal
 */
export function isOriginAllowed(origin: string | undefined, allowed: readonly string[]): boolean {
  return origin === undefined || allowed.includes('*') || allowed.includes(origin);
}
