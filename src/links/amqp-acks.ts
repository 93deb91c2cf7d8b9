import type { Channel, Message as AmqpMessage } from 'amqplib';
import type { Clock } from '../clock.js';

/**
 * What a channel is told of its deliveries. Acks of one turn go out together: those below which everything is settled in
 * one frame, the others each in its own, so that out of order costs no credit.
 *
 * Source: AMQP 0-9-1 specification, `basic.ack` (`multiple`), `basic.nack`.
 *
 * @internal
 */
export class AmqpAcks {
  private readonly channel: Channel;
  private readonly clock: Clock;
  /** The highest delivery tag that came. */
  private highest = 0;
  /** The lowest delivery tag that is not settled; tags count up from 1 on every channel. */
  private lowest = 1;
  /** Settled, above {@link lowest}. Never more than the prefetch. */
  private readonly settled = new Set<number>();
  /** Acked and not told yet. */
  private untold: number[] = [];
  private isOver = false;

  constructor(channel: Channel, clock: Clock) {
    this.channel = channel;
    this.clock = clock;
  }

  /** The broker handed out this one. */
  delivered(tag: number): void {
    this.highest = tag;
  }

  /** How many it handed out that are not settled. */
  get outstanding(): number {
    return this.highest - (this.lowest - 1) - this.settled.size;
  }

  ack(tag: number): void {
    if (this.isOver) return;
    this.mark(tag);
    this.untold.push(tag);
    // After the rest of what one read of the socket brought had its turn.
    if (this.untold.length === 1) this.clock.yield(() => this.flush());
  }

  nack(tag: number, requeue: boolean): void {
    if (this.isOver) return;
    this.mark(tag);
    this.channel.nack(named(tag), false, requeue);
  }

  /** Tells what is not told yet. */
  flush(): void {
    const acked = this.untold;
    if (this.isOver || acked.length === 0) return;
    this.untold = [];
    let highest = 0;
    let count = 0;
    for (const tag of acked) {
      if (tag > this.lowest) this.channel.ack(named(tag));
      else {
        highest = Math.max(highest, tag);
        count += 1;
      }
    }
    if (count > 0) this.channel.ack(named(highest), count > 1);
  }

  /** The channel is gone: its tags mean nothing any more, or those of another channel. */
  end(): void {
    this.isOver = true;
    this.untold = [];
  }

  private mark(tag: number): void {
    if (tag !== this.lowest) {
      this.settled.add(tag);
      return;
    }
    this.lowest += 1;
    // Most settle in order, and leave nothing behind.
    while (this.settled.size > 0 && this.settled.delete(this.lowest)) this.lowest += 1;
  }
}

/** The client looks at nothing else of a delivery. */
function named(deliveryTag: number): AmqpMessage {
  return { fields: { deliveryTag } } as AmqpMessage;
}
