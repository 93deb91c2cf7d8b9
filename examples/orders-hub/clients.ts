import { webSocketLink, webSocketSource } from 'sluice/websocket';

/** A WebSocket client of the hub. */
export interface HubClient {
  readonly name: string;
  received(): number;
  close(): void;
}

/** Connects a real client. `pauseMs` is how long it takes over each message; it works on one at a time. */
export function connectClient(name: string, url: string, pauseMs: number): HubClient {
  const link = webSocketLink({ url, client: 'ws' });
  let received = 0;
  const subscription = webSocketSource(link, { credit: pauseMs > 0 ? 1 : 256, closeTimeoutMs: 100 }).subscribe({
    next(message) {
      received += 1;
      if (pauseMs > 0) setTimeout(() => message.ack(), pauseMs);
      else message.ack();
    },
    error: () => undefined,
  });
  return { name, received: () => received, close: () => subscription.unsubscribe() };
}
