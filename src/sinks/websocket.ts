import type { SinkOptions } from '../connection/define-sink.js';
import type { Sink } from '../connection/flow.js';
import { checkArgument } from '../connection/options.js';
import { framesOut } from '../links/websocket-flow.js';
import { WEBSOCKET_LINK } from '../links/websocket-link-options.js';
import type { WebSocketLink } from '../links/websocket.js';
import type { WebSocketData } from '../links/websocket-wire.js';

/**
 * Sends each message as one frame: a string as text, bytes as binary. Other payloads are nacked with `ENCODE_FAILED`,
 * larger ones than the link's `maxBytes` with `PAYLOAD_TOO_LARGE`; the connection stays.
 *
 * A message is acked when the kernel, or the browser, took it. At `maxBufferedBytes` written ahead of the network the
 * sink waits. What was not taken when the connection broke is sent again over the next one.
 *
 * @example
 * import { payload, run } from 'sluice';
 * import { webSocketLink, webSocketSink } from 'sluice/websocket';
 * const texts = orders.pipe(payload((order) => JSON.stringify(order)));
 * run(texts, webSocketSink(webSocketLink({ url: 'wss://desk.example' })));
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * Source: RFC 6455, 5.6 (data frames).
 * @see webSocketSource
 */
export function webSocketSink(link: WebSocketLink, options: SinkOptions = {}): Sink<WebSocketData> {
  checkArgument('webSocketSink', 'link', link, WEBSOCKET_LINK);
  return framesOut({ link }, options);
}
