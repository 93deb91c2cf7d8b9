import type { Cancel, Clock } from '../clock.js';
import { deliveryFault } from '../connection/delivery.js';
import { either, flag, integer, oneOf, type OptionRules, required, text } from '../connection/options.js';
import { isSluiceError, type SluiceError } from '../errors.js';
import { MemoryConsumer, type MemoryWakeable } from './memory-consumer.js';
import { MemoryPipe } from './memory-pipe.js';
import type { MemoryPublish } from './memory-record.js';
import type { MemoryFrom, MemoryReceipt, MemoryTopic } from './memory-topic.js';

/** What a consumer asks for. */
export interface MemorySubscription {
  readonly topic: string;
  readonly group?: string;
  readonly from?: MemoryFrom;
  readonly durable?: boolean;
}

/** The rules of {@link MemorySubscription}. @internal */
export const SUBSCRIPTION_RULES: OptionRules<MemorySubscription> = {
  topic: required(text),
  group: (value) => (typeof value === 'string' ? undefined : 'expected a text'),
  from: either(oneOf('earliest', 'latest'), integer(0)),
  durable: flag,
};

/** What a connection needs of its broker. @internal */
export interface MemoryConnectionHost {
  topic(name: string): MemoryTopic;
  disconnected(connection: MemoryConnection): void;
}

/** One way for messages into the broker. */
export interface MemoryProducer {
  /** Hands a message over; the receipt is answered at once unless a fault or a full queue stands between. */
  publish(message: MemoryPublish, receipt: MemoryReceipt): void;
  /** What was not answered yet will not be; what still waits for room is forgotten. */
  close(): void;
}

/** Who is told that the broker takes nothing for now, or takes again. */
export interface MemoryBlockable {
  blocked(isBlocked: boolean, reason?: unknown): void;
}

/** How long the broker bears the silence of a connection that is cut off before it gives its messages to others. */
const SESSION_TIMEOUT_MS = 15_000;

/**
 * A connection to the in-memory broker, as sources, sinks and requesters use it. What goes in either direction keeps its
 * order; faults can slow it, hold it, or end it with everything that is under way.
 */
export class MemoryConnection {
  /** Of the link, so that a fault can be for one of several; empty for a source or sink without a link. */
  readonly name: string;
  /** @internal */
  readonly toBroker: MemoryPipe;
  /** @internal */
  readonly toClient: MemoryPipe;
  /** @internal */
  isOpen = true;
  /** @internal */
  readonly consumers: Set<MemoryConsumer> = new Set();
  /** False while nothing is delivered: stalled, held, or over. @internal */
  delivers = true;
  private readonly host: MemoryConnectionHost;
  private readonly clock: Clock;
  private readonly lost: (error: SluiceError) => void;
  private heldDown = false;
  private stalled = false;
  private cancelSession: Cancel | undefined;

  /** @internal */
  constructor(host: MemoryConnectionHost, name: string, clock: Clock, lost: (error: SluiceError) => void) {
    this.host = host;
    this.name = name;
    this.clock = clock;
    this.lost = lost;
    this.toBroker = new MemoryPipe(clock);
    this.toClient = new MemoryPipe(clock);
  }

  /** Begins to read. `reader.wake` is called, in the turn of the caller, whenever there may be something to take. */
  consume(subscription: MemorySubscription, reader: MemoryWakeable): MemoryConsumer {
    const { group = '', durable = true, from = durable ? 'earliest' : 'latest' } = subscription;
    const topic = this.host.topic(subscription.topic);
    const consumer = new MemoryConsumer(this, topic, topic.open(group, from, durable), reader);
    this.consumers.add(consumer);
    return consumer;
  }

  /** Begins to write. `writer.blocked` is told while messages wait for room. */
  produce(writer?: MemoryBlockable): MemoryProducer {
    const producer = new Producer(writer);
    return {
      publish: (message, receipt) => {
        let stored: boolean;
        try {
          // The source that reads it would end over it.
          const fault = deliveryFault('memorySink', message);
          if (fault !== undefined) throw fault;
          const isClear = this.toBroker.isClear && this.toClient.isClear;
          stored = isClear && this.host.topic(message.topic).tryPut(message);
        } catch (error) {
          refuse(receipt, error);
          return;
        }
        if (stored) receipt.confirm();
        else this.ship(message, new Shipment(receipt, producer, this));
      },
      close: () => {
        producer.isOpen = false;
      },
    };
  }

  /** The long way in: through the pipes, and perhaps into the line of those that wait for room. */
  private ship(message: MemoryPublish, shipment: Shipment): void {
    this.toBroker.pass(() => {
      try {
        this.host.topic(message.topic).publish(message, shipment);
      } catch (error) {
        refuse(shipment, error);
      }
    });
  }

  /** Resolves when the broker answers. @internal */
  ping(): PromiseLike<void> {
    return this.ask(() => undefined);
  }

  /** What the broker answers. Calls back at once, so that it also works where promises do not. @internal */
  ask<T>(question: () => T): PromiseLike<T> {
    const asked: PromiseLike<T> = {
      then: (tell) => {
        this.toBroker.pass(() => {
          const answer = question();
          this.toClient.pass(() => void tell?.(answer));
        });
        return asked as never;
      },
    };
    return asked;
  }

  /** The client's end: what it sent before arrives first. Idempotent. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.toClient.clear();
    this.toBroker.pass(() => this.end());
  }

  /** The broker's or the network's end. @internal */
  lose(error: SluiceError): void {
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.toBroker.clear();
    this.toClient.clear();
    this.end();
    if (wasOpen) this.lost(error);
  }

  private end(): void {
    this.delivers = false;
    this.cancelSession?.();
    for (const consumer of [...this.consumers]) consumer.end();
    this.host.disconnected(this);
  }

  /** Everything takes so long. @internal */
  slow(delayMs: number, jitterMs: number): void {
    this.toBroker.slow(delayMs, jitterMs);
    this.toClient.slow(delayMs, jitterMs);
  }

  /** Nothing passes up, or down. With `loseAfter`, until the broker has had enough of it. @internal */
  hold(up: boolean, down: boolean, loseAfter?: () => SluiceError): void {
    this.heldDown = down;
    this.cancelSession?.();
    this.cancelSession = undefined;
    if (loseAfter !== undefined) {
      this.cancelSession = this.clock.timer(SESSION_TIMEOUT_MS, () => this.giveUp(loseAfter()), true);
    }
    this.toBroker.hold(up);
    this.refresh();
  }

  /** The broker lives, but delivers and confirms nothing. @internal */
  stall(stalled: boolean): void {
    this.stalled = stalled;
    this.refresh();
  }

  /** The broker takes back what this connection held; the client hears of it when it can be reached again. */
  private giveUp(error: SluiceError): void {
    this.toBroker.clear();
    for (const consumer of [...this.consumers]) consumer.end();
    this.toBroker.pass(() => this.lose(error));
  }

  private refresh(): void {
    this.toClient.hold(this.heldDown || this.stalled);
    this.delivers = this.isOpen && !this.heldDown && !this.stalled;
    if (this.delivers) for (const consumer of this.consumers) consumer.wake();
  }
}

/** Whether one producer still wants answers, and how many of its messages wait for room. */
class Producer {
  isOpen = true;
  private readonly writer: MemoryBlockable | undefined;
  private waiting = 0;

  constructor(writer: MemoryBlockable | undefined) {
    this.writer = writer;
  }

  wait(reason: SluiceError): void {
    this.waiting += 1;
    if (this.waiting === 1) this.writer?.blocked(true, reason);
  }

  letIn(): void {
    this.waiting -= 1;
    if (this.waiting === 0) this.writer?.blocked(false);
  }
}

/** A message on the long way in. Its answer goes back over its connection: after the loss of that, it reaches nobody. */
class Shipment implements MemoryReceipt {
  private readonly receipt: MemoryReceipt;
  private readonly producer: Producer;
  private readonly connection: MemoryConnection;
  private hasWaited = false;

  constructor(receipt: MemoryReceipt, producer: Producer, connection: MemoryConnection) {
    this.receipt = receipt;
    this.producer = producer;
    this.connection = connection;
  }

  get isWanted(): boolean {
    return this.producer.isOpen && this.connection.isOpen;
  }

  wait(reason: SluiceError): void {
    this.hasWaited = true;
    this.answer(() => this.producer.wait(reason));
  }

  confirm(): void {
    this.answer(() => {
      this.receipt.confirm();
      if (this.hasWaited) this.producer.letIn();
    });
  }

  fail(reason: SluiceError): void {
    this.answer(() => this.receipt.fail(reason));
  }

  private answer(work: () => void): void {
    this.connection.toClient.pass(() => {
      if (this.isWanted) work();
    });
  }
}

function refuse(receipt: MemoryReceipt, error: unknown): void {
  if (!isSluiceError(error)) throw error;
  receipt.fail(error);
}
