import type { ConsumeMessage } from 'amqplib';

/** How many messages are remembered for queues that do not count deliveries. */
const MAX_REMEMBERED = 10_000;

/**
 * How often messages were delivered: as the broker says, where the queue counts, and by id otherwise, for the newest ones.
 *
 * @internal
 */
export class AmqpAttempts {
  private readonly counts = new Map<string, number>();

  of({ properties, fields }: ConsumeMessage): number {
    const { headers, messageId } = properties as { headers?: Record<string, unknown>; messageId?: string };
    const counted = headers?.['x-delivery-count'];
    const known = messageId === undefined || messageId === '' ? undefined : this.counts.get(messageId);
    const seen = known ?? (fields.redelivered ? 2 : 1);
    // Where the queue does not count, this is a header like others: its sender's, of any number, and never more.
    return typeof counted === 'number' && Number.isSafeInteger(counted) ? Math.max(counted + 1, seen) : seen;
  }

  failed(id: string, attempt: number): void {
    this.counts.delete(id);
    this.counts.set(id, attempt + 1);
    if (this.counts.size <= MAX_REMEMBERED) return;
    const [oldest] = this.counts.keys();
    this.counts.delete(oldest as string);
  }

  done(id: string): void {
    this.counts.delete(id);
  }
}
