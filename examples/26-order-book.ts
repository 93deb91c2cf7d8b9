// An order book over WebSocket: a snapshot, then changes; where one is missing it begins with a snapshot again. Needs ws.
import { retry, take } from 'rxjs';
import { decode, each, fromAsyncIterable, json, toAsyncIterable } from 'sluice';
import { webSocket, webSocketLink } from 'sluice/websocket';
import { readSubscription, webSocketServer } from 'sluice/websocket-server';

interface BookFrame {
  readonly kind: 'snapshot' | 'change';
  readonly seq: number; // one more with each change

  readonly levels: readonly (readonly [price: number, quantity: number])[];
}

// --- the service: what it answers the first request with, and the second ---
const answers: BookFrame[][] = [
  [
    { kind: 'snapshot', seq: 1, levels: [[100, 5]] },
    { kind: 'change', seq: 2, levels: [[101, 3]] },
    { kind: 'change', seq: 4, levels: [[100, 4]] }, // 3 got lost
  ],
  [
    { kind: 'snapshot', seq: 4, levels: [[101, 9]] },
    { kind: 'change', seq: 5, levels: [[102, 1]] },
  ],
];
const server = await webSocketServer({ port: 0 });
server.clients$.subscribe(({ source, sink }) =>
  source.subscribe((message) => {
    const frames = (readSubscription(message.payload) && answers.shift()) ?? [];
    fromAsyncIterable(frames.map((frame) => JSON.stringify(frame))).subscribe((frame) => sink.next(frame));
    message.ack();
  }),
);

// --- a client: its flow fails over a gap, and retry asks anew ---
const book = new Map<number, number>();
let last: number | undefined;
function apply({ kind, seq, levels }: BookFrame): string | undefined {
  if (kind === 'change' && last === undefined) return undefined; // of a stream that is over
  const isNext = kind === 'snapshot' || seq - 1 === last;
  if (kind === 'snapshot') book.clear();
  last = isNext ? seq : undefined;
  if (!isNext) throw new Error(`something is missing before ${seq}`);
  for (const [price, quantity] of levels) book.set(price, quantity);
  return `${kind} ${seq}: ${[...book].map(([price, quantity]) => `${quantity} at ${price}`).join(', ')}`;
}
const link = webSocketLink({ url: `ws://127.0.0.1:${server.address.port}`, client: 'ws' });
const open = '{"op":"subscribe","channel":"book","symbols":["BTC-USD"]}';
const frames = webSocket(link).channel({ open, match: { kind: ['snapshot', 'change'] } });
const books = frames.pipe(decode(json<BookFrame>()), each(apply, { onError: 'fail' }), retry(3), take(4));
const seen = toAsyncIterable(books);
for await (const { payload } of seen) console.log(payload);
await server.close();

// Output:
// snapshot 1: 5 at 100
// change 2: 5 at 100, 3 at 101
// snapshot 4: 9 at 101
// change 5: 9 at 101, 1 at 102
