import type { Envelope } from './envelope.js';
import type { Message } from './message.js';

/**
 * How a message ends. `release` hands it back untouched: it was never worked on, so no attempt is counted.
 *
 * @see Message
 */
export type Outcome = 'ack' | 'requeue' | 'dead' | 'drop' | 'release';

/**
 * Who answers for a message: the source that emitted it, or a stage that splits, joins or watches in between. One object
 * answers for many messages, so settling allocates nothing.
 *
 * @internal
 */
export interface Settler {
  /**
   * Called once per message, by its first settlement. Never throws, never delivers. The reason of a `release` may be a
   * {@link Later}.
   */
  settle(root: Envelope<unknown>, outcome: Outcome, reason: unknown): void;
  /** A settlement after the first one, or after the message was taken back. */
  late(root: Envelope<unknown>, outcome: Outcome, stage: string): void;
  /** A stage holds one of its messages now. Left out by sources: their messages know it themselves. */
  held?(stage: string, root: Envelope<unknown>): void;
  /** How many messages of its source may be unsettled at once, as it stands now. */
  limit(): number;
  /** The same in bytes. Left out where nobody counts them. */
  limitBytes?(): number;
  /** A signal that ends this message too. */
  outerSignal?(root: Envelope<unknown>): AbortSignal | undefined;
  /** False once what it was made from is settled or taken back. Left out by a source: its messages answer themselves. */
  isOpen?(root: Envelope<unknown>): boolean;
  /** True once settling it would touch nothing, as what it was made from was taken back. Left out by a source. */
  isStale?(root: Envelope<unknown>): boolean;
  /** What it was made from. Left out by a source: its messages are made from nothing else. */
  origins?(root: Envelope<unknown>): readonly Message<unknown>[];
  /** How many of its messages may have passed it and be unsettled. Left out where only a source bounds them. */
  readonly bound?: RelayBound | undefined;
  /** The messages that it was joined from, or that what it stands for was. Left out where there is no such thing. */
  membersOf?(root: Envelope<unknown>): readonly Message<unknown>[] | undefined;
  /** True when a `requeue` would become `dead`. */
  isLastAttempt?(root: Envelope<unknown>): boolean;
  /**
   * Lets the message wait without credit until it is brought back. It stays the same message, open, and may be settled
   * where it waits. Gives `undefined` when that is not possible: the message then keeps its credit.
   */
  park?(root: Envelope<unknown>, listener: ParkListener): Parked | undefined;
}

/**
 * The source itself. What a stage makes has identity and time from what it was made from, and who waits for a source asks that.
 *
 * @internal
 */
export interface SourceSettler extends Settler {
  newId(root: Envelope<unknown>): string;
  /** When a message that carries no time of its own was emitted, in milliseconds since the epoch. */
  wallMs(root: Envelope<unknown>): number;
  /** True while the source emits nothing more until something it emitted is settled. */
  isWaiting(): boolean;
  /** How many of its messages are unsettled now. */
  pending(): number;
  /** Calls `listener` when {@link isWaiting} becomes true, until cancelled. */
  onWaiting(listener: () => void): () => void;
}

/** A bound of a stage's own on how many messages have passed it and are unsettled. @internal */
export interface RelayBound {
  readonly limit: number;
  /** True while it lets no further message pass. */
  isFull(): boolean;
  /** Calls `listener` when {@link isFull} becomes true, until cancelled. */
  onFull(listener: () => void): () => void;
}

/** The reason of a `release` that is to reach the far side only after a while, so that nothing spins. */
export interface Later {
  readonly delayMs: number;
}

/** A message that waits without credit. @internal */
export interface Parked {
  /**
   * Asks for it; it may be of use only with others that are asked for in the same go. True: it has its credit already.
   * Otherwise its listener is told when it has.
   */
  bring(withOthers?: boolean): boolean;
}

/** Who let a message wait. @internal */
export interface ParkListener {
  /** It was asked for, and now has credit again. */
  back(): void;
  /** It was settled, handed back or lost where it waited. Must not deliver. */
  gone(): void;
}
