import type { SinkOptions } from '../connection/define-sink.js';
import type { Overflow } from '../connection/define-source.js';
import type { Duplex } from '../connection/duplex.js';
import type { Flow } from '../connection/flow.js';
import { checkArgument, checkOptions, having } from '../connection/options.js';
import {
  channelOf,
  framesIn,
  framesOut,
  type WebSocketChannelOptions,
  type WebSocketSourceOptions,
} from './websocket-flow.js';
import { WEBSOCKET_LINK } from './websocket-link-options.js';
import type { PausingWebSocketLink, WebSocketLink } from './websocket.js';
import type { WebSocketData } from './websocket-wire.js';

/**
 * Options of {@link webSocket}.
 *
 * @see webSocket
 */
export interface WebSocketOptions {
  /** Default: none, so those that every WebSocket source has. */
  readonly source?: WebSocketSourceOptions;
  /** Default: none, so those that every sink has. */
  readonly sink?: SinkOptions;
}

/**
 * Options of {@link webSocket} over a link whose peer cannot be made to wait.
 *
 * @see webSocket
 */
export interface LossyWebSocketOptions extends WebSocketOptions {
  readonly source: WebSocketSourceOptions & { readonly overflow: Overflow };
}

/**
 * Both directions of a WebSocket connection, and its channels.
 *
 * @see webSocket
 */
export interface WebSocketDuplex extends Duplex<WebSocketData, WebSocketData> {
  /**
   * A flow of the frames that match, opened by a frame of its own. While it is subscribed, that frame is sent again on
   * every new connection, before anything queued; `close` is sent when its last subscriber leaves. The options of the
   * source apply unless the channel has its own.
   */
  channel(options: WebSocketChannelOptions): Flow<WebSocketData>;
}

/**
 * Both directions of a WebSocket link. The source has every frame, text as string and binary as bytes; the sink sends
 * each message as one frame.
 *
 * This is the plain protocol: it has no acknowledgements. An ack frees credit here and tells the peer nothing; a nacked
 * message is tried again from this side's memory. What either side had sent and the network lost with the connection is
 * lost: at most once across a reconnect. A message of the sink is acked when the kernel took it.
 *
 * The flow completes when it is drained, errors when the link ended for good, and lets what was emitted settle after an
 * unsubscribe.
 *
 * @example
 * import { webSocket, webSocketLink } from 'sluice/websocket';
 * const feed = webSocket(webSocketLink({ url: 'wss://feed.example', client: 'ws' }));
 * const quotes = feed.channel({
 *   open: '{"op":"subscribe","channel":"quotes"}',
 *   close: '{"op":"unsubscribe","channel":"quotes"}',
 *   match: { channel: 'quotes' },
 * });
 * quotes.subscribe((message) => message.ack());
 * @throws SluiceError `CONFIG_INVALID` for an option out of range, or a missing `overflow` where there is no pausing
 * Source: RFC 6455, 5.6 (data frames); it has no acknowledgements.
 * @see webSocketLink
 */
export function webSocket(link: PausingWebSocketLink, options?: WebSocketOptions): WebSocketDuplex;
export function webSocket(link: WebSocketLink, options: LossyWebSocketOptions): WebSocketDuplex;
export function webSocket(link: WebSocketLink, options: WebSocketOptions = {}): WebSocketDuplex {
  checkArgument('webSocket', 'link', link, WEBSOCKET_LINK);
  checkOptions<WebSocketOptions>('webSocket', options, { source: having(), sink: having() });
  return {
    source: framesIn({ link }, options.source),
    sink: framesOut({ link }, options.sink),
    status$: link.status$,
    channel: (channel) => channelOf(link, { ...options.source, ...channel }),
  };
}
