import type { Observable } from 'rxjs';
import type { Cancel } from '../clock.js';
import type { SluiceError } from '../errors.js';
import type { Message } from '../message/message.js';
import type { MessageFacts, SluiceEvent } from '../observability/events.js';
import type { Status } from '../observability/status.js';
import type { Sink } from './flow.js';

/**
 * What a source counted since it was subscribed.
 *
 * @see Unfinished
 */
export interface SourceCounts {
  /** Deliveries, redeliveries included. Each ends as acked, requeued, dead, dropped or released. */
  readonly emitted: number;
  readonly acked: number;
  readonly requeued: number;
  readonly dead: number;
  /** Nacked as `drop`, and besides what an overflow policy gave up before it was emitted. */
  readonly dropped: number;
  /** Settlements that came too late: second ones, and ones of messages that were taken back. */
  readonly late: number;
  /** Taken back unsettled. */
  readonly released: number;
  /** How often its reader or link was lost. */
  readonly reconnects: number;
}

/**
 * One message that nobody settled yet.
 *
 * @see SourceCounts
 */
export interface Unfinished extends MessageFacts {
  readonly connector: string;
  readonly ageMs: number;
}

/** A subscribed source, as the runtime sees it. */
export interface SourceHandle {
  readonly connector: string;
  readonly status$: Observable<Status>;
  readonly status: Status;
  readonly counts: SourceCounts;
  readonly credit: number;
  readonly unsettled: number;
  readonly unsettledBytes: number;
  /** Messages that were emitted and wait without credit. */
  readonly parked: number;
  /** So many wait that nothing new is taken. */
  readonly isParkingFull: boolean;
  readonly oldestUnsettledMs: number;
  /**
   * Stops intake; the flow completes once everything emitted was settled. Without `goesOn`, what is given back to a source whose
   * transport cannot bring it again is not emitted again either: there is nobody left who takes it.
   */
  drain(goesOn?: boolean): void;
  unfinished(): readonly Unfinished[];
  /** Takes back what is unsettled, so that a drain ends now. */
  release(reason: unknown): void;
}

/** A sink that has been given a message, as the runtime sees it. */
export interface SinkHandle {
  readonly connector: string;
  readonly status$: Observable<Status>;
  readonly status: Status;
  readonly unconfirmed: number;
  readonly queued: number;
  readonly confirmedCount: number;
  readonly failedCount: number;
}

/** True for a sink of the kit. @internal */
export function isSinkHandle(sink: object): sink is SinkHandle {
  return 'unconfirmed' in sink && 'confirmedCount' in sink;
}

/** Who wants to know which sources and sinks a flow is made of. */
export interface Scope {
  addSource(source: SourceHandle): void;
  /** A sink in the middle of the flow, or at the end of one of its branches, until what this gives is called. */
  addSink?(sink: Sink<never>): Cancel;
  /** What is no source and brings sources: `end` is called when a stop begins. Until what this gives is called. */
  addIntake?(end: () => void): Cancel;
  /** What happens to the messages of its sources. */
  event?(event: SluiceEvent): void;
  /**
   * Takes a message that its source read but could not make a payload of: the payload is what was read. Whoever takes it
   * settles it. Without this, the source gives it up as dead. A stage that keeps dead letters subscribes its source in a
   * scope with this, because such a message never travels down the flow.
   */
  refused?(message: Message<unknown>, reason: SluiceError): void;
}

let current: Scope | undefined;

/** The scope that what is subscribed now belongs to. @internal */
export function currentScope(): Scope | undefined {
  return current;
}

/**
 * Subscribes inside a scope: every source that `work` subscribes makes itself known to it. An Observable hides what it is
 * made of; this is how the runtime finds what to drain without a second stream type.
 *
 * @internal
 */
export function withScope<R>(scope: Scope, work: () => R): R {
  const outer = current;
  current = scope;
  try {
    return work();
  } finally {
    current = outer;
  }
}
