// The far side of the WebSocket benchmark, in a process of its own: floods who asks for it, counts what it gets.
import { WebSocket, WebSocketServer } from 'ws';

/** What the benchmark asks for: clients that connect to its server, then flood it or count what it sends. */
export interface PeerOrder {
  readonly connect?: { readonly port: number; readonly clients: number };
  /** So many messages altogether, evenly from all clients. */
  readonly flood?: number;
  /** Says `counting` at once, and `counted` once so many messages came altogether. */
  readonly count?: number;
  readonly leave?: true;
}

/** What it answers. */
export interface PeerAnswer {
  readonly port?: number;
  readonly connected?: number;
  readonly counting?: true;
  readonly counted?: number;
}

const PAYLOAD = JSON.stringify({ id: 1, symbol: 'ABC', price: 1.25, note: 'x'.repeat(200) });
const HIGH_BYTES = 262_144;
const say = (answer: PeerAnswer): void => void process.send?.(answer);

function flood(socket: WebSocket, count: number, payload: string): void {
  let left = count;
  const send = (): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    while (left > 0 && socket.bufferedAmount < HIGH_BYTES) {
      left -= 1;
      socket.send(payload);
    }
    if (left > 0) setImmediate(send);
  };
  send();
}

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
server.on('connection', (socket, request) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'ws://x');
  const count = Number(searchParams.get('count'));
  if (pathname === '/flood') {
    flood(socket, count, PAYLOAD);
    return;
  }
  if (pathname === '/kilobytes') {
    flood(socket, count, 'x'.repeat(1024));
    return;
  }
  let seen = 0;
  socket.on('message', () => {
    seen += 1;
    if (seen === count) socket.send(String(seen));
  });
});
server.on('listening', () => say({ port: (server.address() as { port: number }).port }));

let clients: WebSocket[] = [];
let seen = 0;
let wanted = 0;

process.on('message', ({ connect, flood: total, count, leave }: PeerOrder) => {
  if (connect !== undefined) {
    let open = 0;
    clients = Array.from({ length: connect.clients }, () => {
      const socket = new WebSocket(`ws://127.0.0.1:${connect.port}/`, { perMessageDeflate: false });
      socket.on('open', () => {
        open += 1;
        if (open === connect.clients) say({ connected: open });
      });
      socket.on('message', () => {
        seen += 1;
        if (seen === wanted) say({ counted: seen });
      });
      return socket;
    });
  }
  if (total !== undefined) for (const socket of clients) flood(socket, total / clients.length, PAYLOAD);
  if (count !== undefined) {
    seen = 0;
    wanted = count;
    say({ counting: true });
  }
  if (leave === true) for (const socket of clients.splice(0)) socket.terminate();
});
