// Runs in a browser, for test/integration/browser.test.ts.
import { backoff, fromAsyncIterable, run } from 'sluice';
import { webSocket, webSocketLink, webSocketSink, type WebSocketData } from 'sluice/websocket';
import { say, setting } from '../helpers/page.js';

const maxBufferedBytes = Number(setting('maxBufferedBytes'));
const frames = Number(setting('frames'));
let most = 0;
/** The class of the browser, which says when it has as much to write as it may. */
class Watched extends WebSocket {
  override send(data: string | BufferSource): void {
    super.send(data);
    if (this.bufferedAmount <= most) return;
    most = this.bufferedAmount;
    say('buffered', most);
  }
}

const link = webSocketLink({
  url: setting('url'),
  protocols: ['feed.v1'],
  client: Watched,
  maxBufferedBytes,
  reconnect: backoff({ initialMs: 20, maxMs: 200 }),
});
const feed = webSocket(link, { source: { overflow: 'drop-oldest', credit: 4 } });
feed.status$.subscribe((status) => say('status', status));

const quotes = feed.channel({ open: 'subscribe', close: 'unsubscribe', match: { channel: 'quotes' } });
const subscription = quotes.subscribe((message) => {
  const { n } = JSON.parse(message.payload as string) as { readonly n: number };
  say('quote', n);
  message.ack();
  if (n === 4) subscription.unsubscribe();
});

function* numbered(): Generator<WebSocketData> {
  for (let at = 0; at < frames; at += 1) yield new Uint8Array(maxBufferedBytes / 4).fill(at);
  yield 'the last';
}
await run(fromAsyncIterable(numbered()), webSocketSink(link)).done;
say('sent', frames);
