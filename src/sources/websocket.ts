import type { Overflow } from '../connection/define-source.js';
import type { Flow } from '../connection/flow.js';
import { checkArgument } from '../connection/options.js';
import { framesIn, type WebSocketSourceOptions } from '../links/websocket-flow.js';
import { WEBSOCKET_LINK } from '../links/websocket-link-options.js';
import type { PausingWebSocketLink, WebSocketLink } from '../links/websocket.js';
import type { WebSocketData } from '../links/websocket-wire.js';

/**
 * Every frame that comes over a WebSocket link: text as string, binary as bytes.
 *
 * Frames are read ahead of the credit up to `maxBufferedBytes`, then the peer is made to wait while pongs are still sent.
 * Where it cannot wait (in browsers), `overflow` says what is given up. Settlements stay on this side: a nacked message
 * is tried again from memory, what the network loses with the connection is lost. The flow completes when it is drained
 * and errors when the link ended for good.
 *
 * @example
 * import { webSocketLink, webSocketSource } from 'sluice/websocket';
 * const link = webSocketLink({ url: 'wss://feed.example' });
 * webSocketSource(link, { overflow: 'drop-oldest', credit: 16 }).subscribe((message) => message.ack());
 * @throws SluiceError `CONFIG_INVALID` for an option out of range, or a missing `overflow` where there is no pausing
 * Source: RFC 6455, 5.6 (data frames), 5.5 (pings and pongs).
 * @see webSocketSink
 * @see webSocket
 */
export function webSocketSource(link: PausingWebSocketLink, options?: WebSocketSourceOptions): Flow<WebSocketData>;
export function webSocketSource(
  link: WebSocketLink,
  options: WebSocketSourceOptions & { readonly overflow: Overflow },
): Flow<WebSocketData>;
export function webSocketSource(link: WebSocketLink, options: WebSocketSourceOptions = {}): Flow<WebSocketData> {
  checkArgument('webSocketSource', 'link', link, WEBSOCKET_LINK);
  return framesIn({ link }, options);
}
