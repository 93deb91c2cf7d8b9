import type { Cancel } from '../clock.js';
import type { Backoff } from '../connection/backoff.js';
import type { Delivery, Reader, ReaderContext } from '../connection/define-source.js';
import { oversized } from '../connection/oversized.js';
import { Ring } from '../connection/ring.js';
import { SluiceError } from '../errors.js';
import type { MqttPublish, MqttSubscribeOptions } from '../links/mqtt-client.js';
import type { MqttConnection } from '../links/mqtt-connection.js';
import { subscribeRefused } from '../links/mqtt-errors.js';
import { factsOf, metaOf } from '../links/mqtt-message.js';
import { headerBytes } from '../message/headers.js';
import type { Message } from '../message/message.js';
import type { Outcome } from '../message/settlement.js';
import { MqttAcks, type Unacked } from './mqtt-acks.js';

/** What a reader has to know of its source. */
export interface MqttReading {
  /** Filters, with the prefix of a shared subscription where there is one. */
  readonly filters: readonly string[];
  readonly subscribe: MqttSubscribeOptions;
  readonly isPlain: boolean;
  /** More unacknowledged messages than this are more than the broker was allowed: nothing is read for a while. */
  readonly window: number;
  readonly requeueDelay: Backoff;
  /** Largest payload. */
  readonly maxBytes: number;
  /** A drain leaves the group for good. */
  readonly leaves: boolean;
}

interface Position {
  /** Missing for QoS 0, of which the broker expects to hear nothing. */
  readonly unacked: Unacked | undefined;
  /** As it was handed over last. */
  delivery: Delivery<Uint8Array>;
}

/** How much may wait without credit before nothing more is read. */
const MAX_WAITING_BYTES = 1_048_576;
/** Reason codes of a SUBACK. */
const NO_SHARES = 0x9e;
const NO_WILDCARDS = 0xa2;
/** Tells the client to send no PUBACK of its own. */
const LATER = new Error('acknowledged once it is settled');

/** Reads one session over one connection. @internal */
export class MqttReader implements Reader {
  private readonly connection: MqttConnection;
  private readonly context: ReaderContext<Uint8Array>;
  private readonly reading: MqttReading;
  private readonly acks: MqttAcks;
  /** To be delivered again from here: the broker would do so only after a reconnect. */
  private readonly again = new Ring<Delivery<Uint8Array>>();
  private readonly timers = new Set<Cancel>();
  /** Lets the client go on to the next packet. */
  private held: ((error?: Error) => void) | undefined;
  private isFlushing = false;
  /** Whether the broker has answered; work may have begun before, on what an old session sends. */
  private subscribing: 'unanswered' | 'begun' | 'answered' = 'unanswered';
  private begin: () => void = () => undefined;
  /** Settled since the broker was told last. */
  private due = 0;
  /** Messages that came so far. */
  private received = 0;
  private isLeaving = false;
  /** An UNSUBSCRIBE is out. */
  private isAsking = false;
  private isStopped = false;
  private isOver = false;

  constructor(connection: MqttConnection, context: ReaderContext<Uint8Array>, reading: MqttReading) {
    this.connection = connection;
    this.context = context;
    this.reading = reading;
    this.acks = new MqttAcks(connection.client.stream);
    connection.client.handleMessage = (packet, done) => this.take(packet, done);
    connection.client.on('close', () => this.lost());
    const { early } = connection;
    if (early !== undefined) this.take(early.packet, early.done);
  }

  /**
   * Subscribes, also where the session is an old one: its filters may have been others. Resolves with the broker's answer, or
   * when what an old session sends before it is more than may wait: that has to be worked off first.
   */
  start(): Promise<void> {
    const { filters, subscribe } = this.reading;
    const lacking = this.lacking();
    if (lacking !== undefined) return Promise.reject(lacking);
    return new Promise((resolve, reject) => {
      this.begin = resolve;
      if (this.subscribing === 'begun') resolve();
      this.connection.client.subscribe([...filters], { ...subscribe }, (error, _granted, packet) => {
        const granted =
          packet?.granted ?? (error as { packet?: { granted?: readonly number[] } } | undefined)?.packet?.granted;
        const isFailed = error !== undefined && error !== null;
        const failure = this.refusal(granted ?? []) ?? (isFailed ? unanswered(error) : undefined);
        if (failure === undefined) {
          this.subscribing = 'answered';
          resolve();
        } else if (this.subscribing === 'begun') this.context.lost(failure);
        else reject(failure);
      });
    });
  }

  resume(): void {
    while (this.again.length > 0 && this.context.ready) {
      const delivery = this.again.shift() as Delivery<Uint8Array>;
      this.context.offer(delivery);
    }
    this.goOn();
  }

  settle(position: unknown, outcome: Outcome, _reason: unknown, message: Message<unknown> | undefined): void {
    if (this.reading.subscribe.qos === 0) return;
    const at = position as Position;
    if (outcome === 'requeue') {
      const attempt = (at.delivery.attempt ?? 1) + 1;
      this.comeAgain(at, message, attempt, this.reading.requeueDelay.delayMs(attempt - 1, this.context.clock));
    } else if (outcome === 'release') this.comeAgain(at, message, at.delivery.attempt, 0);
    else if (at.unacked !== undefined) {
      at.unacked.isSettled = true;
      this.flushSoon();
    }
  }

  /** What the broker has given to this member it gives to no other one, not even once its session has ended. */
  leave(): boolean {
    if (!this.reading.leaves || this.isStopped) return false;
    if (this.isLeaving) return true;
    this.isLeaving = true;
    this.connection.plan.claim?.leaving();
    this.unsubscribe();
    return true;
  }

  stop(): void {
    this.connection.plan.claim?.leaving();
    this.halt();
    // What is read from now on is not acknowledged, and comes with the next connection of the session.
    this.release();
  }

  close(): void {
    if (this.isOver) return;
    const isGivenUp = !this.isStopped;
    this.isOver = true;
    this.halt();
    const isOwing = this.acks.end();
    this.release();
    if (!isGivenUp || !isOwing) return;
    const text = 'The connection is given up: over this one the broker brings nothing again that is unsettled.';
    this.connection.lost(new SluiceError('CONNECTION_LOST', text, { retriable: true }));
  }

  private take(packet: MqttPublish, done: (error?: Error) => void): void {
    const topic = this.topicOf(packet);
    if (this.isStopped) {
      done(LATER);
      return;
    }
    this.received += 1;
    const { messageId, dup } = packet;
    const unacked = packet.qos === 0 || messageId === undefined ? undefined : this.acks.received(messageId);
    const { headers, id, key, timeMs } = factsOf(packet);
    const { maxBytes } = this.reading;
    const tooLong =
      packet.payload.byteLength > maxBytes ? oversized('mqttSource', packet.payload, maxBytes) : undefined;
    const payload = tooLong?.payload ?? packet.payload;
    const position = { unacked } as Position;
    position.delivery = {
      payload,
      topic,
      headers,
      key,
      id,
      timeMs,
      attempt: dup ? 2 : 1,
      bytes: payload.byteLength + headerBytes(headers),
      meta: metaOf(packet),
      position,
      refusal: tooLong?.refusal,
    };
    this.held = done;
    this.context.offer(position.delivery);
    this.goOn();
  }

  /** The client looks an abbreviated topic up for its own events only. It has ended a connection that brings an unknown one. */
  private topicOf({ topic, properties }: MqttPublish): string {
    const alias = properties?.topicAlias;
    if (alias === undefined) return topic;
    const { aliases } = this.connection;
    if (topic !== '') aliases.set(alias, topic);
    return aliases.get(alias) ?? topic;
  }

  /** Reads on, unless the broker sends more than it may, or more than fits. */
  private goOn(): void {
    const { context, connection } = this;
    if (this.held === undefined) return;
    const { window } = this.reading;
    if (this.acks.size > window) this.acks.flush();
    // Before its answer the broker sends no more than its window, which is not known here.
    const isOver = this.subscribing === 'answered' && (this.acks.size > window || context.waiting > window);
    const isFull = isOver || context.waitingBytes > MAX_WAITING_BYTES;
    if (isFull && this.subscribing === 'unanswered') {
      this.subscribing = 'begun';
      this.begin();
    }
    if (!isFull) this.release();
    else if (!connection.isHeld) {
      connection.isHeld = true;
      // What is read no more can bring no answer.
      connection.heard?.();
    }
  }

  private release(): void {
    const { held } = this;
    this.held = undefined;
    this.connection.isHeld = false;
    held?.(LATER);
  }

  private flushSoon(): void {
    this.due += 1;
    // Half a window settled: the broker can send on while the other half is worked on.
    if (this.due * 2 >= this.reading.window) this.flush();
    if (this.isFlushing) return;
    this.isFlushing = true;
    // After the rest of what one read of the socket brought had its turn.
    this.context.clock.yield(() => {
      this.isFlushing = false;
      this.flush();
      this.goOn();
      if (this.isLeaving && !this.isAsking && this.acks.size === 0) this.unsubscribe();
    });
  }

  /**
   * The first time it takes this member out of the group. The answer comes behind what the broker was about to send: when
   * nothing was unacknowledged, and nothing comes before the answer, there is nothing more. Otherwise it is asked again.
   */
  private unsubscribe(): void {
    const { connection, acks, received, reading } = this;
    const wasIdle = acks.size === 0;
    this.isAsking = true;
    connection.client.unsubscribe(reading.filters, () => {
      this.isAsking = false;
      if (this.isStopped || acks.size > 0) return;
      if (wasIdle && this.received === received) {
        connection.isLeft = !reading.isPlain;
        this.context.end();
      } else this.unsubscribe();
    });
  }

  private flush(): void {
    this.due = 0;
    this.acks.flush();
  }

  private comeAgain(at: Position, message: Message<unknown> | undefined, attempt = 1, delayMs = 0): void {
    if (this.isStopped) return;
    // What has to stay the same when a message comes again.
    const same = message === undefined ? {} : { id: message.id, timeMs: message.timeMs };
    at.delivery = { ...at.delivery, ...same, attempt };
    const push = (): void => {
      this.again.push(at.delivery);
      this.context.wake();
    };
    if (delayMs === 0) {
      push();
      return;
    }
    const cancel = this.context.clock.timer(delayMs, () => {
      this.timers.delete(cancel);
      push();
    });
    this.timers.add(cancel);
  }

  /** Nothing comes any more that is not there yet. */
  private halt(): void {
    this.isStopped = true;
    for (const cancel of this.timers) cancel();
    this.timers.clear();
  }

  /** What the broker said it does not have. Some take such a filter all the same, and never send a message for it. */
  private lacking(): SluiceError | undefined {
    const { sharedSubscriptionAvailable = true, wildcardSubscriptionAvailable = true } = this.connection.server;
    for (const filter of this.reading.filters) {
      if (!sharedSubscriptionAvailable && filter.startsWith('$share/'))
        return subscribeRefused(NO_SHARES, filter, false);
      if (!wildcardSubscriptionAvailable && /[+#]/.test(filter)) return subscribeRefused(NO_WILDCARDS, filter, false);
    }
    return undefined;
  }

  /** The first of the broker's answers that is no subscription as it was asked for. */
  private refusal(granted: readonly number[]): SluiceError | undefined {
    const { filters, subscribe, isPlain } = this.reading;
    for (const [at, reason] of granted.entries()) {
      const filter = filters[at] ?? '';
      if (reason >= 0x80) return subscribeRefused(reason, filter, isPlain);
      if (reason < subscribe.qos) {
        const text = `The broker delivers '${filter}' with QoS ${reason} only, so what is in work at a fault is lost: ask for qos: 0 if that is fine.`;
        return new SluiceError('CONFIG_INVALID', text, { details: { filter, granted: reason } });
      }
    }
    return undefined;
  }

  private lost(): void {
    this.isOver = true;
    this.halt();
    this.acks.drop();
    this.held = undefined;
    this.connection.isHeld = false;
  }
}

/** The client says only that something ended before the answer. */
function unanswered(cause: unknown): SluiceError {
  const text = 'The connection was lost before the broker answered the subscription.';
  return new SluiceError('CONNECTION_LOST', text, { retriable: true, cause });
}
