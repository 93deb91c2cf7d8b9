import type { Clock } from '../clock.js';
import { frameFault } from './websocket-frames.js';

/**
 * A frame of data: text or bytes.
 *
 * @see webSocketSource
 */
export type WebSocketData = string | Uint8Array;

/** What a wire tells. None of them may throw: `ws` would stop reading for good. */
export interface WireEvents {
  data(data: WebSocketData, bytes: number): void;
  /** The answer to a ping. */
  pong(): void;
  /** Anything at all came in. */
  heard(): void;
  closed(code: number, reason: string): void;
  failed(error: unknown): void;
}

/** One open socket, made the same whichever client opened it. */
export interface Wire {
  readonly protocol: string;
  /** Written and not yet taken by the kernel, or the browser. */
  readonly bufferedBytes: number;
  /** Whether reading can be held off and pings sent. No browser offers either. */
  readonly canPause: boolean;
  listen(events: WireEvents): void;
  /** `done` is called when the kernel, or the browser, took it, or with why not. */
  send(data: WebSocketData, done: (error?: unknown) => void): void;
  /** Sends a frame that was built before, header and all. Only at the serving side: a client's frames are masked. */
  sendFrame(frame: Uint8Array, done: (error?: unknown) => void): void;
  pause(): void;
  resume(): void;
  ping(): void;
  /** An unasked answer: allowed, and the only sign of life of one who does not read. */
  pong(): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** What the library uses of a socket of `ws`. Its own types stay out of the public ones: they are not always installed. */
export interface WsSocket {
  readonly protocol: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  on(event: string, listener: (...values: never[]) => void): unknown;
  send(data: WebSocketData, done: (error?: Error) => void): void;
  pause(): void;
  resume(): void;
  ping(): void;
  pong(): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

/** What the library uses of the socket below: everything of one turn leaves in one write. */
export interface RawSocket {
  cork(): void;
  uncork(): void;
  write(bytes: Uint8Array, done: (error?: Error | null) => void): unknown;
}

/** What the library uses of a browser's socket. */
export interface PlatformSocket {
  readonly protocol: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  /** What has it is a socket of `ws`, and more than this. */
  readonly pause?: never;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

const OPEN = 1;

/** Close codes that a client may send; anything else throws in a browser. */
const sendable = (code: number): boolean => code === 1000 || (code >= 3000 && code <= 4999);

/** The wire of an open socket of `ws`, client or server side, and of the socket below it. @internal */
export function wsWire(socket: WsSocket, raw: RawSocket, clock: Clock): Wire {
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    raw.uncork();
  };
  // A write of its own for every small frame costs more than the frame: the ones of one turn go together.
  const gather = (): void => {
    if (isCorked) return;
    isCorked = true;
    raw.cork();
    clock.defer(uncork);
  };
  return {
    get protocol() {
      return socket.protocol;
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    canPause: true,
    listen(events) {
      socket.on('message', (data: Uint8Array, isBinary: boolean) => {
        events.data(isBinary ? bytesOf(data) : data.toString(), data.length);
      });
      socket.on('ping', () => events.heard());
      socket.on('pong', () => events.pong());
      socket.on('error', (error: Error) => events.failed(error));
      socket.on('close', (code: number, reason: Uint8Array) => events.closed(code, reason.toString()));
    },
    send(data, done) {
      gather();
      socket.send(data, done);
    },
    sendFrame(frame, done) {
      if (socket.readyState !== OPEN) {
        done(new Error('closed'));
        return;
      }
      gather();
      raw.write(frame, done);
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    ping() {
      if (socket.readyState === OPEN) socket.ping();
    },
    pong() {
      if (socket.readyState === OPEN) socket.pong();
    },
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}

/**
 * A small frame is a view of the whole chunk it came in: kept, it would keep that too, and the bound on what is held
 * would be off by the factor between them.
 */
function bytesOf(data: Uint8Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = data;
  if (byteLength * 2 < buffer.byteLength)
    return Uint8Array.prototype.slice.call(new Uint8Array(buffer, byteOffset, byteLength));
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** How often a browser is asked whether it has written: it never tells. */
const LOOK_MS = 10;

/**
 * The wire of an open socket of a browser, or of a runtime that has the same class. Such a socket knows no limit, so what
 * is larger than `maxBytes` ends it here, as `ws` does by itself.
 *
 * @internal
 */
export function platformWire(socket: PlatformSocket, clock: Clock, maxBytes: number): Wire {
  let events: WireEvents | undefined;
  /** What was sent and not yet written, oldest first, with where it ends in the stream of all bytes. */
  const pending: { readonly endsAt: number; readonly done: (error?: unknown) => void }[] = [];
  let sentBytes = 0;
  let looking = false;

  const look = (): void => {
    looking = false;
    const writtenBytes = sentBytes - socket.bufferedAmount;
    let written = 0;
    while (written < pending.length && (pending[written]?.endsAt ?? 0) <= writtenBytes) written += 1;
    for (const { done } of pending.splice(0, written)) done();
    if (pending.length > 0 && socket.readyState === OPEN) lookLater();
  };
  const lookLater = (): void => {
    if (looking) return;
    looking = true;
    clock.timer(LOOK_MS, look, true);
  };

  const closed = (code: number, reason: string): void => {
    for (const { done } of pending.splice(0)) done(new Error('closed'));
    events?.closed(code, reason);
  };

  return {
    get protocol() {
      return socket.protocol;
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    canPause: false,
    listen(to) {
      events = to;
      socket.binaryType = 'arraybuffer';
      let isTooLarge = false;
      const take = (data: WebSocketData, bytes: number): void => {
        // Until its close is through, more may come of it.
        if (isTooLarge) return;
        const fault = frameFault(data, maxBytes);
        if (fault === undefined) {
          to.data(data, bytes);
          return;
        }
        isTooLarge = true;
        to.failed(fault);
        socket.close();
      };
      socket.onmessage = ({ data }: { readonly data: unknown }) => {
        if (typeof data === 'string') take(data, data.length);
        else if (data instanceof ArrayBuffer) take(new Uint8Array(data), data.byteLength);
      };
      socket.onerror = () => to.failed(undefined);
      socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) => closed(code, reason);
    },
    send(data, done) {
      if (socket.readyState !== OPEN) {
        done(new Error('closed'));
        return;
      }
      const before = socket.bufferedAmount;
      socket.send(data as string);
      // Its own count is the only one of UTF-8 bytes that costs nothing.
      sentBytes += socket.bufferedAmount - before;
      pending.push({ endsAt: sentBytes, done });
      if (looking) return;
      looking = true;
      clock.yield(look);
    },
    sendFrame: (_, done) => done(new Error('not on this side')),
    pause: () => undefined,
    resume: () => undefined,
    ping: () => undefined,
    pong: () => undefined,
    close: (code, reason) => socket.close(sendable(code) ? code : 1000, reason),
    terminate() {
      // Its close stands behind all that is not written, and a peer that does not read keeps it there.
      socket.onmessage = socket.onerror = socket.onclose = null;
      socket.close();
      closed(1006, '');
    },
  };
}
