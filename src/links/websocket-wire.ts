import type { Cancel, Clock } from '../clock.js';
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
  pong(data?: Uint8Array, mask?: boolean, done?: (error: Error) => void): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

/** What the library uses of the socket below: everything of one turn leaves in one write. */
export interface RawSocket {
  cork(): void;
  uncork(): void;
  write(bytes: Uint8Array, done: (error?: Error | null) => void): unknown;
  on(event: 'data', listener: () => void): unknown;
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
  /** Bytes that are not shared. Written so that TypeScript below 5.7, where `Uint8Array` takes no argument, reads it. */
  send(data: string | (Uint8Array & { readonly buffer: ArrayBuffer })): void;
  close(code?: number, reason?: string): void;
}

const OPEN = 1;

/** Close codes that a client may send; anything else throws in a browser. */
const sendable = (code: number): boolean => code === 1000 || (code >= 3000 && code <= 4999);

/**
 * The wire of an open socket of `ws`, client or server side, and of the socket below it. A class, as each object literal
 * with getters would get a shape of its own, and every look at it would be slow.
 *
 * @internal
 */
export class WsWire implements Wire {
  readonly canPause: boolean = true;
  private readonly socket: WsSocket;
  private readonly raw: RawSocket;
  private readonly clock: Clock;
  private isCorked = false;
  /** An answer to a ping is not written yet. */
  private isAnswering = false;
  /** The last ping that came meanwhile. */
  private asked: Uint8Array | undefined;

  constructor(socket: WsSocket, raw: RawSocket, clock: Clock) {
    this.socket = socket;
    this.raw = raw;
    this.clock = clock;
  }

  get protocol(): string {
    return this.socket.protocol;
  }

  get bufferedBytes(): number {
    return this.socket.bufferedAmount;
  }

  listen(events: WireEvents): void {
    const { socket } = this;
    socket.on('message', (data: Uint8Array, isBinary: boolean) => {
      events.data(isBinary ? bytesOf(data) : data.toString(), data.length);
    });
    // Also a part of a message: the answer to a ping stands behind a large one, however long that takes to come.
    this.raw.on('data', () => events.heard());
    socket.on('ping', (data: Uint8Array) => this.answer(data));
    socket.on('pong', () => events.pong());
    socket.on('error', (error: Error) => events.failed(error));
    socket.on('close', (code: number, reason: Uint8Array) => events.closed(code, reason.toString()));
  }

  send(data: WebSocketData, done: (error?: unknown) => void): void {
    this.gather();
    this.socket.send(data, done);
  }

  sendFrame(frame: Uint8Array, done: (error?: unknown) => void): void {
    if (!this.isOpen) {
      done(new Error('closed'));
      return;
    }
    this.gather();
    this.raw.write(frame, done);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  ping(): void {
    if (this.isOpen) this.socket.ping();
  }

  pong(): void {
    if (this.isOpen) this.socket.pong();
  }

  close(code: number, reason: string): void {
    this.socket.close(code, reason);
  }

  terminate(): void {
    this.socket.terminate();
  }

  private get isOpen(): boolean {
    return this.socket.readyState === OPEN;
  }

  /**
   * One answer at a time, so that pings of a peer that reads no answers cost no memory; and many that come together, as they
   * do after reading was held off, cost it no connection. Source: RFC 6455, 5.5.3: the most recent one may do for all.
   */
  private answer(data: Uint8Array): void {
    if (this.isAnswering) this.asked = data;
    else if (this.isOpen) {
      this.isAnswering = true;
      this.socket.pong(data, undefined, this.answered);
    }
  }

  private readonly answered = (): void => {
    const { asked } = this;
    this.isAnswering = false;
    this.asked = undefined;
    if (asked !== undefined) this.answer(asked);
  };

  /** A write of its own for every small frame costs more than the frame: the ones of one turn go together. */
  private gather(): void {
    if (this.isCorked) return;
    this.isCorked = true;
    this.raw.cork();
    this.clock.defer(this.uncork);
  }

  private readonly uncork = (): void => {
    this.isCorked = false;
    this.raw.uncork();
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

/** How soon a browser is asked again whether it has written: it never tells. */
const LOOK_MS = 10;
/** Where it writes nothing, it is asked after twice as long each time, up to this. */
const LONGEST_LOOK_MS = 250;

/** What was sent and not yet written, with where it ends in the stream of all bytes. */
interface Pending {
  readonly endsAt: number;
  readonly done: (error?: unknown) => void;
}

/**
 * The wire of an open socket of a browser, or of a runtime that has the same class. Such a socket knows no limit, so what
 * is larger than `maxBytes` ends it here, as `ws` does by itself.
 *
 * @internal
 */
export class PlatformWire implements Wire {
  readonly canPause: boolean = false;
  private readonly socket: PlatformSocket;
  private readonly clock: Clock;
  private readonly maxBytes: number;
  private events: WireEvents | undefined;
  /** The oldest first. */
  private readonly pending: Pending[] = [];
  private sentBytes = 0;
  private isLooking = false;
  /** What of that was written when it was looked at last. */
  private writtenBytes = 0;
  private waitMs = LOOK_MS;
  private cancelLook: Cancel | undefined;
  /** Until its close is through, more may come of what is too large. */
  private isTooLarge = false;

  constructor(socket: PlatformSocket, clock: Clock, maxBytes: number) {
    this.socket = socket;
    this.clock = clock;
    this.maxBytes = maxBytes;
  }

  get protocol(): string {
    return this.socket.protocol;
  }

  get bufferedBytes(): number {
    return this.socket.bufferedAmount;
  }

  listen(events: WireEvents): void {
    const { socket } = this;
    this.events = events;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }: { readonly data: unknown }) => {
      if (typeof data === 'string') this.take(events, data, data.length);
      else if (data instanceof ArrayBuffer) this.take(events, new Uint8Array(data), data.byteLength);
    };
    socket.onerror = () => events.failed(undefined);
    socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) =>
      this.closed(code, reason);
  }

  send(data: WebSocketData, done: (error?: unknown) => void): void {
    const { socket } = this;
    if (socket.readyState !== OPEN) {
      done(new Error('closed'));
      return;
    }
    const before = socket.bufferedAmount;
    socket.send(data as string);
    // Its own count is the only one of UTF-8 bytes that costs nothing.
    this.sentBytes += socket.bufferedAmount - before;
    this.pending.push({ endsAt: this.sentBytes, done });
    if (this.isLooking) return;
    this.isLooking = true;
    this.clock.yield(this.look);
  }

  sendFrame(_frame: Uint8Array, done: (error?: unknown) => void): void {
    done(new Error('not on this side'));
  }

  pause(): void {
    // No browser can.
  }

  resume(): void {
    // It was never paused.
  }

  ping(): void {
    // No browser can.
  }

  pong(): void {
    // No browser can.
  }

  close(code: number, reason: string): void {
    this.socket.close(sendable(code) ? code : 1000, reason);
  }

  terminate(): void {
    const { socket } = this;
    // Its close stands behind all that is not written, and a peer that does not read keeps it there.
    socket.onmessage = socket.onerror = socket.onclose = null;
    socket.close();
    this.closed(1006, '');
  }

  private take(events: WireEvents, data: WebSocketData, bytes: number): void {
    if (this.isTooLarge) return;
    const fault = frameFault(data, this.maxBytes);
    if (fault === undefined) {
      events.data(data, bytes);
      return;
    }
    this.isTooLarge = true;
    events.failed(fault);
    this.socket.close();
  }

  private readonly look = (): void => {
    const { socket, pending } = this;
    this.isLooking = false;
    const writtenBytes = this.sentBytes - socket.bufferedAmount;
    if (writtenBytes > this.writtenBytes) this.waitMs = LOOK_MS;
    this.writtenBytes = writtenBytes;
    let written = 0;
    while (written < pending.length && (pending[written]?.endsAt ?? 0) <= writtenBytes) written += 1;
    for (const { done } of pending.splice(0, written)) done();
    if (pending.length > 0 && socket.readyState === OPEN) this.lookLater();
  };

  private lookLater(): void {
    if (this.isLooking) return;
    this.isLooking = true;
    this.cancelLook = this.clock.timer(this.waitMs, this.look, true);
    this.waitMs = Math.min(this.waitMs * 2, LONGEST_LOOK_MS);
  }

  private closed(code: number, reason: string): void {
    this.cancelLook?.();
    for (const { done } of this.pending.splice(0)) done(new Error('closed'));
    this.events?.closed(code, reason);
  }
}
