import type { Cancel, Clock } from '../clock.js';
import { Listeners } from '../connection/listeners.js';
import { SluiceError } from '../errors.js';
import { report } from '../observability/observe.js';
import type { Wire, WebSocketData } from './websocket-wire.js';

/**
 * A frame as matchers see it: the same object for all of them.
 *
 * @see webSocket
 */
export interface WebSocketFrame {
  readonly data: WebSocketData;
  /** A text frame parsed as JSON, at most once per frame; `undefined` when it is not JSON. */
  readonly json: unknown;
}

/** Who wants frames. */
export interface FrameReceiver {
  /** Left out: every frame. */
  readonly match?: ((frame: WebSocketFrame) => boolean) | undefined;
  take(data: WebSocketData, bytes: number): void;
  /** Nothing more will come over this connection. */
  ended?(): void;
}

/** What a connection is set up with. */
export interface ConnectionSettings {
  readonly clock: Clock;
  readonly topic: string;
  /** Written and not yet taken by the kernel before writers are asked to wait. */
  readonly maxBufferedBytes: number;
  /** How often a connection that does not read says that it lives. */
  readonly keepAliveMs: number;
  /** Called once, when the socket is closed, for whatever reason. */
  closed(code: number, reason: string, cause: unknown): void;
}

/** A write that is through so long after a ping waited for the network, not for a look at it. */
const LATE_MS = 50;

const closedError = (): SluiceError =>
  new SluiceError('CONNECTION_LOST', 'The WebSocket connection is closed.', { retriable: true });

class Frame implements WebSocketFrame {
  readonly data: WebSocketData;
  private parsed: { readonly value: unknown } | undefined;

  constructor(data: WebSocketData) {
    this.data = data;
  }

  get json(): unknown {
    this.parsed ??= { value: typeof this.data === 'string' ? parse(this.data) : undefined };
    return this.parsed.value;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * One open socket, shared by the sources and sinks of a link: it hands each frame to those that want it, makes the peer
 * wait while one of them cannot take more, and tells writers when to wait.
 *
 * While reading is held off, nothing answers the peer's pings: they stand behind the data that is not read. So the
 * connection sends pongs unasked, which any peer that follows RFC 6455, 5.5.3 accepts as a sign of life.
 *
 * @internal
 */
export class WebSocketConnection {
  readonly topic: string;
  readonly clock: Clock;
  isOpen = true;
  /** Something came in since somebody last set this to false. */
  hasHeard = true;
  /** Frames that nobody wanted. */
  unclaimed = 0;
  private readonly wire: Wire;
  private readonly settings: ConnectionSettings;
  /** Each with its number, in the order in which they came. */
  private readonly receivers = new Map<FrameReceiver, number>();
  /** The number of the newest. */
  private newest = 0;
  /** The receiver where there is just one, as nearly always: a look into a set for each frame costs more than the frame. */
  private sole: FrameReceiver | undefined;
  /** Those who cannot take more. While there is one, nothing is read. */
  private readonly holders = new Set<FrameReceiver>();
  private readonly writable = new Listeners();
  /** Those who wait for any write to be through. */
  private readonly written = new Listeners();
  private readonly ends = new Listeners();
  /** Someone was told to wait and has not been told to go on. */
  private isFull = false;
  private stopKeepAlive: Cancel | undefined;
  /** Those who asked for a sign of life. Whatever comes in is one. */
  private asking: (() => void)[] = [];
  /** How often the peer was asked for one, when it was last, and whether that stands behind what the network does not take. */
  private asked = 0;
  private askedMs = 0;
  private isBehind = false;
  private failure: unknown;
  /** Set while this side closes: what still comes in is read, so that the peer's close is found, and thrown away. */
  private isClosing = false;
  private readonly gone: Promise<void>;
  private tellGone: () => void = () => undefined;

  constructor(wire: Wire, settings: ConnectionSettings) {
    this.wire = wire;
    this.settings = settings;
    this.clock = settings.clock;
    this.topic = settings.topic;
    this.gone = new Promise((resolve) => (this.tellGone = resolve));
    wire.listen({
      data: (data, bytes) => this.data(data, bytes),
      pong: () => this.heard(),
      heard: () => this.heard(),
      failed: (error) => (this.failure ??= error),
      closed: (code, reason) => this.closed(code, reason),
    });
  }

  get protocol(): string {
    return this.wire.protocol;
  }

  get canPause(): boolean {
    return this.wire.canPause;
  }

  /** False once it is closed or this side has begun to close it. */
  get isUsable(): boolean {
    return this.isOpen && !this.isClosing;
  }

  get isHeld(): boolean {
    return this.holders.size > 0;
  }

  get bufferedBytes(): number {
    return this.wire.bufferedBytes;
  }

  // --- reading ------------------------------------------------------------------------------------------------------

  attach(receiver: FrameReceiver): void {
    this.receivers.set(receiver, (this.newest += 1));
    this.findSole();
    if (!this.isOpen) receiver.ended?.();
  }

  detach(receiver: FrameReceiver): void {
    this.receivers.delete(receiver);
    this.findSole();
    this.release(receiver);
  }

  /** Reads no further until {@link release}. The rest of the chunk that is being read still comes. */
  hold(receiver: FrameReceiver): void {
    if (!this.wire.canPause || !this.isUsable || this.holders.has(receiver)) return;
    this.holders.add(receiver);
    if (this.holders.size > 1) return;
    this.wire.pause();
    const { clock, keepAliveMs } = this.settings;
    const say = (): void => {
      this.wire.pong();
      cancel = clock.timer(keepAliveMs, say, true);
    };
    let cancel = clock.timer(keepAliveMs, say, true);
    this.stopKeepAlive = () => cancel();
  }

  release(receiver: FrameReceiver): void {
    if (!this.holders.delete(receiver) || this.holders.size > 0) return;
    this.stopKeepAlive?.();
    this.stopKeepAlive = undefined;
    // What follows a long silence is not the silence of a dead peer.
    this.heard();
    this.wire.resume();
  }

  private data(data: WebSocketData, bytes: number): void {
    this.heard();
    if (this.isClosing) return;
    const { sole } = this;
    if (sole !== undefined && sole.match === undefined) {
      this.give(sole, data, bytes);
      return;
    }
    const frame = new Frame(data);
    // Whoever comes while a frame is given out came after it: a flow that fails on it and is tried again would fail for ever.
    const { newest } = this;
    let wanted = false;
    for (const [receiver, number] of this.receivers)
      if (number <= newest && this.give(receiver, data, bytes, frame)) wanted = true;
    if (!wanted) this.unclaimed += 1;
  }

  /** Says whether the receiver wanted it; without a frame it wants all. */
  private give(receiver: FrameReceiver, data: WebSocketData, bytes: number, frame?: Frame): boolean {
    let wanted = false;
    try {
      wanted = frame === undefined || receiver.match === undefined || receiver.match(frame);
      if (wanted) receiver.take(data, bytes);
    } catch (error) {
      // A throw would stop the client's reading for good while the socket stays open.
      report({ type: 'stage.failed', stage: 'websocket', reason: error });
    }
    return wanted;
  }

  private findSole(): void {
    const { receivers } = this;
    this.sole = undefined;
    if (receivers.size === 1) for (const receiver of receivers.keys()) this.sole = receiver;
  }

  private heard(): void {
    this.hasHeard = true;
    if (this.asking.length > 0) for (const answer of this.asking.splice(0)) answer();
  }

  // --- writing ------------------------------------------------------------------------------------------------------

  /** Writes at once. False asks to wait for {@link onWritable}; what is sent all the same is written too. */
  send(data: WebSocketData, done?: (error?: unknown) => void): boolean {
    if (!this.isUsable) {
      done?.(closedError());
      return false;
    }
    this.wire.send(data, this.whenWritten(done));
    if (this.wire.bufferedBytes >= this.settings.maxBufferedBytes) this.isFull = true;
    return !this.isFull;
  }

  /** Writes a frame that was built before, for many connections at once. */
  sendFrame(frame: Uint8Array, done: (error?: unknown) => void): void {
    if (!this.isUsable) done(closedError());
    else this.wire.sendFrame(frame, this.whenWritten(done));
  }

  private whenWritten(done: ((error?: unknown) => void) | undefined): (error?: unknown) => void {
    const { asked } = this;
    return (error) => {
      // What stood before the ping was let through by the peer's acknowledgements: a slow peer is not a dead one, although
      // it answers late.
      if (this.isBehind && asked < this.asked && this.clock.elapsed() - this.askedMs > LATE_MS) this.heard();
      done?.(error);
      if (this.isFull && this.wire.bufferedBytes * 2 <= this.settings.maxBufferedBytes) {
        this.isFull = false;
        this.writable.tell();
      }
      this.written.tell();
    };
  }

  /** Calls `listener` after each write that the kernel took, or never will, whoever wrote it. */
  onWritten(listener: () => void): Cancel {
    return this.written.add(listener);
  }

  onWritable(listener: () => void): Cancel {
    return this.writable.add(listener);
  }

  // --- life ---------------------------------------------------------------------------------------------------------

  /**
   * Asks for a sign of life, by `frame` where it is given: resolves with whatever comes in next. Resolves at once where
   * there is no way to ask, and while nothing is read: then silence says nothing about the peer.
   */
  ping(frame?: WebSocketData): Promise<void> {
    if (this.isHeld || (frame === undefined && !this.wire.canPause)) return Promise.resolve();
    this.ask();
    return new Promise((resolve) => {
      this.asking.push(resolve);
      if (frame === undefined) this.wire.ping();
      else this.send(frame);
    });
  }

  /** Asks for a sign of life that {@link hasHeard} will show. */
  nudge(): void {
    this.ask();
    this.wire.ping();
  }

  private ask(): void {
    this.asked += 1;
    this.askedMs = this.clock.elapsed();
    this.isBehind = this.wire.bufferedBytes > 0;
  }

  /** Closes in order, at the latest after `timeoutMs` by force. Resolves when the socket is gone. */
  close(code: number, reason: string, timeoutMs: number): Promise<void> {
    if (!this.isOpen) return Promise.resolve();
    if (!this.isClosing) {
      this.isClosing = true;
      for (const holder of [...this.holders]) this.release(holder);
      const cancel = this.clock.timer(timeoutMs, () => this.wire.terminate());
      void this.gone.then(cancel);
      this.wire.close(code, reason);
    }
    return this.gone;
  }

  /** Gives the connection up for `error`, which its users are told. */
  fail(error: SluiceError): void {
    this.failure ??= error;
    // What still comes of the chunk that is being read has no place any more.
    this.isClosing = true;
    this.wire.terminate();
  }

  /** Calls `listener` when the socket is gone, at once when it is. */
  onClosed(listener: () => void): Cancel {
    if (this.isOpen) return this.ends.add(listener);
    listener();
    return () => undefined;
  }

  private closed(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.stopKeepAlive?.();
    this.holders.clear();
    this.asking = [];
    for (const receiver of [...this.receivers.keys()]) receiver.ended?.();
    this.receivers.clear();
    this.findSole();
    this.settings.closed(code, reason, this.failure);
    this.writable.clear();
    this.written.clear();
    this.ends.tell();
    this.ends.clear();
    this.tellGone();
  }
}
