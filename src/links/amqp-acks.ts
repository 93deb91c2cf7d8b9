import type { Channel, Message as AmqpMessage } from 'amqplib';
import type { Clock } from '../clock.js';

/** Longest that an ack stays here which the broker does not wait for. */
const HOLD_MS = 2;

/**
 * What a channel is told of its deliveries. Acks go out together: those below which everything is settled in one frame, the
 * others each in its own, so that out of order costs no credit. A broker that may soon be waiting for them is told at the
 * end of the turn, any other within two milliseconds, as a frame costs both sides more than the message it acks.
 *
 * Source: AMQP 0-9-1 specification, `basic.ack` (`multiple`), `basic.nack`.
 *
 * @internal
 */
export class AmqpAcks {
  private readonly channel: Channel;
  private readonly clock: Clock;
  /** How many unsettled messages the broker hands out. */
  private readonly prefetch: number;
  /** The highest delivery tag that came. */
  private highest = 0;
  /** The lowest delivery tag that is not settled; tags count up from 1 on every channel. */
  private lowest = 1;
  /** Settled, above {@link lowest}. Never more than the prefetch. */
  private readonly settled = new Set<number>();
  /** Acked and not told yet. */
  private untold: number[] = [];
  /** They are told at the end of the turn. */
  private isDue = false;
  /** They are told when they have been held for long enough. */
  private isHeld = false;
  private isOver = false;

  constructor(channel: Channel, clock: Clock, prefetch: number) {
    this.channel = channel;
    this.clock = clock;
    this.prefetch = prefetch;
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
    if (this.isDue) return;
    if (this.isAwaited) {
      this.isDue = true;
      // After the rest of what one read of the socket brought had its turn.
      this.clock.yield(this.turnEnds);
    } else if (!this.isHeld) {
      this.isHeld = true;
      this.clock.timer(HOLD_MS, this.heldLongEnough);
    }
  }

  /** Less than half of the prefetch is left to the broker. */
  private get isAwaited(): boolean {
    return 2 * (this.outstanding + this.untold.length) > this.prefetch;
  }

  private readonly turnEnds = (): void => {
    this.isDue = false;
    this.flush();
  };

  private readonly heldLongEnough = (): void => {
    this.isHeld = false;
    this.flush();
  };

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
