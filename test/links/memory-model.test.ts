import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  backoff,
  memoryBroker,
  memoryLink,
  memorySink,
  memorySource,
  observe,
  run,
  type MemoryBroker,
  type MemoryMeta,
  type Message,
  type NackThen,
} from 'sluice';
import { isLegalStep } from 'sluice/connection';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { isOpen } from '../../src/message/envelope.js';
import { collect } from '../helpers/collect.js';
import { runs } from '../helpers/runs.js';

const GROUPS = ['a', 'b'] as const;
const MAX_ATTEMPTS = 3;
const reconnect = backoff({ initialMs: 100, jitter: 'none', stableMs: 0, maxMs: 200 });

type Step =
  | { readonly do: 'publish'; readonly key: number }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'settle'; readonly pick: number; readonly how: 'ack' | NackThen }
  | { readonly do: 'join'; readonly group: 0 | 1; readonly credit: number }
  | { readonly do: 'leave'; readonly pick: number }
  | { readonly do: 'dropLink' | 'cut' | 'heal' | 'kill' | 'restart' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('publish' as const), key: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(0, 0, 10, 60, 500) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      pick: fc.nat(30),
      how: fc.constantFrom('ack' as const, 'ack' as const, 'requeue' as const, 'dead' as const, 'drop' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      group: fc.constantFrom(0 as const, 1 as const),
      credit: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), pick: fc.nat(5) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom<'dropLink' | 'cut' | 'heal' | 'kill' | 'restart'>(
        'dropLink',
        'cut',
        'heal',
        'kill',
        'restart',
      ),
    }),
  },
);

interface Delivered {
  readonly message: Message<number>;
  readonly member: Member;
}

interface Member {
  readonly group: string;
  readonly credit: number;
  readonly leave: () => void;
  left: boolean;
}

/** What one group has to do with each published message, kept apart from the broker and compared with it after each step. */
class GroupModel {
  readonly deliveries: Delivered[] = [];
  /** How it ended, by payload. */
  readonly done = new Map<number, 'acked' | 'dead' | 'dropped'>();
  private readonly times = new Map<number, number>();
  private readonly newestOfKey = new Map<string, number>();

  get open(): Delivered[] {
    return this.deliveries.filter(({ message }) => isOpen(message));
  }

  delivered(member: Member, message: Message<number>): void {
    const { payload, attempt, key = '' } = message;
    expect(member.left, 'I6: nothing comes after the end').toBe(false);
    expect(this.done.get(payload), 'I3: what is settled never comes again').toBeUndefined();
    const holder = this.open.find((other) => other.message.payload === payload);
    expect(holder, 'I2: nobody else holds it').toBeUndefined();
    const times = (this.times.get(payload) ?? 0) + 1;
    this.times.set(payload, times);
    expect(attempt, 'the attempt counts the deliveries').toBe(times);
    if (attempt === 1) {
      expect(payload, 'I4: the first deliveries of a key are in order').toBeGreaterThan(
        this.newestOfKey.get(key) ?? -1,
      );
      this.newestOfKey.set(key, payload);
    }
    this.deliveries.push({ member, message });
  }

  settle({ message }: Delivered, how: 'ack' | NackThen): void {
    const { payload, attempt } = message;
    const wasOpen = isOpen(message);
    // Before the call: what follows from it is delivered later, but never judged by the state of before.
    const final = how === 'requeue' && attempt >= MAX_ATTEMPTS ? 'dead' : how;
    if (wasOpen && final !== 'requeue')
      this.done.set(payload, final === 'ack' ? 'acked' : final === 'dead' ? 'dead' : 'dropped');
    const took = how === 'ack' ? message.ack() : message.nack('no', how);
    expect(took, 'I3: only the first settlement counts').toBe(wasOpen);
    expect(how === 'ack' ? message.ack() : message.nack('no', how)).toBe(false);
  }
}

class System {
  readonly clock: VirtualClock;
  readonly broker: MemoryBroker;
  readonly models: ReadonlyMap<string, GroupModel> = new Map(GROUPS.map((group) => [group, new GroupModel()]));
  private readonly members: Member[] = [];
  private readonly places: { readonly partition: number; readonly offset: number }[] = [];
  private readonly partitions: number | undefined;
  private alive = true;

  constructor(partitions: number | undefined, requeueDelayMs: number) {
    this.clock = virtualClock();
    this.partitions = partitions;
    this.broker = memoryBroker({
      clock: this.clock,
      requeueDelayMs,
      ...(partitions === undefined ? {} : { partitions }),
    });
    // From the first message on there are two groups: each has to see all.
    for (const group of GROUPS) this.join(group, 1).leave();
  }

  join(group: string, credit: number): Member {
    const { broker, clock } = this;
    const flow = memorySource<number>(broker, {
      topic: 't',
      group,
      credit,
      clock,
      reconnect,
      maxAttempts: MAX_ATTEMPTS,
      closeTimeoutMs: 100,
    });
    const member: Member = { group, credit, left: false, leave: () => undefined };
    const { subscription } = collect(flow, (message) => this.models.get(group)?.delivered(member, message));
    const leave = (): void => {
      member.left = true;
      subscription.unsubscribe();
    };
    this.members.push(Object.assign(member, { leave }));
    return member;
  }

  do(what: Step): void {
    const { broker, clock } = this;
    switch (what.do) {
      case 'publish':
        if (this.alive) this.publish(what.key);
        break;
      case 'advance':
        clock.advance(what.ms);
        break;
      case 'settle': {
        const all = [...this.models.values()].flatMap((model) => model.deliveries.map((one) => ({ model, one })));
        // The late ones are more interesting than the first ones of long ago.
        const chosen = all.at(-1 - what.pick);
        chosen?.model.settle(chosen.one, what.how);
        break;
      }
      case 'join':
        if (this.members.length < 12) this.join(GROUPS[what.group], what.credit);
        break;
      case 'leave':
        this.members
          .filter((member) => !member.left)
          .at(what.pick)
          ?.leave();
        break;
      case 'kill':
        this.alive = false;
        broker.faults.kill();
        break;
      case 'restart':
        this.alive = true;
        broker.faults.restart();
        break;
      default:
        broker.faults[what.do]();
    }
    this.check();
  }

  private publish(key: number): void {
    const name = `k${key}`;
    const payload = this.places.length;
    this.broker.publish({ topic: 't', payload, key: name });
    this.places.push({ partition: -1, offset: -1 });
  }

  private check(): void {
    const { peek } = this.broker;
    for (const [group, model] of this.models) {
      const open = model.open;
      for (const { message } of model.deliveries) this.places[message.payload] = message.meta as MemoryMeta;
      expect(peek.unsettled('t', group), 'the broker and its consumers agree on what is held').toBe(open.length);
      const accounted = peek.depth('t', group) + peek.unsettled('t', group) + model.done.size;
      expect(accounted, 'I2: each message is waiting, held or settled').toBe(this.places.length);
      for (const member of this.members) {
        const held = open.filter((one) => one.member === member).length;
        expect(held, 'I1, I5: never more than the credit').toBeLessThanOrEqual(member.credit);
      }
      this.checkPartitions(group, model, open);
    }
  }

  private checkPartitions(group: string, model: GroupModel, open: readonly Delivered[]): void {
    for (let partition = 0; partition < (this.partitions ?? 1); partition += 1) {
      const own = open.filter(({ message }) => (message.meta as MemoryMeta).partition === partition);
      if (this.partitions !== undefined) {
        const holders = new Set(own.map(({ member }) => member));
        expect(holders.size, 'a partition has one reader at a time').toBeLessThanOrEqual(1);
      }
      const committed = this.broker.peek.committed('t', group, partition);
      for (const { message } of model.deliveries) {
        const { partition: where, offset } = message.meta as MemoryMeta;
        const passed = where === partition && offset < committed;
        if (passed) expect(model.done.has(message.payload), 'nothing unsettled is committed').toBe(true);
      }
    }
  }

  /** After everything is well again, readers that ack get all there is. */
  end(): void {
    const { broker, clock } = this;
    broker.faults.restart();
    broker.faults.heal();
    for (const group of GROUPS) this.join(group, 4);
    for (let turn = 0; turn < 400; turn += 1) {
      clock.advance(200);
      for (const model of this.models.values()) for (const one of model.open) model.settle(one, 'ack');
      this.check();
      if ([...this.models.values()].every((model) => model.done.size === this.places.length)) break;
    }
    for (const [group, model] of this.models) {
      expect([...model.done.keys()].sort((a, b) => a - b)).toEqual(this.places.map((_, payload) => payload));
      expect(broker.peek.dead('t')).toBe(
        [...this.models.values()].flatMap(({ done }) => [...done.values()]).filter((how) => how === 'dead').length,
      );
      expect([broker.peek.depth('t', group), broker.peek.unsettled('t', group)]).toEqual([0, 0]);
      for (let partition = 0; partition < (this.partitions ?? 1); partition += 1) {
        const ends = this.places.filter((place) => place.partition === partition).map(({ offset }) => offset + 1);
        expect(broker.peek.committed('t', group, partition)).toBe(Math.max(0, ...ends));
      }
    }
    for (const member of this.members) if (!member.left) member.leave();
    clock.advance(1_000);
    expect([broker.peek.connections(), clock.pendingTimers]).toEqual([0, 0]);
  }
}

/** Fails on the first status that may not follow the one before. */
function watchStatus(): { readonly illegal: string[]; stop(): void } {
  const illegal: string[] = [];
  const stop = observe((event) => {
    if (event.type === 'status.changed' && !isLegalStep(event.from, event.to))
      illegal.push(`${event.from} to ${event.to}`);
  });
  return { illegal, stop };
}

describe('the in-memory broker and its model', () => {
  it('agree after every step: nothing lost, nothing twice, credit, order and commits hold (I1-I6, I8)', () => {
    const setting = fc.record({
      partitions: fc.constantFrom(undefined, 1, 3),
      requeueDelayMs: fc.constantFrom(0, 50),
      steps: fc.array(step, { maxLength: 80 }),
    });
    fc.assert(
      fc.property(setting, ({ partitions, requeueDelayMs, steps }) => {
        const status = watchStatus();
        const system = new System(partitions, requeueDelayMs);
        for (const one of steps) system.do(one);
        system.end();
        status.stop();
        expect(status.illegal).toEqual([]);
      }),
      { numRuns: runs(300) },
    );
  });
});

type Fault =
  | { readonly do: 'delay'; readonly ms: number; readonly jitterMs: number }
  | { readonly do: 'duplicate'; readonly share: number }
  | { readonly do: 'stall' | 'fill'; readonly on: boolean }
  | { readonly do: 'pause' | 'resume' | 'cut' | 'heal' | 'dropLink'; readonly name: 'in' | 'out' | undefined }
  | { readonly do: 'kill' | 'restart' };

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ do: fc.constant('delay' as const), ms: fc.constantFrom(0, 20, 200), jitterMs: fc.constantFrom(0, 100) }),
  fc.record({ do: fc.constant('duplicate' as const), share: fc.constantFrom(0, 0.3) }),
  fc.record({ do: fc.constantFrom('stall' as const, 'fill' as const), on: fc.boolean() }),
  fc.record({
    do: fc.constantFrom<'pause' | 'resume' | 'cut' | 'heal' | 'dropLink'>('pause', 'resume', 'cut', 'heal', 'dropLink'),
    name: fc.constantFrom<'in' | 'out' | undefined>('in', 'out', undefined),
  }),
  fc.record({ do: fc.constantFrom('kill' as const, 'restart' as const) }),
);

function strike(broker: MemoryBroker, what: Fault): void {
  const { faults } = broker;
  switch (what.do) {
    case 'delay':
      faults.delay(what.ms, what.jitterMs);
      break;
    case 'duplicate':
      faults.duplicate(what.share);
      break;
    case 'stall':
    case 'fill':
      faults[what.do](what.on);
      break;
    case 'kill':
    case 'restart':
      faults[what.do]();
      break;
    default:
      faults[what.do](what.name);
  }
}

function soothe(broker: MemoryBroker): void {
  const { faults } = broker;
  faults.delay(0);
  faults.duplicate(0);
  faults.stall(false);
  faults.fill(false);
  faults.restart();
  for (const name of ['in', 'out', undefined]) faults.heal(name);
}

describe('a bridge between two topics, whatever goes wrong on its way', () => {
  it('loses nothing, and has all done once everything is well again (I2, I7, I8, ACK-13)', async () => {
    const setting = fc.record({
      seed: fc.nat(1_000),
      steps: fc.array(fc.tuple(fault, fc.constantFrom(0, 30, 300, 3_000, 20_000)), { maxLength: 25 }),
    });
    await fc.assert(
      fc.asyncProperty(setting, async ({ seed, steps }) => {
        const status = watchStatus();
        const clock = virtualClock({ seed });
        const broker = memoryBroker({ clock, topics: { out: { maxMessages: 10 } } });
        const link = (name: string): ReturnType<typeof memoryLink> => memoryLink(broker, { name, clock, reconnect });
        const count = 60;
        for (let payload = 0; payload < count; payload += 1) broker.publish({ topic: 'in', payload });
        const sink = memorySink<number>(link('out'), { topic: 'out', clock, reconnect, maxUnconfirmed: 4 });
        run(memorySource<number>(link('in'), { topic: 'in', clock, reconnect, credit: 8 }), sink);
        const arrived = new Set<number>();
        let held = 0;
        collect(memorySource<number>(broker, { topic: 'out', clock, reconnect, credit: 3 }), (message) => {
          held += 1;
          clock.timer(5, () => {
            held -= 1;
            if (message.ack()) arrived.add(message.payload);
          });
        });
        for (const [what, ms] of steps) {
          strike(broker, what);
          await clock.run(ms);
          const { unconfirmed = 0 } = sink as { unconfirmed?: number };
          expect(unconfirmed, 'I7: never more than its window').toBeLessThanOrEqual(4);
          expect(broker.peek.depth('out'), 'I7: never more than the topic takes').toBeLessThanOrEqual(10 + held + 3);
        }
        soothe(broker);
        await clock.runUntil(() => arrived.size === count && broker.peek.unsettled('out') === 0, 600_000);
        expect([...arrived].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, payload) => payload));
        await clock.run(60_000);
        expect([broker.peek.depth('in'), broker.peek.unsettled('in')]).toEqual([0, 0]);
        expect([broker.peek.depth('out'), broker.peek.unsettled('out')]).toEqual([0, 0]);
        status.stop();
        expect(status.illegal).toEqual([]);
      }),
      { numRuns: runs(40) },
    );
  });
});
