import { SluiceError, type Clock, type Flow, type Message, type MessageHeaders, type Sink } from 'sluice';
import { defineLink, defineSink, defineSource, type Link, type ReaderContext } from 'sluice/connection';
import type { Bench, BenchSourceOptions, Direction, Features, Harness, ProcVerbs } from 'sluice/testing';
import { virtualClock } from 'sluice/testing';

/** What can be wrong with the tiny connector. Each is a mistake that was seen in a real one. */
export type Defect =
  | 'acks early'
  | 'drops what is unsettled on close'
  | 'drops what is unsettled on a lost connection'
  | 'forgets to subscribe again'
  | 'opens before it is subscribed'
  | 'swallows a nack'
  | 'drops a nack as if it were acked'
  | 'loses the attempt count'
  | 'ignores bytes'
  | 'hands out beyond its window'
  | 'confirms before it has it'
  | 'drops the headers'
  | 'mixes channels'
  | 'never notices a dead peer'
  | 'reverses its queue'
  | 'waits for ever after a pause'
  | 'forgets a message while it drains'
  | 'gives every group the same queue'
  | 'keeps what was acked'
  | 'commits the newest position'
  | 'gives up when the broker is absent'
  | 'tries again in a hot loop'
  | 'tries again after it was denied'
  | 'takes slowness for death'
  | 'leaves a reader behind'
  | 'leaves its connection open'
  | 'confirms what finds no room'
  | 'confirms what nobody takes'
  | 'sends what is too large'
  | 'forgets what comes while nobody reads'
  | 'tells its password'
  | 'keeps its first token';

interface TinyRecord {
  readonly id: string | undefined;
  readonly payload: Uint8Array;
  readonly key: string | undefined;
  readonly headers: MessageHeaders;
  readonly order: number;
  attempt: number;
}

class TinyQueue {
  readonly waiting: TinyRecord[] = [];
  readonly held = new Set<TinyRecord>();
  readonly readers = new Set<ReaderContext<Uint8Array>>();
  readonly done = new Set<number>();
  finished = false;
  /** Orders handed out, lowest first: the log of this queue. */
  readonly log: number[] = [];

  put(record: TinyRecord): void {
    let at = this.waiting.length;
    while (at > 0 && (this.waiting[at - 1] as TinyRecord).order > record.order) at -= 1;
    this.waiting.splice(at, 0, record);
    for (const reader of this.readers) reader.wake();
  }

  /** Done for good. */
  remove(record: TinyRecord): void {
    this.held.delete(record);
    this.done.add(record.order);
  }

  /** How many positions of the log are done without a gap. */
  committed(newest: boolean): number {
    if (newest) return 1 + this.log.findLastIndex((order) => this.done.has(order));
    const gap = this.log.findIndex((order) => !this.done.has(order));
    return gap === -1 ? this.log.length : gap;
  }

  giveBack(record: TinyRecord): void {
    if (!this.held.delete(record)) return;
    record.attempt += 1;
    this.put(record);
  }
}

/** One connection of a client, as the broker sees it. */
interface TinyConnection {
  readonly lost: (error: unknown) => void;
}

/** A broker in a few lines: queues by channel and group, confirmations, and every fault of the harness. */
export class TinyBroker {
  readonly defects: ReadonlySet<Defect>;
  readonly finite: boolean;
  opened = 0;
  dead: Direction | 'both' | undefined;
  stalled = false;
  latencyMs = 0;
  isFull = false;
  private denying = false;
  private token = 0;
  private readonly clock: Clock;
  private readonly channels = new Map<string, Map<string, TinyQueue>>();
  private readonly connections = new Set<TinyConnection>();
  private up = true;
  private refusing = false;
  private orders = 0;
  private names = 0;

  constructor(clock: Clock, finite: boolean, defects: ReadonlySet<Defect>) {
    this.clock = clock;
    this.finite = finite;
    this.defects = defects;
  }

  channel(hint = 'channel'): string {
    this.names += 1;
    return this.defects.has('mixes channels') ? `same ${this.names % 2}` : `${hint} ${this.names}`;
  }

  link(peerDetectMs: number): Link<TinyConnection> {
    return defineLink(
      {
        connector: 'tiny',
        connect: ({ lost }) => {
          if (this.denying) {
            const retriable = this.defects.has('tries again after it was denied');
            const who = this.defects.has('tells its password') ? TINY_PASSWORD : 'you';
            throw new SluiceError('AUTH_FAILED', `The tiny broker does not know ${who}.`, { retriable });
          }
          const token = this.defects.has('keeps its first token') ? 0 : this.token;
          if (token !== this.token) throw new SluiceError('AUTH_FAILED', 'The tiny broker knows no such token.');
          if (!this.up || this.refusing) throw new SluiceError('CONNECT_FAILED', 'no', { retriable: true });
          const connection = { lost };
          this.connections.add(connection);
          return connection;
        },
        disconnect: (connection) => {
          if (!this.defects.has('leaves its connection open')) this.connections.delete(connection);
        },
        ...(this.defects.has('never notices a dead peer') ? {} : { ping: () => this.answer() }),
      },
      {
        clock: this.clock,
        heartbeatMs: peerDetectMs / 3,
        reconnect: {
          tries: this.defects.has('gives up when the broker is absent') ? 1 : Infinity,
          stableMs: 1_000,
          delayMs: () => (this.defects.has('tries again in a hot loop') ? 0 : 10),
        },
      },
    );
  }

  queue(channel: string, group = ''): TinyQueue {
    const name = this.defects.has('gives every group the same queue') ? '' : group;
    let groups = this.channels.get(channel);
    if (groups === undefined) this.channels.set(channel, (groups = new Map<string, TinyQueue>()));
    let queue = groups.get(name);
    if (queue === undefined) groups.set(name, (queue = new TinyQueue()));
    return queue;
  }

  publish(channel: string, record: Omit<TinyRecord, 'order' | 'attempt'>): void {
    const groups = this.channels.get(channel);
    const isRead = [...(groups?.values() ?? [])].some((queue) => queue.readers.size > 0);
    if (!isRead && this.defects.has('forgets what comes while nobody reads')) return;
    const queues = groups === undefined || groups.size === 0 ? [this.queue(channel)] : [...groups.values()];
    this.orders += 1;
    for (const queue of queues) {
      queue.log.push(this.orders);
      queue.put({ ...record, order: this.orders, attempt: 1 });
    }
  }

  /** Strikes a message off, whoever holds it. */
  forget(channel: string, payload: Uint8Array): void {
    const queue = this.queue(channel);
    for (const record of queue.held) if (record.payload === payload) queue.remove(record);
  }

  later(work: () => void): void {
    this.clock.timer(1_000, work);
  }

  finish(channel: string): void {
    const queue = this.queue(channel);
    queue.finished = true;
    for (const reader of queue.readers) reader.wake();
  }

  cut(): void {
    for (const connection of [...this.connections]) {
      this.connections.delete(connection);
      connection.lost(new SluiceError('CONNECTION_LOST', 'cut', { retriable: true }));
    }
  }

  power(up: boolean): void {
    this.up = up;
    if (!up) this.cut();
  }

  refuse(): void {
    this.refusing = true;
  }

  deny(denied: boolean): void {
    this.denying = denied;
  }

  /** Tokens given out before this are not good any more, nor are the connections that came with them. */
  expire(): void {
    this.token += 1;
    this.cut();
  }

  /** Connections now. */
  get open(): number {
    return this.connections.size;
  }

  fill(full: boolean): void {
    this.isFull = full;
  }

  heal(): void {
    this.refusing = false;
    this.latencyMs = 0;
    this.dead = undefined;
    this.stalled = false;
    for (const groups of this.channels.values()) {
      for (const queue of groups.values()) for (const reader of queue.readers) reader.wake();
    }
  }

  /** Whether bytes in this direction arrive. */
  passes(direction: Direction): boolean {
    return this.dead === undefined || (this.dead !== 'both' && this.dead !== direction);
  }

  private answer(): Promise<void> {
    const isSlow = this.latencyMs > 0 && this.defects.has('takes slowness for death');
    return this.passes('up') && this.passes('down') && !isSlow ? Promise.resolve() : new Promise(() => undefined);
  }
}

/** The source of the tiny connector, made by the kit as any connector outside of the library would be. */
export function tinySource(
  broker: TinyBroker,
  link: Link<TinyConnection>,
  channel: string,
  { group, ...options }: BenchSourceOptions,
): Flow<Uint8Array> {
  const { defects } = broker;
  let opens = 0;
  if (defects.has('opens before it is subscribed')) broker.opened += 1;
  return defineSource<Uint8Array, TinyConnection>(
    {
      connector: 'tiny',
      credit: 32,
      link,
      open(context) {
        const queue = broker.queue(channel, group);
        const mine = new Set<TinyRecord>();
        let stopped = false;
        broker.opened += 1;
        opens += 1;
        if (opens === 1 || !defects.has('forgets to subscribe again')) {
          queue.readers.add(context);
          context.wake();
        }
        const ahead: TinyRecord[] = [];
        const hold = (record: TinyRecord): void => {
          queue.held.add(record);
          mine.add(record);
        };
        const take = (): TinyRecord | undefined =>
          defects.has('reverses its queue') ? queue.waiting.pop() : queue.waiting.shift();
        return {
          resume() {
            if (!queue.readers.has(context)) return;
            if (!broker.passes('down') || broker.stalled) return;
            while (defects.has('hands out beyond its window') && ahead.length < 50 && queue.waiting.length > 0) {
              ahead.push(take() as TinyRecord);
              hold(ahead.at(-1) as TinyRecord);
            }
            while (context.ready) {
              const record = ahead.shift() ?? take();
              if (record === undefined) break;
              if (defects.has('acks early')) queue.remove(record);
              else hold(record);
              context.offer({
                payload: record.payload,
                topic: channel,
                key: record.key,
                id: record.id,
                headers: record.headers,
                attempt: defects.has('loses the attempt count') ? 1 : record.attempt,
                ...(defects.has('ignores bytes') ? {} : { bytes: record.payload.length }),
                position: record,
              });
            }
            if (!context.ready && defects.has('waits for ever after a pause')) queue.readers.delete(context);
            // What another reader holds may come back.
            const isLast = queue.waiting.length === 0 && queue.held.size === mine.size;
            if (broker.finite && queue.finished && isLast) context.end();
          },
          settle(position, outcome) {
            const record = position as TinyRecord;
            mine.delete(record);
            if (!broker.passes('up') || broker.stalled) return;
            if (outcome === 'requeue' && defects.has('swallows a nack')) return;
            const again = outcome === 'requeue' && !defects.has('drops a nack as if it were acked');
            if (again) context.clock.timer(TINY_DELAY_MS, () => queue.giveBack(record));
            else if (outcome === 'release') queue.giveBack(record);
            else if (outcome === 'ack' && defects.has('keeps what was acked')) mine.add(record);
            else queue.remove(record);
          },
          stop() {
            stopped = true;
            if (defects.has('forgets a message while it drains')) queue.waiting.shift();
            queue.readers.delete(context);
          },
          close() {
            if (!defects.has('leaves a reader behind')) queue.readers.delete(context);
            const dropped =
              defects.has('drops what is unsettled on close') ||
              (defects.has('drops what is unsettled on a lost connection') && opens === 1 && !stopped);
            for (const record of mine) {
              if (dropped) queue.remove(record);
              else queue.giveBack(record);
            }
            mine.clear();
          },
        };
      },
    },
    options,
  );
}

/** The sink of the tiny connector. */
export function tinySink(
  broker: TinyBroker,
  link: Link<TinyConnection>,
  channel: string,
  options: object,
  clock: Clock,
): Sink<Uint8Array> {
  const { defects } = broker;
  return defineSink<Uint8Array, TinyConnection>(
    {
      connector: 'tiny',
      maxUnconfirmed: 16,
      link,
      open: () => {
        let isOpen = true;
        return {
          send(sending) {
            const { id, payload, key, headers } = sending.message;
            const whyNot = refusal(broker, channel, payload);
            if (whyNot !== undefined) {
              clock.timer(1, () => sending.fail(whyNot));
              return;
            }
            const arrive = (): void => {
              if (!broker.passes('up') || broker.stalled || broker.isFull) return;
              broker.publish(channel, { id, payload, key, headers: defects.has('drops the headers') ? {} : headers });
            };
            if (defects.has('confirms before it has it')) {
              sending.confirm();
              clock.timer(1, () => {
                if (isOpen) arrive();
              });
              return;
            }
            arrive();
            clock.timer(1 + broker.latencyMs, () => {
              if (isOpen && broker.passes('down') && broker.passes('up') && !broker.stalled) sending.confirm();
            });
          },
          close: () => void (isOpen = false),
        };
      },
    },
    options,
  );
}

/** How long a requeued message stays away. */
const TINY_DELAY_MS = 20;

/** Why the broker does not take a message, if it says so. */
function refusal({ defects, isFull }: TinyBroker, channel: string, payload: Uint8Array): SluiceError | undefined {
  if (payload.length > TINY_MAX_BYTES && !defects.has('sends what is too large')) {
    return new SluiceError('PAYLOAD_TOO_LARGE', `More than ${TINY_MAX_BYTES} bytes.`);
  }
  if (channel.startsWith(NOWHERE) && !defects.has('confirms what nobody takes')) {
    return new SluiceError('UNROUTABLE', 'Nobody takes it.');
  }
  if (isFull && !defects.has('confirms what finds no room')) {
    return new SluiceError('OVERFLOW', 'The tiny broker is full.', { retriable: true });
  }
  return undefined;
}

const TINY_MAX_BYTES = 65_536;
const NOWHERE = 'nowhere';
const TINY_PASSWORD = 'canary-password';

export const TINY_FEATURES: Features = {
  ack: 'manual',
  confirms: 'broker',
  flowControl: 'credit',
  headers: 'binary',
  backlog: true,
  binary: true,
  byteCredit: true,
  ordered: true,
  persistent: true,
  consumerGroups: true,
  nackRequeue: true,
  nackDelay: TINY_DELAY_MS,
  deliveryCount: true,
  fanOut: true,
  maxMessageBytes: TINY_MAX_BYTES,
  routingReport: true,
  deadLetter: true,
  durableSubscription: true,
  tokenRefresh: true,
  reconnects: true,
  brokerControl: true,
  peerDetectMs: 15_000,
};

/** What a test of the suite may change. */
export interface TinyOptions {
  readonly defects?: readonly Defect[];
  readonly finite?: boolean;
  readonly features?: Partial<Features>;
  readonly clock?: Harness['clock'];
  /** Breaks the bench from the outside. */
  readonly wrap?: (bench: Bench, broker: TinyBroker) => Bench;
}

/** A harness over the tiny connector, whole or with defects. */
export function tinyHarness(options: TinyOptions = {}): Harness {
  const { finite = false, defects = [], wrap = (bench: Bench): Bench => bench } = options;
  const features: Features = { ...TINY_FEATURES, ...(finite ? { finite } : {}), ...options.features };
  return {
    name: finite ? 'tiny, finite' : 'tiny',
    clock: options.clock ?? 'virtual',
    reconnectMaxMs: 10,
    secrets: [TINY_PASSWORD],
    features,
    can: [
      'sink',
      'unbound',
      'broker.stop',
      'broker.start',
      'broker.kill',
      'broker.restart',
      'net.cut',
      'net.refuse',
      'net.blackhole',
      'net.stall',
      'net.heal',
      'peek.depth',
      'peek.unsettled',
      'peek.committed',
      'peek.opened',
      'peek.open',
      'peek.consumers',
      'auth.deny',
      'auth.grant',
      'auth.expire',
      'store.fill',
      'store.free',
      'net.latency',
      'proc.crash',
    ],
    open({ clock }) {
      const broker = new TinyBroker(clock, finite, new Set(defects));
      const link = broker.link(features.peerDetectMs ?? 15_000);
      const bench: Bench = {
        channel: (hint) => broker.channel(hint),
        source: (channel, sourceOptions) => tinySource(broker, link, channel, sourceOptions),
        sink: (channel, sinkOptions) => tinySink(broker, link, channel, sinkOptions, clock),
        finish: (channel) => broker.finish(channel),
        unbound: () => `${NOWHERE} ${broker.channel()}`,
        broker: {
          stop: () => broker.power(false),
          start: () => broker.power(true),
          kill: () => broker.power(false),
          restart() {
            broker.power(false);
            broker.power(true);
          },
        },
        net: {
          cut: () => broker.cut(),
          refuse: () => broker.refuse(),
          blackhole: (direction) => void (broker.dead = direction ?? 'both'),
          stall: () => void (broker.stalled = true),
          latency: (ms) => void (broker.latencyMs = ms),
          heal: () => broker.heal(),
        },
        peek: {
          depth: (channel) => broker.queue(channel).waiting.length,
          unsettled: (channel) => broker.queue(channel).held.size,
          committed: (channel) => broker.queue(channel).committed(broker.defects.has('commits the newest position')),
          opened: () => broker.opened,
          open: () => broker.open,
          consumers: (channel) => broker.queue(channel).readers.size,
        },
        auth: { deny: () => broker.deny(true), grant: () => broker.deny(false), expire: () => broker.expire() },
        store: { fill: () => broker.fill(true), free: () => broker.fill(false) },
        proc: {
          crash: (channel, crashing) => crash(broker, channel, crashing),
        },
      };
      return wrap(bench, broker);
    },
  };
}

/** A client that is gone from one moment to the next: nothing of it runs any more, and its connection breaks. */
function crash(
  broker: TinyBroker,
  channel: string,
  { credit, deliveries, settles }: Parameters<ProcVerbs['crash']>[1],
): Promise<Uint8Array[]> {
  const clock = virtualClock();
  const queue = broker.queue(channel);
  const acked: Uint8Array[] = [];
  const taken: Message<Uint8Array>[] = [];
  const ack = (message: Message<Uint8Array> | undefined): void => {
    if (message?.ack() === true) acked.push(message.payload);
  };
  tinySource(broker, broker.link(15_000), channel, { credit, clock }).subscribe((message) => {
    if (taken.length >= deliveries) return;
    taken.push(message);
    if (settles === undefined && taken.length % 2 === 1) ack(message);
    if (taken.length === deliveries) for (const at of settles ?? []) ack(taken[at]);
  });
  clock.advance(0);
  for (const record of [...queue.held]) queue.giveBack(record);
  for (const reader of queue.readers) if (reader.clock === clock) queue.readers.delete(reader);
  return Promise.resolve(acked);
}
