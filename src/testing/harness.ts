import type { Clock } from '../clock.js';
import type { SinkOptions } from '../connection/define-sink.js';
import type { SourceOptions } from '../connection/define-source.js';
import type { Flow, Sink } from '../connection/flow.js';
import type { Features, Reason } from './features.js';
import type { CaseId } from './case-id.js';
import type { Direction } from './direction.js';

type Done = void | Promise<void>;

/**
 * Orders to the broker. A kill is a SIGKILL or as sudden; a restart is in order.
 *
 * @see Harness
 */
export interface BrokerVerbs {
  stop(): Done;
  start(): Done;
  kill(): Done;
  restart(): Done;
  /**
   * The channels that there are outlive a kill from now on: some brokers write down late that there is one, and come back without
   * it and all it had. Left out: they always do.
   */
  written(): Done;
}

/**
 * Faults of the network between client and far side, see `faultProxy`. `heal` takes all of them off.
 *
 * @see Harness
 */
export interface NetVerbs {
  /** Ends every open connection, by a reset or in order. Each comes back by itself. */
  cut(how: 'rst' | 'fin'): Done;
  /** No new connection comes up. */
  refuse(): Done;
  /** Connections stay and bytes vanish; without a direction, both ways. */
  blackhole(direction?: Direction): Done;
  /** The far side answers signs of life and does nothing else: no deliveries, no confirmations. */
  stall(): Done;
  /** Everything takes so long, give or take the jitter. */
  latency(ms: number, jitterMs: number): Done;
  /** Bytes come in pieces of at most so many. */
  slice(bytes: number): Done;
  /** Lets so many more bytes through, then resets the connection that carried the last of them. Once. */
  limit(bytes: number): Done;
  heal(): Done;
}

/**
 * Room at the far side.
 *
 * @see Harness
 */
export interface StoreVerbs {
  /** The channel takes no further message: a full queue or disk, a quota, an alarm. */
  fill(channel: string): Done;
  free(channel: string): Done;
}

/**
 * Who the far side lets in.
 *
 * @see Harness
 */
export interface AuthVerbs {
  /** Whoever connects from now on is refused for good: unknown, not permitted, or nothing there for them. */
  deny(): Done;
  grant(): Done;
  /** What the open connections were let in with is not good any more; what the client gets anew, is. */
  expire(): Done;
}

/**
 * What the far side itself says, beside the connector.
 *
 * @see Harness
 */
export interface PeekVerbs {
  /** Messages that wait for a consumer. */
  depth(channel: string): number | Promise<number>;
  /** Messages that were handed out and not settled. */
  unsettled(channel: string): number | Promise<number>;
  /** Position before which all is done, of a log. */
  committed(channel: string): number | Promise<number>;
  /** Connections, readers or files opened so far, by sources and sinks. */
  opened(): number | Promise<number>;
  /** Connections, readers or files that are open now. */
  open(): number | Promise<number>;
  /** Bytes that the network passed on so far to readers of the channel, see `passed` of a `faultProxy`. */
  passed(channel: string): number | Promise<number>;
  /** Readers of the channel that the far side knows of. */
  consumers(channel: string): number | Promise<number>;
}

/**
 * Clients in a process of their own, or a simulation of one.
 *
 * @see Harness
 */
export interface ProcVerbs {
  /**
   * Consumes the channel and dies without a word after `deliveries`. Before that it acks the ones that `settles` names by
   * their number from 0, in that order, or every second one. Resolves with the payloads it acked.
   */
  crash(
    channel: string,
    options: { readonly credit: number; readonly deliveries: number; readonly settles?: readonly number[] },
  ): Promise<Uint8Array[]>;
  /**
   * Runs a flow over the channel that acks each message `workMs` after it came, never for `Infinity`; is asked to stop, as
   * by SIGTERM, after so many deliveries; and ends, with an exit code other than 0 if it could not in time.
   */
  terminate(
    channel: string,
    options: {
      readonly credit: number;
      readonly deliveries: number;
      readonly workMs: number;
      readonly drainTimeoutMs: number;
    },
  ): Promise<{ readonly exitCode: number; readonly acked: readonly Uint8Array[]; readonly said: string }>;
  /** Takes what the credit allows and holds it for `forMs`. Resolves with how much its memory grew by that. */
  hold(channel: string, options: { readonly credit: number; readonly forMs: number }): Promise<{ grownBytes: number }>;
}

/**
 * Everything a bench may offer besides its source and sink.
 *
 * @see Harness
 */
export type Verb =
  | 'sink'
  | 'raw'
  | 'unbound'
  | 'copy'
  | 'defaults'
  | `store.${keyof StoreVerbs}`
  | `auth.${keyof AuthVerbs}`
  | `broker.${keyof BrokerVerbs}`
  | `net.${keyof NetVerbs}`
  | `peek.${keyof PeekVerbs}`
  | `proc.${keyof ProcVerbs}`;

/**
 * What a case asks of a source besides the options that all have.
 *
 * @see Harness
 */
export interface BenchSourceOptions extends SourceOptions {
  /** The consumer group, for connectors with `consumerGroups`. Default: none is asked for. */
  readonly group?: string;
  /** Everything there ever was, for connectors with `replay`. Default: not asked for. */
  readonly replay?: true;
}

/**
 * Rows of the secure defaults that a connector can have, see the case SEC-01.
 *
 * @see Bench
 */
export type DefaultRow =
  | 'listen address'
  | 'anonymous server'
  | 'message limit'
  | 'decompression'
  | 'timeouts'
  | 'connections'
  | 'origin'
  | 'authentication'
  | 'transport security'
  | 'paths'
  | 'secrets'
  | 'error replies'
  | 'wildcards';

/**
 * What a case puts on a channel without a sink.
 *
 * @see Harness
 */
export interface Fed {
  readonly payload: Uint8Array;
  readonly key: string | undefined;
}

/**
 * A fresh far side for one case, and how to reach it. Payloads are bytes on both ends; where a connector carries text or
 * values, the bench maps them.
 *
 * @see Harness
 */
export interface Bench {
  /** A topic, queue or path that nobody used before; `hint` is the name it should have as far as possible. */
  channel(hint?: string): string;
  source(channel: string, options: BenchSourceOptions): Flow<Uint8Array>;
  /** Left out by connectors that only read; then there is `feed`. */
  sink?(channel: string, options: SinkOptions): Sink<Uint8Array>;
  /** Puts messages on the channel beside the connector, where there is no sink. */
  feed?(channel: string, messages: readonly Fed[]): Done;
  /** Tells a finite source that the channel is complete, where it has to be told. */
  finish?(channel: string): Done;
  readonly broker?: Partial<BrokerVerbs>;
  readonly net?: Partial<NetVerbs>;
  readonly peek?: Partial<PeekVerbs>;
  readonly proc?: Partial<ProcVerbs>;
  readonly store?: Partial<StoreVerbs>;
  readonly auth?: Partial<AuthVerbs>;
  /** Sends bytes to the port that the connector opened, as a peer of bad manners would. How that connection ended. */
  raw?(bytes: Uint8Array): Promise<'closed' | 'open'>;
  /** A channel that a sink can send to and nothing takes from, for connectors with `routingReport`. */
  unbound?(): string;
  /** Passes each message on exactly once, until it is stopped, for connectors with `exactlyOnce`. */
  copy?(from: string, to: string): { stop(): Done };
  /** Proves one secure default each; throws where it does not hold. */
  readonly defaults?: Readonly<Partial<Record<DefaultRow, () => Done>>>;
  /**
   * The far side has more out than it is allowed, so what it brings again after a lost connection is bounded by nothing. Then
   * only what sinks sent twice is counted: there `attempt` has to be 1.
   */
  readonly overruns?: boolean;
  /**
   * What the far side says of itself, for the message of a case that failed in real time: alarms, queues, the end of its
   * log. What a failure may have been caused by is gone once the bench is closed.
   */
  explain?(): string | Promise<string>;
  /** Ends what the bench started. Called once, after the case. */
  close?(): Done;
}

/**
 * What a bench is opened with.
 *
 * @see Harness
 */
export interface BenchKit {
  readonly clock: Clock;
  /** From 0 to just below 1; in virtual time the same for the same seed. */
  readonly random: () => number;
  /** 1 in an ordinary run. A bench may be a rougher one for others: slow, uneven, or with partitions. */
  readonly seed: number;
}

/**
 * A connector on the bench: what it promises, and how to set it up.
 *
 * @example
 * import { memoryBroker, memorySink, memorySource } from 'sluice';
 * import type { Harness } from 'sluice/testing';
 * const harness: Harness = {
 *   name: 'memory',
 *   clock: 'virtual',
 *   features: { ack: 'manual', confirms: 'local', flowControl: 'credit', headers: 'text', backlog: true },
 *   can: ['sink'],
 *   open({ clock }) {
 *     const broker = memoryBroker({ clock });
 *     return {
 *       channel: () => 'topic',
 *       source: (topic, options) => memorySource(broker, { ...options, topic }),
 *       sink: (topic, options) => memorySink(broker, { ...options, topic }),
 *     };
 *   },
 * };
 * @see conformance
 */
export interface Harness {
  readonly name: string;
  readonly features: Features;
  /** `virtual` where nothing but promises and the clock moves the connector; `real` with sockets, files, processes. */
  readonly clock: 'virtual' | 'real';
  /** Everything the bench offers besides `source`. */
  readonly can: readonly Verb[];
  /** Cases that do not apply although their flags are set, and why. */
  readonly skips?: { readonly [id in CaseId]?: Reason };
  /** Most messages that a case sends. Default 10,000 in virtual, 1,000 in real time. */
  readonly maxMessages?: number;
  /** How long a case waits for something in real time before it fails. Default 10,000 ms. */
  readonly withinMs?: number;
  /** How long a case watches, in real time, that something does not happen. Default 50 ms. */
  readonly quietMs?: number;
  /** Heartbeat of the bench's connections. Default: a third of `peerDetectMs`. */
  readonly heartbeatMs?: number;
  /** Longest wait between two tries of the bench's connections. Default: that of the cases, 200 ms. */
  readonly reconnectMaxMs?: number;
  /** Passwords and tokens that the bench uses: no event, error or name may ever show one. */
  readonly secrets?: readonly string[];
  /** How long the soak runs, in real time. Default: it is skipped. */
  readonly soakMs?: number;
  /** Called once per case, with the clock that is in force during it. */
  open(kit: BenchKit): Bench | Promise<Bench>;
}
