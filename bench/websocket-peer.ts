// The far side of the WebSocket benchmark, in a process of its own: floods who asks for it, counts who sends.
import { WebSocketServer, type WebSocket } from 'ws';

const PAYLOAD = JSON.stringify({ id: 1, symbol: 'ABC', price: 1.25, note: 'x'.repeat(200) });
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });

function flood(socket: WebSocket, count: number): void {
  let left = count;
  const send = (): void => {
    while (left > 0 && socket.bufferedAmount < 262_144) {
      left -= 1;
      socket.send(PAYLOAD);
    }
    if (left > 0) setImmediate(send);
  };
  send();
}

server.on('connection', (socket, request) => {
  const count = Number(new URL(request.url ?? '/', 'ws://x').searchParams.get('count'));
  if (request.url?.startsWith('/flood') === true) {
    flood(socket, count);
    return;
  }
  let seen = 0;
  socket.on('message', () => {
    seen += 1;
    if (seen === count) socket.send(String(seen));
  });
});
server.on('listening', () => process.send?.((server.address() as { port: number }).port));
