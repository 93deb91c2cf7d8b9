import type { Cancel } from '../clock.js';
import { Ring } from '../connection/ring.js';
import { report } from '../observability/observe.js';
import type { WebSocketConnection } from './websocket-connection.js';

/**
 * What becomes of messages for a client that does not keep up.
 *
 * @see WebSocketBroadcastOptions
 */
export type SlowPolicy = 'drop-oldest' | 'conflate' | 'close';

/** The bounds of a {@link Lane}. */
export interface LaneBounds {
  readonly policy: SlowPolicy;
  readonly maxQueued: number;
  readonly maxBufferedBytes: number;
}

/** Beyond this a socket is behind. What it was given cannot be dropped or conflated any more, so it is given little. */
const SOCKET_BYTES = 64 * 1024;

/** «Try again later». Source: the registry of close codes that RFC 6455, 11.7 founds. */
const TOO_SLOW = 1013;

/** How long a client that was too slow has to say goodbye before it is cut. */
const GOODBYE_MS = 1_000;

const ignored = (): void => undefined;

/** What one client of a broadcast has not got yet: bounded, and nobody else waits for it. @internal */
export class Lane {
  private readonly connection: WebSocketConnection;
  private readonly client: { readonly id: string };
  private readonly bounds: LaneBounds;
  private readonly socketBytes: number;
  private readonly queue: FrameQueue;
  /** Set while frames are queued: whoever wrote what stands in the socket, the end of that makes room. */
  private stopWaiting: Cancel | undefined;
  private dropped = 0;
  /** The next count of drops that is reported: doubling, so that a slow client does not flood the observer. */
  private reportAt = 1;

  constructor(connection: WebSocketConnection, client: { readonly id: string }, bounds: LaneBounds) {
    this.connection = connection;
    this.client = client;
    this.bounds = bounds;
    this.socketBytes = Math.min(SOCKET_BYTES, Math.ceil(bounds.maxBufferedBytes / 2));
    this.queue = bounds.policy === 'conflate' ? new LatestFrames() : new AllFrames();
  }

  get isBehind(): boolean {
    return this.queue.length > 0 || this.connection.bufferedBytes >= this.socketBytes;
  }

  /** Sends the frame now, or queues it by the policy. `sent` is called when the kernel has it, or never will. */
  put(frame: Uint8Array, key: string | undefined, sent: () => void = ignored): void {
    if (!this.isBehind) {
      this.connection.sendFrame(frame, sent);
      return;
    }
    if (!this.connection.isUsable) return;
    const { policy, maxQueued, maxBufferedBytes } = this.bounds;
    this.queue.push(frame, key);
    this.stopWaiting ??= this.connection.onWritten(this.drain);
    const maxBytes = maxBufferedBytes - this.socketBytes;
    while (this.queue.length > maxQueued || (this.queue.bytes > maxBytes && this.queue.length > 1)) {
      if (policy === 'close') {
        this.giveUp();
        return;
      }
      this.queue.shift();
      this.dropped += 1;
    }
    if (this.dropped >= this.reportAt) this.tell();
  }

  private readonly drain = (): void => {
    const { queue, connection, socketBytes } = this;
    if (connection.bufferedBytes >= socketBytes) return;
    this.stopWaiting?.();
    while (queue.length > 0 && connection.bufferedBytes < socketBytes) {
      connection.sendFrame(queue.shift() as Uint8Array, ignored);
    }
    // Behind the other broadcasts that wait for the same client: each has its turn.
    this.stopWaiting = queue.length > 0 ? connection.onWritten(this.drain) : undefined;
  };

  private giveUp(): void {
    this.dropped += this.queue.length;
    this.queue.clear();
    this.tell();
    void this.connection.close(TOO_SLOW, 'too slow', GOODBYE_MS);
  }

  private tell(): void {
    const { dropped } = this;
    this.reportAt = dropped * 2;
    report({
      type: 'peer.slow',
      connector: 'websocket broadcast',
      peer: this.client.id,
      policy: this.bounds.policy,
      dropped,
    });
  }
}

interface FrameQueue {
  readonly length: number;
  readonly bytes: number;
  push(frame: Uint8Array, key: string | undefined): void;
  shift(): Uint8Array | undefined;
  clear(): void;
}

class AllFrames implements FrameQueue {
  bytes = 0;
  private readonly ring = new Ring<Uint8Array>();

  get length(): number {
    return this.ring.length;
  }

  push(frame: Uint8Array): void {
    this.bytes += frame.byteLength;
    this.ring.push(frame);
  }

  shift(): Uint8Array | undefined {
    const frame = this.ring.shift();
    this.bytes -= frame?.byteLength ?? 0;
    return frame;
  }

  clear(): void {
    this.ring.clear();
    this.bytes = 0;
  }
}

/** The latest frame of each key. A newer one takes the place of the older one, so that no key waits for ever. */
class LatestFrames implements FrameQueue {
  bytes = 0;
  private readonly frames = new Map<string, Uint8Array>();

  get length(): number {
    return this.frames.size;
  }

  push(frame: Uint8Array, key: string = ''): void {
    this.bytes += frame.byteLength - (this.frames.get(key)?.byteLength ?? 0);
    this.frames.set(key, frame);
  }

  shift(): Uint8Array | undefined {
    for (const [key, frame] of this.frames) {
      this.frames.delete(key);
      this.bytes -= frame.byteLength;
      return frame;
    }
    return undefined;
  }

  clear(): void {
    this.frames.clear();
    this.bytes = 0;
  }
}
