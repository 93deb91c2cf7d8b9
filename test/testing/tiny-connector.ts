import { SluiceError, type Clock, type Flow, type Message, type Sink } from 'sluice';
import { defineSink, defineSource, type Link } from 'sluice/connection';
import type { Bench, BenchSourceOptions, Features, Harness, ProcVerbs } from 'sluice/testing';
import { virtualClock } from 'sluice/testing';
import { TINY_PASSWORD, TinyBroker, type Defect, type TinyConnection, type TinyRecord } from './tiny-broker.js';

/** The source of the tiny connector, made by the kit as any connector outside of the library would be. */
export function tinySource(
  broker: TinyBroker,
  link: Link<TinyConnection>,
  channel: string,
  { group, replay, ...options }: BenchSourceOptions,
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
        const queue = broker.queue(channel, group, replay);
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
            while (defects.has('hands out beyond its window') && queue.waiting.length > 0) {
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
            if (outcome === 'dead' && defects.has('ends with the first message that it gives up')) {
              context.lost(new SluiceError('HANDLER_FAILED', 'A message was given up.'));
            }
            const again = outcome === 'requeue' && !defects.has('drops a nack as if it were acked');
            const delayMs = defects.has('brings a requeued message back at once') ? 0 : TINY_DELAY_MS;
            if (again) context.clock.timer(delayMs, () => queue.giveBack(record));
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
              clock.timer(TINY_DELAY_MS, () => sending.fail(whyNot));
              return;
            }
            const arrive = (): void => {
              if (!broker.passes('up') || broker.stalled || broker.isFull) return;
              broker.publish(channel, { id, payload, key, headers: defects.has('drops the headers') ? {} : headers });
            };
            const isHasty = defects.has('confirms before it has it');
            if (isHasty || defects.has('confirms what is lost with its connection')) {
              const { cuts } = broker;
              sending.confirm();
              clock.timer(1, () => {
                if (isHasty ? isOpen : cuts === broker.cuts) arrive();
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

/** How long a requeued message stays away, and the broker thinks about what it refuses. */
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
  replay: true,
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
  readonly maxMessages?: number;
  readonly soakMs?: number;
  /** Breaks the bench from the outside. */
  readonly wrap?: (bench: Bench, broker: TinyBroker) => Bench;
}

/** A harness over the tiny connector, whole or with defects. */
export function tinyHarness(options: TinyOptions = {}): Harness {
  const { finite = false, defects = [], wrap = (bench: Bench): Bench => bench, maxMessages, soakMs } = options;
  const features: Features = { ...TINY_FEATURES, ...(finite ? { finite } : {}), ...options.features };
  return {
    name: finite ? 'tiny, finite' : 'tiny',
    clock: options.clock ?? 'virtual',
    reconnectMaxMs: 10,
    secrets: [TINY_PASSWORD],
    ...(maxMessages === undefined ? {} : { maxMessages }),
    ...(soakMs === undefined ? {} : { soakMs }),
    features,
    can: [
      'sink',
      'raw',
      'unbound',
      'copy',
      'defaults',
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
      'proc.hold',
    ],
    open({ clock }) {
      // What it keeps of what was acked, it has not forgotten with the delivery.
      const forgets = features.ack === 'auto' && !defects.includes('keeps what was acked');
      const broker = new TinyBroker(clock, finite, new Set(forgets ? [...defects, 'acks early'] : defects));
      const link = broker.link(features.peerDetectMs ?? 15_000);
      const bench: Bench = {
        channel: (hint) => broker.channel(hint),
        source: (channel, sourceOptions) => tinySource(broker, link, channel, sourceOptions),
        sink: (channel, sinkOptions) => tinySink(broker, link, channel, sinkOptions, clock),
        finish: (channel) => broker.finish(channel),
        raw: () => Promise.resolve('closed'),
        copy: (from, to) => copy(broker, link, clock, from, to),
        defaults: {
          'message limit'() {
            const refused = refusal(broker, '', new Uint8Array(TINY_MAX_BYTES + 1));
            if (refused?.code !== 'PAYLOAD_TOO_LARGE') throw new Error('It takes what is too large.');
          },
        },
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
          hold: (channel, holding) => holds(broker, channel, holding),
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

/** A client that settles nothing, and what it has by then. */
function holds(
  broker: TinyBroker,
  channel: string,
  { credit, forMs }: Parameters<ProcVerbs['hold']>[1],
): Promise<{ grownBytes: number }> {
  const clock = virtualClock();
  const { held } = broker.queue(channel);
  const flow = tinySource(broker, broker.link(15_000), channel, { credit, clock, closeTimeoutMs: 0 });
  const subscription = flow.subscribe();
  clock.advance(forMs);
  const grownBytes = [...held].reduce((sum, { payload }) => sum + payload.length, 0);
  subscription.unsubscribe();
  clock.advance(0);
  return Promise.resolve({ grownBytes });
}

/** Publishes a message and strikes it off in one step. */
function copy(
  broker: TinyBroker,
  link: Link<TinyConnection>,
  clock: Clock,
  from: string,
  to: string,
): { stop(): void } {
  const subscription = tinySource(broker, link, from, { clock }).subscribe((message) => {
    const { id, payload, key, headers } = message;
    broker.publish(to, { id, payload, key, headers });
    broker.forget(from, payload);
    message.ack();
  });
  return { stop: () => subscription.unsubscribe() };
}
