import type { MessageHeaders } from './headers.js';

/**
 * What a refused message becomes: tried again, moved to the dead letters, or given up and counted.
 *
 * @see Message
 */
export type NackThen = 'requeue' | 'dead' | 'drop';

/**
 * Where the answer to a request goes. Present only on messages whose sender waits for one.
 *
 * @see Message
 */
export interface ReplyPort<R> {
  /** Sends one reply; resolves once the transport took it over. */
  send(reply: R, headers?: MessageHeaders): Promise<void>;
  /** Tells the sender that no (further) reply comes; with a reason, that the request failed. */
  end(reason?: unknown): Promise<void>;
}

/** What {@link Message.with} may change besides the payload; `headers` replaces all of them. */
export interface MessagePatch {
  readonly topic?: string;
  readonly headers?: MessageHeaders;
  readonly key?: string;
}

/**
 * A payload in its envelope, with the one obligation that comes with it: whoever takes a message out of a flow settles
 * it, once, by {@link ack} or {@link nack}. Until then it counts against the credit of its source, and a restart
 * delivers it again.
 *
 * Copies made by {@link with} share the settlement: settling any of them settles all. To settle parts of a message on
 * their own, split it with `fork`.
 *
 * @example
 * import { memorySource } from 'sluice';
 * memorySource(broker, { topic: 'orders' }).subscribe((message) => {
 *   console.log(message.topic, message.payload);
 *   message.ack();
 * });
 * @see fork
 * @see join
 */
export interface Message<T> {
  /** The producer's id where the transport carries one, otherwise a random one; the same on a redelivery if it can be. */
  readonly id: string;
  /** The logical address, in every protocol. */
  readonly topic: string;
  readonly payload: T;
  readonly headers: MessageHeaders;
  /** What order is kept by. */
  readonly key: string | undefined;
  /** When it was produced, or else received: milliseconds since the epoch. */
  readonly timeMs: number;
  /** 1 on the first delivery. */
  readonly attempt: number;
  /** Aborts once: on settle, on a lost link, on release after stop. Created when first asked for. */
  readonly signal: AbortSignal;
  /** The protocol's own position, typed per connector: partition and offset, line and byte, delivery tag. */
  readonly meta: unknown;
  /** Present when the sender waits for an answer. */
  readonly reply: ReplyPort<unknown> | undefined;
  /** A copy with another payload and, by `patch`, another topic, headers or key. It shares this message's settlement. */
  with<U>(payload: U, patch?: MessagePatch): Message<U>;
  /**
   * Settles as done. Returns true when this call settled it; false when it was settled before or its source took it
   * back, which is counted and reported with both settlers named. Never throws and never delivers the next message.
   * `note` says why when there was nothing to do, for example `filtered`.
   */
  ack(note?: string): boolean;
  /**
   * Settles as failed for `reason`; `then` (default `requeue`) says what becomes of it. Returns like {@link ack}. After
   * the source's `maxAttempts` a requeue becomes `dead`.
   */
  nack(reason: unknown, then?: NackThen): boolean;
}
