export { webSocketServer, type WebSocketServer } from '../links/websocket-server.js';
export type { WebSocketBroadcastOptions } from '../links/websocket-broadcast.js';
export type { SlowPolicy } from '../links/websocket-lane.js';
export type { WebSocketRequest } from '../links/websocket-request.js';
export { readSubscription, type WebSocketSubscription } from '../links/websocket-subscription.js';
export type { WebSocketClient } from '../links/websocket-server-client.js';
export type {
  WebSocketAccepted,
  WebSocketServerOptions,
  WebSocketServerTls,
  WebSocketVerdict,
} from '../links/websocket-server-options.js';
