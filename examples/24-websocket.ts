// Live prices for whoever subscribes, over WebSocket: server and client in one program. Needs ws.
import { interval, map, take } from 'rxjs';
import { messages, run, toAsyncIterable } from 'sluice';
import { webSocket, webSocketLink } from 'sluice/websocket';
import { readSubscription, webSocketServer } from 'sluice/websocket-server';

// --- the service: who asked for a symbol gets its prices ---
const server = await webSocketServer({ port: 0 });
const wanted = new Map<string, readonly string[]>();
server.clients$.subscribe((client) =>
  client.source.subscribe({
    next(message) {
      const { op, channels } = readSubscription(message.payload) ?? {};
      if (op === 'subscribe') wanted.set(client.id, channels?.flatMap(({ symbols }) => symbols) ?? []);
      else wanted.delete(client.id);
      message.ack();
    },
    complete: () => void wanted.delete(client.id),
  }),
);
const prices = interval(1).pipe(
  map((n) => (n % 2 === 0 ? 'BTC-USD' : 'ETH-USD')),
  map((symbol) => JSON.stringify({ channel: 'prices', symbol })),
  messages({ overflow: 'drop-oldest' }), // live data: what nobody can take any more is no loss
);
const to = ({ id }: { readonly id: string }, { payload }: { readonly payload: unknown }): boolean =>
  wanted.get(id)?.some((symbol) => (payload as string).includes(symbol)) ?? false;
const feed = run(prices, server.broadcast({ overflow: 'conflate', to }));

// --- a client: one request, then a stream until it unsubscribes ---
const link = webSocketLink({ url: `ws://127.0.0.1:${server.address.port}`, client: 'ws' });
const channels = [{ name: 'prices', symbols: ['BTC-USD'] }];
const btc = webSocket(link).channel({
  open: JSON.stringify({ op: 'subscribe', channels }),
  close: JSON.stringify({ op: 'unsubscribe', channels }),
  match: { channel: 'prices' },
});
for await (const { payload } of toAsyncIterable(btc.pipe(take(3)))) console.log(payload);

await feed.stop();
await server.close();
console.log(`${wanted.size} clients left`);

// Output:
// {"channel":"prices","symbol":"BTC-USD"}
// {"channel":"prices","symbol":"BTC-USD"}
// {"channel":"prices","symbol":"BTC-USD"}
// 0 clients left
