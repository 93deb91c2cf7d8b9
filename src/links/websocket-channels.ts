import type { Cancel } from '../clock.js';
import { report } from '../observability/observe.js';
import type { WebSocketConnection } from './websocket-connection.js';
import { checkedFrame } from './websocket-frames.js';
import type { WebSocketData } from './websocket-wire.js';

/** What the server is told for somebody to get messages, and when nobody wants them any more. */
export interface ChannelFrames {
  /** Asked for again on every connection, so that it may carry a fresh token. */
  readonly open: WebSocketData | (() => WebSocketData);
  /** Sent when the last subscriber leaves. Default: none. */
  readonly close?: WebSocketData | (() => WebSocketData) | undefined;
}

interface Wanted {
  readonly frames: ChannelFrames;
  users: number;
}

/**
 * The channels that somebody wants, counted. On every new connection their open frames are the first to be sent, so
 * nothing that was queued meanwhile can come before them; a channel that is wanted again while it is open sends nothing.
 *
 * @internal
 */
export class Channels {
  private readonly maxBytes: number;
  private readonly wanted = new Map<string | symbol, Wanted>();
  private connection: WebSocketConnection | undefined;

  /** @param maxBytes largest frame that is sent */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Counts a user of the channel until cancelled; `key` tells which ones share it. */
  want(key: string | symbol, frames: ChannelFrames): Cancel {
    let entry = this.wanted.get(key);
    if (entry === undefined) {
      const { open } = frames;
      // First, as what cannot be sent opens nothing. A function may say something else by the time there is a connection.
      if (this.connection !== undefined || typeof open !== 'function') {
        const frame = this.frameOf(open);
        this.connection?.send(frame);
      }
      entry = { frames, users: 0 };
      this.wanted.set(key, entry);
    }
    entry.users += 1;
    const own = entry;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      own.users -= 1;
      if (own.users > 0) return;
      this.wanted.delete(key);
      if (own.frames.close === undefined) return;
      try {
        this.connection?.send(this.frameOf(own.frames.close));
      } catch (error) {
        // Whoever leaves has to be able to.
        report({ type: 'stage.failed', stage: 'websocket channel', reason: error });
      }
    };
  }

  /** A new connection: tells it all that is wanted. */
  opened(connection: WebSocketConnection): void {
    this.connection = connection;
    for (const { frames } of this.wanted.values()) connection.send(this.frameOf(frames.open));
  }

  lost(connection: WebSocketConnection): void {
    if (this.connection === connection) this.connection = undefined;
  }

  private frameOf(frame: WebSocketData | (() => WebSocketData)): WebSocketData {
    return checkedFrame(typeof frame === 'function' ? frame() : frame, this.maxBytes);
  }
}
