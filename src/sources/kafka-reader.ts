import type { Cancel } from '../clock.js';
import { Committer } from '../connection/committer.js';
import type { Reader, ReaderContext } from '../connection/define-source.js';
import { SluiceError } from '../errors.js';
import type {
  KafkaClient,
  KafkaConsumer,
  KafkaConsumerEvents,
  KafkaFetched,
  KafkaOffset,
  KafkaPartitionName,
} from '../links/kafka-driver.js';
import { kafkaError } from '../links/kafka-errors.js';
import { within } from '../links/kafka-within.js';
import type { KafkaTransacted } from '../links/kafka-transactions.js';
import type { Message } from '../message/message.js';
import type { Outcome } from '../message/settlement.js';
import type { KafkaDelivery } from './kafka-delivery.js';
import type { KafkaElsewhere } from './kafka-elsewhere.js';
import { KafkaPartition, type KafkaPartitionPlan } from './kafka-partition.js';
import { KafkaShare } from './kafka-share.js';
import type { KafkaStart } from './kafka-start.js';
import { isStuck } from './kafka-stuck.js';

/** What a reader goes by. */
export interface KafkaReaderPlan extends KafkaPartitionPlan {
  readonly client: KafkaClient;
  readonly start: KafkaStart;
  /** Where messages go that are not settled where they are. */
  readonly elsewhere: KafkaElsewhere;
  readonly group: string;
  /** Positions are told by the sink, in its transactions; only where the group begins is not. */
  readonly transactional: boolean;
  /** Members of this source whose end is not known: the next one ends them. */
  readonly former: Set<string>;
  readonly commitEvery: number;
  readonly commitIntervalMs: number;
  readonly revokeTimeoutMs: number;
  readonly maxBufferedBytes: number;
  /** Before the second delivery in place; doubles up to `maxRequeueDelayMs`. */
  readonly requeueDelayMs: number;
  readonly maxRequeueDelayMs: number;
}

/** How long the client is held up by a partition that is slow, before that is paused instead. */
const HOLD_MS = 50;
/** How long the last commit may take. */
const LAST_COMMIT_MS = 5_000;
/** How long a cluster may take to say that it is there. */
const SIGN_OF_LIFE_MS = 1_000;

/**
 * Reads the partitions that a group gives to this member: takes from each in turn while there is credit, tells the group
 * up to where all is settled, and gives partitions back in order.
 *
 * @internal
 */
export class KafkaReader implements Reader, KafkaConsumerEvents, KafkaTransacted {
  private readonly context: ReaderContext<Uint8Array | null>;
  private readonly plan: KafkaReaderPlan;
  private readonly commits: Committer<readonly KafkaOffset[]>;
  private consumer: KafkaConsumer | undefined;
  private readonly share = new KafkaShare();
  /** Messages that the watermarks have passed, also those of partitions that are gone. */
  private passedCount = 0;
  /** The partitions are about to be given back: nothing more of them is emitted. */
  private isRevoking = false;
  /** How often partitions were wanted back or given: what was begun for earlier ones does not count any more. */
  private sharings = 0;
  /** They are given back, and others are not there yet: what is committed now could reach the group after somebody else has them. */
  private isBetween = false;
  private isStopped = false;
  /** Nothing more is emitted until more is committed. */
  private isHeld = false;
  private closing: Promise<void> | undefined;
  private readonly transactions = new Set<PromiseLike<unknown>>();
  /** Called when everything emitted is settled. */
  private drained: (() => void) | undefined;
  private cancelDue: Cancel | undefined;
  private tellAssigned: () => void = () => undefined;
  private tellLost: (error: unknown) => void = () => undefined;
  /** Resolves when it reads the first partitions, which may be none; rejects when the member is lost before. */
  readonly isAssigned: Promise<void> = new Promise((resolve, reject) => {
    this.tellAssigned = resolve;
    this.tellLost = reject;
  });

  constructor(context: ReaderContext<Uint8Array | null>, plan: KafkaReaderPlan) {
    this.context = context;
    this.plan = plan;
    this.isAssigned.catch(() => undefined);
    const { commitEvery: every, commitIntervalMs: intervalMs, clock } = plan;
    this.commits = new Committer(
      { save: (offsets) => this.commit(offsets), clock, every, intervalMs },
      {
        position: () => (plan.transactional ? this.share.beginnings() : this.offsets()),
        passed: () => this.passedCount,
        saved: () => this.saved(),
        failed: (error) => this.commitFailed(error),
      },
    );
  }

  use(consumer: KafkaConsumer): void {
    this.consumer = consumer;
  }

  // --- what the kit asks ----------------------------------------------------------------------------------------------

  resume(): void {
    const { context, share } = this;
    while (context.ready && !this.isRevoking && !this.isAhead()) {
      const delivery = share.next();
      if (delivery === undefined) break;
      const { log } = delivery;
      log.emitted += 1;
      context.offer(delivery);
      if (log.isPaused) this.regulate(log);
    }
    if (context.ready) this.awaitDue();
  }

  settle(position: unknown, outcome: Outcome, reason: unknown, message: Message<unknown> | undefined): void {
    const delivery = position as KafkaDelivery;
    if (outcome === 'ack') this.done(delivery);
    else if (message === undefined || outcome === 'release') this.again(delivery, 0);
    else this.refused(delivery, outcome, reason, message);
  }

  /** What comes while it is asked is seen by who asked. While partitions are given back nothing is to come. */
  async probe(): Promise<boolean> {
    const { consumer, isRevoking, sharings } = this;
    if (consumer === undefined || isRevoking) return true;
    return !(await isStuck(this.share.logs, this.plan.client, consumer)) || sharings !== this.sharings;
  }

  stop(): void {
    this.isStopped = true;
    this.cancelDue?.();
    for (const log of this.share.logs) this.pause(log);
  }

  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  // --- what the client tells ------------------------------------------------------------------------------------------

  lost(error: unknown): void {
    this.tellLost(error);
    const reason = kafkaError(error, 'kafka consumer lost');
    if (reason.code === 'PEER_LOST') void this.unanswered(reason);
    else this.context.lost(reason);
  }

  alive(): void {
    // The link asks for itself.
  }

  async revoking(): Promise<void> {
    this.sharings += 1;
    this.isRevoking = true;
    await this.drain();
    await this.transactionsOver();
    await this.commits.flush().catch(() => undefined);
    this.isBetween = true;
  }

  async assigned(partitions: readonly KafkaPartitionName[], isContinuous: boolean): Promise<void> {
    const { plan, consumer, share } = this;
    const sharing = (this.sharings += 1);
    const kept = isContinuous ? partitions.flatMap((at) => share.find(at) ?? []) : [];
    this.takeBack(share.keep(kept));
    this.isBetween = false;
    const places = await plan.start.placesOf(
      plan.client,
      partitions.filter((at) => share.find(at) === undefined),
    );
    if (this.closing !== undefined || sharing !== this.sharings) return;
    const logs = [
      ...kept,
      ...places.map((place) => new KafkaPartition(place, plan, plan.transactional ? this : undefined)),
    ];
    share.hold(logs);
    for (const log of logs) {
      consumer?.seek(log, log.nextOffset);
      consumer?.resume(log);
      log.isPaused = false;
      this.regulate(log);
    }
    this.isRevoking = false;
    if (this.isStopped) this.stop();
    if (this.offsets().length > 0 || this.uncommitted > 0) this.commits.later();
    this.begin();
    this.context.wake();
  }

  fetched(fetched: KafkaFetched): Promise<void> | undefined {
    const log = this.share.add(fetched);
    if (log === undefined) return undefined;
    // What is settled in a transaction that is not over may not be told: there the next one tells it.
    if (fetched.isReset === true && !this.plan.transactional) {
      log.committed = undefined;
      this.begin();
    }
    this.context.wake();
    const isFull = this.share.bytes >= this.plan.maxBufferedBytes;
    const held = isFull ? undefined : log.untilLow(HOLD_MS)?.then(() => this.regulate(log));
    if (held === undefined) this.regulate(log);
    return held;
  }

  // --- what the transactions of a sink ask ----------------------------------------------------------------------------

  get group(): string {
    return this.plan.group;
  }

  offsets(): KafkaOffset[] {
    return this.share.offsets();
  }

  during(transaction: PromiseLike<unknown>): void {
    this.transactions.add(transaction);
    const over = (): void => void this.transactions.delete(transaction);
    transaction.then(over, over);
  }

  committed(offsets: readonly KafkaOffset[]): void {
    for (const at of offsets) {
      const log = this.share.find(at);
      if (log !== undefined) {
        // Nothing of it was emitted before.
        if (log.committed === undefined) this.context.wake();
        log.committed = at.offset;
      }
      this.plan.start.committed(at);
    }
  }

  failed(error: unknown): void {
    const text = 'kafka: a transaction failed, what it had acked comes again';
    this.context.lost(new SluiceError('CONNECTION_LOST', text, { retriable: true, cause: error }));
  }

  // --- inside ---------------------------------------------------------------------------------------------------------

  /** The member is there once the group knows where it begins. */
  private begin(): void {
    if (this.share.beginnings().length > 0) this.commits.awaited();
    else this.tellAssigned();
  }

  /** Lets the client fetch of a partition as long as little of it waits, and not too much of all. */
  private regulate(log: KafkaPartition): void {
    if (this.isStopped || log.isOver) return;
    const mayFetch = log.isEmpty || (log.isLow && this.share.bytes < this.plan.maxBufferedBytes);
    if (mayFetch === !log.isPaused) return;
    if (!mayFetch) this.pause(log);
    else {
      log.isPaused = false;
      this.consumer?.resume(log);
    }
  }

  private pause(log: KafkaPartition): void {
    log.isPaused = true;
    this.consumer?.pause(log);
  }

  /** A request had no answer: either nobody is there, or it is not served by somebody who answers others. */
  private async unanswered(reason: SluiceError): Promise<void> {
    const { clock, client, group } = this.plan;
    const isThere = await within(clock, SIGN_OF_LIFE_MS, client.ping());
    const text = `kafka answers, and not what the reader of group ${group} asked for (requestTimeoutMs).`;
    this.context.lost(isThere ? new SluiceError('STALLED', text, { retriable: true, cause: reason }) : reason);
  }

  private again(delivery: KafkaDelivery, delayMs: number): void {
    delivery.log.retry(delivery, delayMs);
    this.left(delivery.log);
    this.context.wake();
  }

  private refused(delivery: KafkaDelivery, outcome: Outcome, reason: unknown, message: Message<unknown>): void {
    const { elsewhere } = this.plan;
    const done = (): void => this.done(delivery);
    if (outcome === 'requeue') {
      if (elsewhere.retry(delivery, message, done)) return;
      this.again(delivery.withAttempt(message.attempt + 1), this.delayMs(message.attempt));
    } else if (outcome !== 'dead' || !elsewhere.dead(delivery, message, reason, done)) done();
  }

  private delayMs(attempt: number): number {
    const { requeueDelayMs, maxRequeueDelayMs } = this.plan;
    return Math.min(maxRequeueDelayMs, requeueDelayMs * 2 ** Math.min(30, attempt - 1));
  }

  private done({ log, ticket }: KafkaDelivery): void {
    if (log.isOver) return;
    const before = log.passed;
    if (log.settle(ticket)) {
      this.passedCount += log.passed - before;
      this.commits.advanced();
    }
    this.left(log);
    // It may have been held back by its credit or its gap.
    this.context.wake();
  }

  private left(log: KafkaPartition): void {
    log.emitted -= 1;
    if (this.drained !== undefined && this.share.isDrained) this.drained();
  }

  private async drain(): Promise<void> {
    if (this.share.isDrained) return;
    await new Promise<void>((resolve) => {
      const cancel = this.plan.clock.timer(this.plan.revokeTimeoutMs, resolve);
      this.drained = () => {
        cancel();
        resolve();
      };
    });
    this.drained = undefined;
  }

  private takeBack(gone: ReadonlySet<KafkaPartition>): void {
    if (gone.size === 0) return;
    const text = 'The partition was given to another member of the group, which gets the message again.';
    const isMeant = (position: unknown): boolean => gone.has((position as KafkaDelivery).log);
    this.context.takeBack(isMeant, new SluiceError('SETTLE_LOST', text));
  }

  private async commit(offsets: readonly KafkaOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    if (this.isBetween)
      throw new SluiceError('CONNECTION_LOST', 'kafka: partitions are being shared out', { retriable: true });
    await this.consumer?.commit(offsets);
    this.committed(offsets);
  }

  private async transactionsOver(): Promise<void> {
    await Promise.allSettled([...this.transactions]);
  }

  /** Settled, and not told to the group. */
  private get uncommitted(): number {
    return this.passedCount - this.commits.savedCount;
  }

  /** What is unsettled or uncommitted comes again when this process is gone: never more than the credit and `commitEvery`. */
  private isAhead(): boolean {
    const { uncommitted, plan } = this;
    if (uncommitted < plan.commitEvery) return false;
    this.isHeld = uncommitted - this.context.free >= plan.commitEvery;
    if (this.isHeld) this.commits.awaited();
    return this.isHeld;
  }

  private saved(): void {
    this.begin();
    if (!this.isHeld) return;
    this.isHeld = false;
    this.context.wake();
  }

  private commitFailed(error: unknown): void {
    const reason = kafkaError(error, `kafka group ${this.plan.group}`);
    // Nothing is committed while partitions are shared out anew: the next try is after that.
    if (reason.retriable) this.commits.later();
    else this.context.lost(reason);
  }

  /** One timer for all that waits for its time: the first of them. */
  private awaitDue(): void {
    this.cancelDue?.();
    const firstMs = this.share.waitMs();
    if (firstMs < Infinity && !this.isStopped)
      this.cancelDue = this.plan.clock.timer(Math.max(1, firstMs), () => this.context.wake());
  }

  private async end(): Promise<void> {
    const { consumer, plan } = this;
    const before = consumer?.member;
    if (before !== undefined) plan.former.add(before);
    this.stop();
    await plan.elsewhere.close();
    await this.transactionsOver();
    // Over a connection that is gone it would wait for an answer as long as the client tries.
    await within(plan.clock, LAST_COMMIT_MS, this.commits.close());
    this.drained?.();
    for (const log of this.share.logs) log.end();
    await consumer?.close();
    // It may have got its name only meanwhile.
    const after = consumer?.member;
    if (after !== undefined) plan.former.add(after);
    else if (before !== undefined) plan.former.delete(before);
  }
}
