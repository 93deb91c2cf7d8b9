import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { testSource, type TestSource } from 'sluice/testing';
import type { Sink, SluiceError } from 'sluice';
import type { Wire, WireEvents, WebSocketData } from '../../src/links/websocket-wire.js';

/** A socket in the hands of a test. */
export interface FakeWire extends Wire {
  events: WireEvents;
  readonly calls: string[];
  readonly sent: (WebSocketData | Uint8Array)[];
  /** Bytes that the network has not taken. Set by {@link hold}. */
  bufferedBytes: number;
  protocol: string;
  canPause: boolean;
  /** Takes what was sent, or as much of it. */
  flush(count?: number): void;
}

/** A wire whose network takes nothing until it is told to. */
export function fakeWire(canPause = true): FakeWire {
  const pending: { readonly bytes: number; readonly done: (error?: unknown) => void }[] = [];
  const call =
    (name: string) =>
    (...values: unknown[]): void =>
      void wire.calls.push([name, ...values].join(' '));
  const send = (data: WebSocketData, done: (error?: unknown) => void): void => {
    wire.sent.push(data);
    wire.bufferedBytes += data.length;
    pending.push({ bytes: data.length, done });
  };
  const wire: FakeWire = {
    events: undefined as unknown as WireEvents,
    calls: [],
    sent: [],
    bufferedBytes: 0,
    protocol: '',
    canPause,
    listen: (events) => void (wire.events = events),
    send,
    sendFrame: send,
    pause: call('pause'),
    resume: call('resume'),
    ping: call('ping'),
    pong: call('pong'),
    close: call('close'),
    terminate() {
      wire.calls.push('terminate');
      wire.events.closed(1006, '');
    },
    flush(count = pending.length) {
      for (const { bytes, done } of pending.splice(0, count)) {
        wire.bufferedBytes -= bytes;
        done();
      }
    },
  };
  return wire;
}

/** A server of bare `ws`, so that what is tested is not tested against itself. */
export interface BareServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly server: WebSocketServer;
  /** Text of each frame that came in, in order, over all connections. */
  readonly received: string[];
  readonly sockets: WebSocket[];
  close(): Promise<void>;
}

export async function bareServer(
  connected: (socket: WebSocket, at: number) => void = () => undefined,
  options: { readonly port?: number; readonly protocol?: string } = {},
): Promise<BareServer> {
  const { protocol } = options;
  const server = new WebSocketServer({
    port: options.port ?? 0,
    host: '127.0.0.1',
    ...(protocol === undefined ? {} : { handleProtocols: () => protocol }),
  });
  const received: string[] = [];
  const sockets: WebSocket[] = [];
  server.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('message', (data) => received.push((data as Buffer).toString()));
    socket.on('error', () => undefined);
    connected(socket, sockets.length);
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    for (const socket of server.clients) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `ws://127.0.0.1:${port}/feed`, port, server, received, sockets, close, [Symbol.asyncDispose]: close };
}

/** A client of bare `ws` that is open, with what it received. */
export interface BareClient {
  readonly socket: WebSocket;
  readonly received: string[];
  readonly closed: Promise<number>;
}

export async function bareClient(url: string, options: object = {}, protocols: string[] = []): Promise<BareClient> {
  const socket = new WebSocket(url, protocols, options);
  const received: string[] = [];
  socket.on('message', (data) => received.push((data as Buffer).toString()));
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await once(socket, 'open');
  socket.on('error', () => undefined);
  return { socket, received, closed };
}

/** The HTTP status with which a server refuses an upgrade, or 101. */
export function upgradeStatus(url: string, options: object = {}, protocols: string[] = []): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, protocols, options);
    socket.once('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    socket.on('error', () => undefined);
  });
}

function once(emitter: EventEmitter, event: string): Promise<unknown> {
  return EventEmitter.once(emitter, event);
}

/** Messages for a sink and what became of them. */
export interface Given<T> {
  readonly source: TestSource<T>;
  /** `ack`, or the outcome and the code of the reason, in the order of settlement. */
  readonly outcomes: string[];
}

/** Gives payloads to a sink, which completes with the test. */
export function give<T>(sink: Sink<T>, ...payloads: readonly NoInfer<T>[]): Given<T> {
  const source = testSource<T>({ credit: 65_535 });
  const outcomes: string[] = [];
  source.events$.subscribe(({ type, reason }) => {
    if (type === 'waiting' || type === 'delivered') return;
    outcomes.push(type === 'ack' ? type : `${type} ${(reason as SluiceError | undefined)?.code ?? ''}`.trim());
  });
  source.flow.subscribe({ next: sink.next, error: () => undefined, complete: () => undefined });
  for (const payload of payloads) source.offer(payload);
  onTestFinished(() => sink.complete());
  return { source, outcomes };
}
