import type { Cancel } from '../clock.js';
import {
  assignmentBytes,
  partitionsOf,
  shareOut,
  subscriptionBytes,
  topicsOf,
  type KafkaSubscriber,
} from './kafka-assignment.js';
import type { KafkaConsumerEvents, KafkaConsumerPlan, KafkaOffset, KafkaPartitionName } from './kafka-driver.js';
import { kafkaErrorType } from './kafka-errors.js';
import { COORDINATES, type PlatformaticCluster } from './platformatic-cluster.js';
import type { PlatformaticConnection } from './platformatic-connection.js';
import { committedTopics } from './platformatic-offsets.js';

const PROTOCOL = 'consumer';
/** The name that clients of other languages use for the same way to share out. */
const ASSIGNER = 'roundrobin';
/** How often the leader of a group looks whether its topics have more partitions by now. */
const TOPICS_MS = 300_000;
/** The group has to be joined anew. */
const AGAIN: ReadonlySet<string | undefined> = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
]);

/** What a member hears of its group. @internal */
export type PlatformaticMemberEvents = Pick<KafkaConsumerEvents, 'revoking' | 'assigned' | 'lost'>;

/** What the group gave a member. */
interface Share {
  readonly partitions: readonly KafkaPartitionName[];
  /** How many partitions each topic has, for the leader; undefined for the others. */
  readonly counts: ReadonlyMap<string, number> | undefined;
}

/**
 * A member of a group: joins, shares the partitions out where it leads, says that it is there, and leaves.
 *
 * Source: Apache Kafka protocol guide, «Group Membership API»; KIP-394 for the name before the first join.
 *
 * @internal
 */
export class PlatformaticMember {
  /** Whom the group may wait for; undefined for nobody. */
  id: string | undefined;
  private readonly cluster: PlatformaticCluster;
  private readonly plan: KafkaConsumerPlan;
  private readonly events: PlatformaticMemberEvents;
  private generation = -1;
  /** Its name when it was given its partitions, as long as nobody else can have had them since. */
  private settledAs: string | undefined;
  /** How often it asked to be let in since it last was. */
  private entries = 0;
  /** It waits to be let in, and nothing else can be asked over the same connection. */
  private joining: Promise<unknown> | undefined;
  private isOver = false;
  private cancelRest: Cancel | undefined;
  private endRest: () => void = () => undefined;

  constructor(cluster: PlatformaticCluster, plan: KafkaConsumerPlan, events: PlatformaticMemberEvents) {
    this.cluster = cluster;
    this.plan = plan;
    this.events = events;
  }

  /** Resolves when the group can be asked, and knows nothing of the former ones any more. */
  async start(): Promise<void> {
    for (const former of this.plan.former) await this.takeOut(former);
    this.run().catch((error: unknown) => (this.isOver ? undefined : this.events.lost(error)));
  }

  async commit(offsets: readonly KafkaOffset[]): Promise<void> {
    const { id = '', generation } = this;
    const { api } = this.cluster.client.offsetCommitV8;
    const topics = committedTopics(offsets);
    try {
      await this.ask((broker) => broker.ask((to) => api.async(to, this.plan.group, generation, id, null, topics)));
    } catch (error) {
      // It hears of it sooner than by its next heartbeat.
      if (AGAIN.has(kafkaErrorType(error))) this.endRest();
      throw error;
    }
  }

  /** Resolves when the group does not wait for it any more. */
  async close(): Promise<void> {
    this.isOver = true;
    this.endRest();
    // Who has no name yet is given one soon, and the group would wait for it.
    if (this.id === undefined) await this.joining?.catch(() => undefined);
    if (this.id === undefined) return;
    await this.takeOut(this.id, this.joining === undefined ? '' : 'leave');
    this.id = undefined;
  }

  private async run(): Promise<void> {
    while (!this.isOver) {
      const share = await this.join();
      if (share === undefined) return;
      const isContinuous = this.id !== undefined && this.id === this.settledAs;
      this.settledAs = this.id;
      await this.alongside(this.events.assigned(share.partitions, isContinuous));
      await this.stay(share);
      await this.alongside(this.events.revoking());
    }
  }

  // --- in -------------------------------------------------------------------------------------------------------------

  /** Gives undefined when it is over meanwhile. */
  private async join(): Promise<Share | undefined> {
    this.entries = 0;
    while (!this.isOver) {
      try {
        const asked = this.ask((broker) => this.enter(broker));
        this.joining = asked;
        return await asked;
      } catch (error) {
        const type = kafkaErrorType(error);
        if (type === 'MEMBER_ID_REQUIRED')
          this.id = (error as { readonly response?: { readonly memberId?: string } }).response?.memberId;
        else if (type === 'UNKNOWN_MEMBER_ID') this.id = undefined;
        else if (!AGAIN.has(type)) throw error;
      } finally {
        this.joining = undefined;
      }
    }
    return undefined;
  }

  private async enter(broker: PlatformaticConnection): Promise<Share> {
    const { group, topics, sessionTimeoutMs, rebalanceTimeoutMs } = this.plan;
    const { joinGroupV7, syncGroupV5 } = this.cluster.client;
    const protocols = [{ name: ASSIGNER, metadata: subscriptionBytes(topics) }];
    const { id = '' } = this;
    this.entries += 1;
    // Between two tries somebody else may have had its partitions.
    if (this.entries > 1) this.settledAs = undefined;
    const joined = await broker.ask(
      (to) =>
        joinGroupV7.api.async(to, group, sessionTimeoutMs, rebalanceTimeoutMs, id, null, PROTOCOL, protocols, null),
      rebalanceTimeoutMs,
    );
    const memberId = joined.memberId ?? '';
    this.id = memberId;
    const generation = joined.generationId;
    const isLeader = joined.leader === memberId;
    const members = joined.members.map((one) => ({
      memberId: one.memberId,
      topics: topicsOf(one.metadata ?? new Uint8Array(6)),
    }));
    const counts = isLeader ? await this.count(members) : undefined;
    const shares = counts === undefined ? [] : [...shareOut(members, counts)];
    const assignments = shares.map(([memberId, given]) => ({ memberId, assignment: assignmentBytes(given) }));
    const told = await broker.ask(
      (to) => syncGroupV5.api.async(to, group, generation, memberId, null, PROTOCOL, ASSIGNER, assignments),
      rebalanceTimeoutMs,
    );
    this.generation = generation;
    return { partitions: partitionsOf(told.assignment), counts };
  }

  private async count(members: readonly KafkaSubscriber[]): Promise<Map<string, number>> {
    const names = new Set(members.flatMap(({ topics }) => topics));
    const { topics } = await this.cluster.metadata([...names]);
    return new Map(topics.map(({ name, partitions }) => [name ?? '', partitions.length]));
  }

  // --- there ----------------------------------------------------------------------------------------------------------

  /** Says that it is there. Resolves when the partitions are shared out anew, or it is over. */
  private async stay({ counts }: Share): Promise<void> {
    const { clock } = this.cluster.cluster;
    let countedMs = clock.elapsed();
    for (;;) {
      await this.rest();
      if (this.isOver) return;
      if (await this.isCalled()) return;
      if (counts === undefined || clock.elapsed() - countedMs < TOPICS_MS) continue;
      countedMs = clock.elapsed();
      const { topics } = await this.cluster.metadata([...counts.keys()]);
      // When the leader joins again all of them do.
      if (topics.some(({ name, partitions }) => counts.get(name ?? '') !== partitions.length)) return;
    }
  }

  /** The same while something is done that others wait for, however long it takes. */
  private async alongside(work: Promise<void>): Promise<void> {
    const done = work.then(() => true);
    for (;;) {
      const isDone = await Promise.race([done, this.rest().then(() => false)]);
      if (isDone || this.isOver) break;
      await this.isCalled();
    }
    await done;
  }

  /** One heartbeat. True when the member has to join again. */
  private async isCalled(): Promise<boolean> {
    const { api } = this.cluster.client.heartbeatV4;
    const { id = '', generation } = this;
    try {
      await this.ask((broker) => broker.ask((to) => api.async(to, this.plan.group, generation, id, null)));
      return false;
    } catch (error) {
      const type = kafkaErrorType(error);
      if (!AGAIN.has(type)) throw error;
      // Nobody knows who had its partitions meanwhile.
      if (type !== 'REBALANCE_IN_PROGRESS') this.settledAs = undefined;
      if (type === 'UNKNOWN_MEMBER_ID') this.id = undefined;
      return true;
    }
  }

  private rest(): Promise<void> {
    this.cancelRest?.();
    if (this.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.endRest = resolve;
      this.cancelRest = this.cluster.cluster.clock.timer(this.plan.heartbeatMs, resolve, true);
    });
  }

  // --- out ------------------------------------------------------------------------------------------------------------

  /** Ends a member of the group; whether it was one is all the same. */
  private async takeOut(memberId: string, lane = ''): Promise<void> {
    const { api } = this.cluster.client.leaveGroupV4;
    try {
      await this.ask(
        (broker) => broker.ask((to) => api.async(to, this.plan.group, [{ memberId, groupInstanceId: null }])),
        lane,
      );
    } catch (error) {
      if (kafkaErrorType(error) !== 'UNKNOWN_MEMBER_ID') throw error;
    }
  }

  private ask<T>(work: (broker: PlatformaticConnection) => Promise<T>, lane = ''): Promise<T> {
    return this.cluster.coordinated(COORDINATES.group, this.plan.group, work, lane);
  }
}
