/**
 * What a connector can do and promises, as flags. The conformance suite turns cases on and off by them, and the table of
 * connectors in the documentation is made from them, so a flag that is set is a promise that is tested. What is left out
 * is `false`, `none` or not promised.
 *
 * @example
 * import type { Features } from 'sluice/testing';
 * const features: Features = { ack: 'manual', confirms: 'local', flowControl: 'credit', headers: 'text', binary: true };
 * @see conformance
 */
export interface Features {
  /** `manual`: what is unsettled comes again. `auto`: gone once delivered. `none`: the far side hears of no settlement. */
  readonly ack: 'none' | 'auto' | 'manual';
  /** What a confirmed send means: taken by this process, by the broker, or safe from its loss. */
  readonly confirms: 'none' | 'local' | 'broker' | 'durable';
  /** How the far side is made to wait. */
  readonly flowControl: 'credit' | 'pause' | 'window' | 'tcp' | 'none';
  readonly headers: 'binary' | 'text' | 'none';
  /** What is published while nobody is subscribed is delivered to the next subscriber. */
  readonly backlog?: boolean;
  /** Every byte value passes in a payload. */
  readonly binary?: boolean;
  /** The source knows the size of its messages, so `creditBytes` holds. */
  readonly byteCredit?: boolean;
  /** Order of the whole channel, of each key, or as long as there is one consumer. */
  readonly ordered?: boolean;
  readonly orderedPerKey?: boolean;
  readonly orderedSingleConsumer?: boolean;
  /** A requeued message holds back those behind it; otherwise they come before it, and only it loses its place. */
  readonly orderOnRequeue?: boolean;
  readonly keyed?: boolean;
  /** Survives a kill of the broker. */
  readonly persistent?: boolean;
  /**
   * The far side writes settlements down late: what was settled in its last so many milliseconds comes again when it is
   * killed, whatever the window. Left out: it never forgets one.
   */
  readonly lateSettlementsMs?: number;
  readonly durableSubscription?: boolean;
  /** Each new subscriber gets all from the start. */
  readonly replay?: boolean;
  readonly consumerGroups?: boolean;
  /** Each of several subscribers gets every message; otherwise they compete. */
  readonly broadcast?: boolean;
  /** Settling one message settles all before it. */
  readonly cumulativeAck?: boolean;
  /** A requeued message is delivered again. */
  readonly nackRequeue?: boolean;
  /** Shortest time between two deliveries of a message that is requeued, in milliseconds. */
  readonly nackDelay?: number;
  readonly deadLetter?: boolean;
  /** `attempt` counts deliveries; otherwise it only tells the first one from a later one, or not even that. */
  readonly deliveryCount?: boolean;
  readonly exactlyOnce?: boolean;
  readonly transactional?: boolean;
  /** A message that no queue takes is refused, not confirmed. */
  readonly routingReport?: boolean;
  readonly ttl?: boolean;
  /** Largest message; one more byte is refused before it is sent. */
  readonly maxMessageBytes?: number;
  readonly requestReply?: boolean;
  readonly multiReply?: boolean;
  /** One delivery may be handed to several branches. */
  readonly fanOut?: boolean;
  /** The source ends by itself once all there is was delivered. */
  readonly finite?: boolean;
  /** A lost connection comes back by itself. */
  readonly reconnects?: boolean;
  readonly sessionResume?: boolean;
  readonly singleInstance?: boolean;
  readonly authModes?: readonly string[];
  readonly tls?: boolean;
  readonly mtls?: boolean;
  readonly tokenRefresh?: boolean;
  /** A silent peer is given up after so long. */
  readonly peerDetectMs?: number;
  /** A connection that lives and moves nothing is given up after so long. */
  readonly stallDetectMs?: number;
  /** The broker shows and takes orders: depth, unsettled, restart. */
  readonly brokerControl?: boolean;
  readonly exposesServer?: boolean;
}

/**
 * Why a case does not apply, in at least two words: a skip without a reason does not compile.
 *
 * @see Harness
 */
export type Reason = `${string} ${string}`;

/**
 * How the features are named in a reason: `reconnects`, `ack: manual`.
 *
 * @see Features
 */
export type Flag = keyof Features;
