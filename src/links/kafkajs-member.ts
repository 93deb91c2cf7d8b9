import type { Clock } from '../clock.js';
import { wait } from '../connection/wait.js';
import { kafkaErrorType } from './kafka-errors.js';

const JOIN_GROUP = 11;
/** A broker that was just started does not answer for its groups yet. */
const NOT_YET: ReadonlySet<string | undefined> = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);
const AGAIN_MS = 100;
const TRIES = 50;

interface Named {
  readonly memberId?: string;
}

/** The part of a broker that a member of a group asks. */
interface Coordinator {
  leaveGroup: (member: { readonly groupId: string; readonly memberId: string }) => Promise<unknown>;
  /** Gives what makes requests of a kind. */
  lookupRequest: (key: number, definition: unknown) => (request: Named) => unknown;
}

/**
 * Who a member is for its group. kafkajs tells the name only once partitions are given to it, and that it has left also when
 * the group could not be told. In between the group would wait for somebody who is gone, until its session ends: so the
 * requests themselves are overheard.
 *
 * @internal
 */
export class KafkaJsMember {
  /** Whom the group may wait for; undefined for nobody. */
  id: string | undefined;
  private readonly group: string;
  private readonly clock: Clock;
  private coordinator: Coordinator | undefined;
  private lookup: Coordinator['lookupRequest'] | undefined;

  constructor(group: string, clock: Clock) {
    this.group = group;
    this.clock = clock;
  }

  /** Listens to the broker that answers for the group, before it is asked to let the member in. */
  overhear(broker: unknown): void {
    const coordinator = broker as Coordinator;
    // The client sets this one anew with each connection.
    if (coordinator.lookupRequest !== this.lookup) this.lookup = this.overhearJoin(coordinator);
    if (coordinator !== this.coordinator) this.overhearLeave(coordinator);
    this.coordinator = coordinator;
  }

  /** Ends members whose connection is gone. `find` gives the broker that answers for the group. */
  async takeOut<B>(memberIds: readonly string[], find: () => Promise<B>): Promise<B> {
    let broker = await find();
    for (const memberId of memberIds) {
      for (let tries = 1; NOT_YET.has(await this.leave(broker, memberId)) && tries < TRIES; tries += 1) {
        // To join without it would be to wait for its session.
        await wait(this.clock, AGAIN_MS);
        broker = await find();
      }
    }
    return broker;
  }

  /** Gives what the broker has against it; rejects where it gave no answer. */
  private async leave(broker: unknown, memberId: string): Promise<string | undefined> {
    try {
      await (broker as Coordinator).leaveGroup({ groupId: this.group, memberId });
    } catch (error) {
      const type = kafkaErrorType(error);
      // The group may still wait for it: who joined now would wait with it.
      if (type === undefined) throw error;
      return type;
    }
    return undefined;
  }

  private overhearJoin(coordinator: Coordinator): Coordinator['lookupRequest'] {
    const lookup = coordinator.lookupRequest;
    coordinator.lookupRequest = (key, definition) => {
      const make = lookup(key, definition);
      if (key !== JOIN_GROUP) return make;
      return (request) => {
        // The first time it has none, and is given one to ask with.
        if (request.memberId !== undefined && request.memberId !== '') this.id = request.memberId;
        return make(request);
      };
    };
    return coordinator.lookupRequest;
  }

  private overhearLeave(coordinator: Coordinator): void {
    const leave = coordinator.leaveGroup.bind(coordinator);
    coordinator.leaveGroup = async (member) => {
      const answer = await leave(member);
      if (member.memberId === this.id) this.id = undefined;
      return answer;
    };
  }
}
