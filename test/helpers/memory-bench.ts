import {
  memoryBroker,
  memoryLink,
  memorySink,
  memorySource,
  SluiceError,
  type MemoryAccess,
  type MemoryBroker,
  type Message,
} from 'sluice';
import type { Bench, BenchKit, Features, Harness, Verb } from 'sluice/testing';

const MAX_BYTES = 1024 * 1024;

const features: Features = {
  ack: 'manual',
  confirms: 'local',
  flowControl: 'credit',
  headers: 'binary',
  backlog: true,
  binary: true,
  brokerControl: true,
  byteCredit: true,
  consumerGroups: true,
  cumulativeAck: false,
  deadLetter: true,
  deliveryCount: true,
  durableSubscription: true,
  fanOut: true,
  keyed: true,
  maxMessageBytes: MAX_BYTES,
  nackRequeue: true,
  nackDelay: 100,
  persistent: true,
  reconnects: true,
  routingReport: false,
};

const can: readonly Verb[] = [
  'sink',
  'defaults',
  'broker.stop',
  'broker.start',
  'broker.kill',
  'broker.restart',
  'net.cut',
  'net.refuse',
  'net.stall',
  'net.heal',
  'peek.depth',
  'peek.unsettled',
  'peek.committed',
  'peek.opened',
  'peek.open',
  'peek.consumers',
  'net.latency',
  'store.fill',
  'store.free',
  'auth.deny',
  'auth.grant',
  'proc.crash',
];

function benchOf(broker: MemoryBroker, access: MemoryAccess, { seed, random }: BenchKit): Bench {
  const { faults, peek } = broker;
  // The first seed is the broker as it is; most others have a network in between, each another one.
  const [delayMs, jitterMs] = seed % 4 > 1 ? [Math.floor(random() * 10), Math.floor(random() * 20)] : [0, 0];
  faults.delay(delayMs, jitterMs);
  let channels = 0;
  return {
    channel: (hint = 'topic') => `${hint} ${(channels += 1)}`,
    source: (topic, options) => memorySource(access, { ...options, topic }),
    sink: (topic, options) => memorySink(access, { ...options, topic }),
    broker: {
      stop: () => faults.kill(),
      start: () => faults.restart(),
      kill: () => faults.kill(),
      restart() {
        faults.kill();
        faults.restart();
      },
    },
    net: {
      cut: () => faults.dropLink(),
      refuse: () => faults.refuse(true),
      blackhole: (direction) => faults.pause(undefined, direction),
      stall: () => faults.stall(),
      latency: (ms, jitterMs) => faults.delay(ms - jitterMs, 2 * jitterMs),
      heal() {
        faults.refuse(false);
        faults.stall(false);
        faults.delay(delayMs, jitterMs);
        faults.heal();
      },
    },
    peek: {
      depth: (topic) => peek.depth(topic),
      unsettled: (topic) => peek.unsettled(topic),
      committed: (topic) => peek.committed(topic),
      opened: () => peek.opened(),
      open: () => peek.connections(),
      consumers: (topic) => peek.consumers(topic),
    },
    defaults: {
      'message limit'() {
        const own = memoryBroker();
        own.publish({ topic: 'limit', payload: new Uint8Array(MAX_BYTES) });
        let refusal = '';
        try {
          own.publish({ topic: 'limit', payload: new Uint8Array(MAX_BYTES + 1) });
        } catch (error) {
          refusal = (error as SluiceError).code;
        }
        if (refusal !== 'PAYLOAD_TOO_LARGE') throw new Error(`More than 1 MiB was not refused but ${refusal}`);
      },
    },
    store: { fill: () => faults.fill(), free: () => faults.fill(false) },
    auth: {
      deny: () => faults.refuse(new SluiceError('AUTH_FAILED', 'The broker knows nobody of that name.')),
      grant: () => faults.refuse(false),
    },
    proc: { crash: (topic, options) => crash(broker, topic, options) },
  };
}

let clients = 0;

/** A client of its own whose link is cut for good, so that the broker hears nothing more of it. */
function crash(
  broker: MemoryBroker,
  topic: string,
  options: { readonly credit: number; readonly deliveries: number; readonly settles?: readonly number[] },
): Promise<Uint8Array[]> {
  const name = `client ${(clients += 1)}`;
  const acked: Uint8Array[] = [];
  const link = memoryLink(broker, { name });
  return new Promise((resolve) => {
    let count = 0;
    const taken: Message<Uint8Array>[] = [];
    const ack = (message: Message<Uint8Array> | undefined): void => {
      if (message?.ack() === true) acked.push(message.payload);
    };
    const receive = (message: Message<Uint8Array>): void => {
      count += 1;
      taken.push(message);
      if (options.settles === undefined && count % 2 === 0) ack(message);
      if (count < options.deliveries) return;
      for (const at of options.settles ?? []) ack(taken[at]);
      broker.faults.cut(name);
      client.unsubscribe();
      resolve(acked);
    };
    const client = memorySource<Uint8Array>(link, { topic, credit: options.credit }).subscribe((message) => {
      if (count < options.deliveries) receive(message);
    });
  });
}

/** Sources and sinks with a connection of their own. */
export const memoryHarness: Harness = {
  name: 'memory',
  clock: 'virtual',
  features: { ...features, ordered: true, stallDetectMs: 30_000 },
  can,
  open(kit) {
    const broker = memoryBroker({ clock: kit.clock, requeueDelayMs: 100 });
    return benchOf(broker, broker, kit);
  },
};

/** One connection for all. */
export const memoryOverLink: Harness = {
  name: 'memory over a link',
  clock: 'virtual',
  features: { ...features, ordered: true, peerDetectMs: 15_000 },
  reconnectMaxMs: 30_000,
  can: [...can, 'net.blackhole'],
  open(kit) {
    const broker = memoryBroker({ clock: kit.clock, requeueDelayMs: 100 });
    return benchOf(broker, memoryLink(broker), kit);
  },
};

/** Several readers of one topic, each key with one of them. */
export const memoryPartitioned: Harness = {
  name: 'memory with partitions',
  clock: 'virtual',
  features: { ...features, orderedPerKey: true, stallDetectMs: 30_000 },
  // There is one position per partition, and none of the channel.
  can: can.filter((verb) => verb !== 'peek.committed'),
  open(kit) {
    const broker = memoryBroker({ clock: kit.clock, requeueDelayMs: 100, partitions: 8 });
    return benchOf(broker, broker, kit);
  },
};

/** The first one on the clock of the machine. */
export const memoryInRealTime: Harness = {
  ...memoryHarness,
  name: 'memory in real time',
  // It takes its time to be sure that a source is stalled, and a test has better things to do.
  features: { ...features, ordered: true },
  clock: 'real',
  maxMessages: 200,
  withinMs: 45_000,
};
