import type { Message } from '../message/message.js';

/** Where a branch leads: a stage that is subscribed, or a sink. @internal */
export interface Target<I> {
  /** False while nobody takes what is given: not subscribed yet, or broken. */
  readonly isUp: boolean;
  /** @throws SluiceError when it can never be started. */
  start(): void;
  /** The message says already which branch holds it. */
  next(message: Message<I>): void;
  /** Nothing more will be given; {@link TargetOwner.ended} follows. */
  complete(): void;
  /** The flow failed for good. */
  error(error: unknown): void;
  /** The flow was unsubscribed. */
  stop(): void;
}

/** One way out of a router: a branch, or a target that needs none in front of it. @internal */
export interface Way<I> extends Omit<Target<I>, 'isUp'> {
  /** It takes no messages any more. */
  readonly isOver: boolean;
}

/** Who has a target. @internal */
export interface TargetOwner<O> {
  /** A message came out of it. */
  emit(message: Message<O>): void;
  /** It takes messages, again or for the first time. */
  up(): void;
  /** It is over, after `complete` or by itself. */
  ended(): void;
}
