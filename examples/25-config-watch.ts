// Watching a configuration over WebSocket: what it is now, then each change, until nobody watches. Needs ws.
import { BehaviorSubject, firstValueFrom, map, ReplaySubject, take, type Subscription } from 'rxjs';
import { decode, json, messages, payload, toAsyncIterable } from 'sluice';
import { webSocket, webSocketLink } from 'sluice/websocket';
import { readSubscription, webSocketServer } from 'sluice/websocket-server';

interface Config {
  readonly version: number;
  readonly fee: number;
}

// --- the service: each request opens a stream of its own ---
const config$ = new BehaviorSubject<Config>({ version: 1, fee: 3 });
const left$ = new ReplaySubject<void>(1); // somebody watches no longer
const server = await webSocketServer({ port: 0 });
server.clients$.subscribe((client) => {
  let watch: Subscription | undefined;
  client.source.subscribe({
    next(message) {
      watch?.unsubscribe();
      if (readSubscription(message.payload)?.op === 'subscribe')
        watch = config$
          .pipe(
            map((config) => JSON.stringify({ channel: 'config', config })),
            messages({ overflow: 'drop-oldest', credit: 1 }), // who is slow gets the newest
          )
          .subscribe((change) => client.sink.next(change));
      else left$.next();
      message.ack();
    },
    complete: () => watch?.unsubscribe(),
  });
});

// --- a client ---
const link = webSocketLink({ url: `ws://127.0.0.1:${server.address.port}`, client: 'ws' });
const watched = webSocket(link).channel({
  open: '{"op":"subscribe","channel":"config"}',
  close: '{"op":"unsubscribe","channel":"config"}',
  match: { channel: 'config' },
});
const configs = watched.pipe(
  decode(json<{ readonly config: Config }>()),
  payload(({ config }) => config),
  take(3),
);
for await (const { payload: config } of toAsyncIterable(configs)) {
  console.log(`version ${config.version}: a fee of ${config.fee} %`);
  config$.next({ version: config.version + 1, fee: config.fee * 2 }); // somebody changes it
}
await firstValueFrom(left$);
console.log(`still watched: ${config$.observed}`);
await server.close();

// Output:
// version 1: a fee of 3 %
// version 2: a fee of 6 %
// version 3: a fee of 12 %
// still watched: false
