export { webSocketLink, type PausingWebSocketLink, type WebSocketLink } from '../links/websocket.js';
export type { NodeWebSocketLinkOptions, WebSocketLinkOptions, WebSocketTls } from '../links/websocket-link-options.js';
export type { PlatformWebSocket, WsWebSocket } from '../links/websocket-client.js';
export type { WebSocketFrame } from '../links/websocket-connection.js';
export {
  webSocket,
  type LossyWebSocketOptions,
  type WebSocketDuplex,
  type WebSocketOptions,
} from '../links/websocket-duplex.js';
export type { WebSocketChannelOptions, WebSocketMatch, WebSocketSourceOptions } from '../links/websocket-flow.js';
export type { WebSocketMeta } from '../links/websocket-frames.js';
export type { WebSocketData } from '../links/websocket-wire.js';
export { webSocketSource } from '../sources/websocket.js';
export { webSocketSink } from '../sinks/websocket.js';
