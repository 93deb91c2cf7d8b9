import { Observable, type Subscriber, type Subscription } from 'rxjs';
import type { Flow, Message } from 'sluice';
import type { KafkaOffset } from '../../src/links/kafka-driver.js';
import { until } from '../helpers/until.js';
import type { KafkaWatch } from './watched-kafka.js';

interface Member {
  /** Its partitions now, by name. */
  mine: ReadonlySet<string>;
  /** Undefined before the flow is subscribed to. */
  subscription: Subscription | undefined;
}

/** Members of one group, which come and go, as one flow. */
export interface KafkaGroup {
  readonly flow: Flow<Uint8Array>;
  readonly size: number;
  /** How many partitions were given to a member that did not have them just before. */
  readonly moved: number;
  /** How long sharing out took at most. */
  readonly slowestMs: number;
  /** One more; resolves when all partitions are shared out and it has some of them. */
  join(): Promise<void>;
  /** One leaves in order; resolves when the others have all partitions. */
  leave(): Promise<void>;
}

/**
 * Begins with two members. `open` makes the source of one, which says to the watch what it hears.
 *
 * @param partitions how many the topic has
 * @param committed told what the members commit
 */
export function kafkaGroup(
  open: (watch: KafkaWatch) => Flow<Uint8Array>,
  partitions: number,
  committed: (offset: KafkaOffset) => void,
): KafkaGroup {
  const members = new Set<Member>();
  let subscriber: Subscriber<Message<Uint8Array>> | undefined;
  let moved = 0;
  let slowestMs = 0;

  function enter(): Member {
    const member: Member = { mine: new Set(), subscription: undefined };
    const flow = open({
      committed,
      assigned(given) {
        const before = member.mine;
        member.mine = new Set(given.map(({ partition }) => String(partition)));
        for (const one of member.mine) if (!before.has(one)) moved += 1;
      },
    });
    members.add(member);
    member.subscription = flow.subscribe({
      next: (message) => subscriber?.next(message),
      error: (error: unknown) => subscriber?.error(error),
    });
    return member;
  }
  /** Each partition is somebody's, and nobody is without. */
  function isShared(): boolean {
    const all = [...members].flatMap(({ mine }) => [...mine]);
    return (
      all.length === partitions && new Set(all).size === partitions && [...members].every((one) => one.mine.size > 0)
    );
  }
  async function shared(): Promise<void> {
    const from = performance.now();
    await until(() => {
      const told = [...members].map(({ mine }) => `[${[...mine].join(' ')}]`).join(' ');
      if (!isShared()) throw new Error(`The ${partitions} partitions are not shared out: ${told}`);
    });
    slowestMs = Math.max(slowestMs, performance.now() - from);
  }

  return {
    flow: new Observable((to) => {
      subscriber = to;
      enter();
      enter();
      return () => {
        subscriber = undefined;
        for (const { subscription } of members) subscription?.unsubscribe();
      };
    }),
    get size() {
      return members.size;
    },
    get moved() {
      return moved;
    },
    get slowestMs() {
      return slowestMs;
    },
    async join() {
      enter();
      await shared();
    },
    async leave() {
      // Who is away at that moment cannot leave: the group would wait for its session.
      await shared();
      const [first] = members;
      if (first === undefined) throw new Error('The group is empty.');
      members.delete(first);
      first.subscription?.unsubscribe();
      await shared();
    },
  };
}
