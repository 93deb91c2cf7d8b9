import { WebSocket as Ws } from 'ws';
import { describe, expectTypeOf, it } from 'vitest';
import type { Flow } from 'sluice';
import {
  webSocket,
  webSocketLink,
  webSocketSource,
  type PausingWebSocketLink,
  type WebSocketData,
  type WebSocketLink,
} from 'sluice/websocket';

const url = 'wss://feed.example';

describe('a link that makes its peer wait', () => {
  it('is one over ws, by name or by class', () => {
    expectTypeOf(webSocketLink({ url, client: 'ws' })).toEqualTypeOf<PausingWebSocketLink>();
    expectTypeOf(webSocketLink({ url, client: Ws, headers: {} })).toEqualTypeOf<PausingWebSocketLink>();
  });

  it('needs no overflow', () => {
    const link = webSocketLink({ url, client: 'ws' });
    expectTypeOf(webSocketSource(link)).toEqualTypeOf<Flow<WebSocketData>>();
    void webSocket(link).channel({ open: 'x', match: {} });
  });
});

describe('a link that may run in a browser', () => {
  const link = webSocketLink({ url });

  it('is one without a client, or with the class of the browser', () => {
    expectTypeOf(link).toEqualTypeOf<WebSocketLink>();
    expectTypeOf(webSocketLink({ url, client: WebSocket })).toEqualTypeOf<WebSocketLink>();
  });

  it('has no source without overflow', () => {
    // @ts-expect-error what is given up has to be said
    void webSocketSource(link);
    // @ts-expect-error what is given up has to be said
    void webSocketSource(link, { credit: 1 });
    // @ts-expect-error what is given up has to be said
    webSocket(link);
    // @ts-expect-error what is given up has to be said
    webSocket(link, { source: {} });
    void webSocketSource(link, { overflow: 'drop-oldest' });
  });

  it('has neither headers nor certificates', () => {
    // @ts-expect-error no browser sends them
    webSocketLink({ url, headers: { authorization: 'x' } });
    // @ts-expect-error no browser takes them
    webSocketLink({ url, tls: {} });
  });
});
