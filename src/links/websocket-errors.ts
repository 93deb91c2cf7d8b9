import { trustCure } from '../connection/trust-cure.js';
import { isSluiceError, SluiceError, type ErrorCode } from '../errors.js';

/** What an HTTP status in place of the upgrade means. 4xx is a decision; the ones that ask for patience are not. */
const PATIENCE = new Set([408, 425, 429]);
/** The server is somewhere else from now on. */
const MOVED = new Set([301, 308]);

/** What each close code that ends a link for good is reported as. Source: RFC 6455, 7.4.1. */
const FATAL_CLOSE: Readonly<Record<number, readonly [code: ErrorCode, meaning: string]>> = {
  1002: ['PROTOCOL_ERROR', 'a protocol error'],
  1003: ['PROTOCOL_ERROR', 'data it cannot accept'],
  1007: ['PROTOCOL_ERROR', 'text that is not UTF-8'],
  1008: ['AUTH_FAILED', 'a violated policy'],
  1009: ['PAYLOAD_TOO_LARGE', 'a message that is too big'],
  1010: ['PROTOCOL_ERROR', 'a missing extension'],
  4401: ['AUTH_FAILED', 'credentials that are not valid any more'],
};

/**
 * What `ws` finds wrong with the answer to the upgrade. A subprotocol or an extension that the server sent is wrong the next
 * time too.
 */
const HANDSHAKE = /^(Server sent .*|Invalid (Upgrade|Sec-WebSocket-\w+) header|Opening handshake has timed out)$/;

/** What there is to say of a status besides its number. */
const ABOUT: Readonly<Record<number, string>> = {
  301: ': it has another address (url)',
  308: ': it has another address (url)',
  404: ': it has nothing at this path (url)',
};

/** The server answered the upgrade with something else. @internal */
export function upgradeRefused(status: number, retryAfterMs?: number): SluiceError {
  const isAuth = status === 401 || status === 403;
  const isMoved = MOVED.has(status);
  const retriable = (status < 400 || status >= 500 || PATIENCE.has(status)) && !isMoved;
  return new SluiceError(
    isAuth ? 'AUTH_FAILED' : 'CONNECT_FAILED',
    `The server answered the WebSocket upgrade with HTTP ${status}${ABOUT[status] ?? ''}.`,
    { retriable, details: { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } },
  );
}

/** The socket failed before it was open. @internal */
export function connectFailed(cause: unknown): SluiceError {
  const { code, message = '' } = (cause ?? {}) as { readonly code?: unknown; readonly message?: string };
  const said = typeof code === 'string' ? code : HANDSHAKE.exec(message)?.[0];
  const option = said?.endsWith('subprotocol') === true ? ' (protocols)' : '';
  const cure = trustCure(code);
  const todo = cure === undefined ? '' : `; ${cure}`;
  const what = `The WebSocket connection could not be opened${said === undefined ? '' : `: ${said}${option}${todo}`}.`;
  const told = { details: { connector: 'websocket', code }, cause };
  if (cure !== undefined) return new SluiceError('AUTH_FAILED', what, told);
  if (said?.startsWith('Server sent ') === true) return new SluiceError('PROTOCOL_ERROR', what, told);
  return new SluiceError('CONNECT_FAILED', what, { ...told, retriable: true });
}

/**
 * The open socket was closed. `renews` is true when the next try presents new credentials: then expired ones are no end.
 *
 * @internal
 */
export function closedWith(code: number, reason: string, cause?: unknown, renews: boolean = false): SluiceError {
  const details = { connector: 'websocket', closeCode: code, reason: reason.slice(0, 64) };
  if (isSluiceError(cause)) return cause;
  const own = ownCloseCode(cause);
  const fatal = own === 1008 ? FATAL_CLOSE[1002] : FATAL_CLOSE[own ?? code];
  if (fatal === undefined) {
    const how = code === 1006 ? 'broke without a close frame' : `was closed with ${code}`;
    return new SluiceError('CONNECTION_LOST', `The WebSocket connection ${how}.`, { retriable: true, details, cause });
  }
  const [errorCode, meaning] = fatal;
  const finder = own === undefined ? 'the peer' : 'this side';
  return new SluiceError(
    errorCode,
    `The WebSocket connection ended for ${meaning} (${own ?? code}), found by ${finder}.`,
    {
      retriable: renews && code === 4401,
      details,
      cause,
    },
  );
}

/** The code that `ws` closes with after it found a fault in what came in. */
function ownCloseCode(cause: unknown): number | undefined {
  const code = (cause as { readonly code?: unknown } | undefined)?.code;
  if (typeof code !== 'string' || !code.startsWith('WS_ERR_')) return undefined;
  if (code.endsWith('_MESSAGE_LENGTH') || code.endsWith('_DATA_PAYLOAD_LENGTH')) return 1009;
  if (code === 'WS_ERR_INVALID_UTF8') return 1007;
  return code.startsWith('WS_ERR_TOO_MANY_') ? 1008 : 1002;
}
