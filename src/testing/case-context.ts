import { systemClock, type Cancel, type Clock } from '../clock.js';
import { backoff, type Backoff } from '../connection/backoff.js';
import type { SinkOptions } from '../connection/define-sink.js';
import type { Flow, Sink, Stage } from '../connection/flow.js';
import type { SluiceEvent } from '../observability/events.js';
import { CaseConsumer, type Handler } from './case-consumer.js';
import { CaseOffers } from './case-offers.js';
import { CasePublisher, type Outgoing } from './case-publisher.js';
import type { Features } from './features.js';
import { history, type History } from './history.js';
import type { Bench, BenchSourceOptions, Harness } from './harness.js';
import type { VirtualClock } from './virtual-clock.js';

/** What a publish of a case may say. */
export interface PublishPlan {
  /** Name of the writer in the ids. Default `w`. */
  readonly writer?: string;
  /** Total size of each payload. Default: as long as the id. */
  readonly bytes?: number;
  readonly key?: (index: number) => string;
  readonly sink?: SinkOptions;
  /** False for runs too long to be kept. Default true. */
  readonly record?: boolean;
}

/** What a consumer of a case may say. */
export interface ConsumePlan {
  readonly options?: BenchSourceOptions;
  readonly handler?: Handler;
  readonly stage?: Stage<Uint8Array, Uint8Array>;
  readonly record?: boolean;
}

const utf8 = new TextEncoder();
const DEFAULT_CREDIT = 64;
const LATENESS_MS = 1_000;
/** How long a case that is over waits for its sources and sinks, in real time. */
const CLOSING_MS = 2_000;
const RECONNECT_MAX_MS = 200;
/** A break is over soon, so that many of them fit into one case. */
const reconnect: Backoff = backoff({ initialMs: 20, minMs: 1, maxMs: RECONNECT_MAX_MS, stableMs: 1_000 });

/** Leaves the message unsettled. */
export const hold: Handler = () => undefined;
/** Acks inside `next`. */
export const ackEach: Handler = (message, consumer) => void consumer.ack(message);

/**
 * What a conformance case works with: the bench, time, waiting by condition, publishers, consumers and the history.
 *
 * @internal
 */
export class CaseContext {
  readonly harness: Harness;
  readonly bench: Bench;
  readonly clock: Clock;
  readonly random: () => number;
  readonly history: History = history('run');
  /** Everything reported during the case. */
  readonly events: SluiceEvent[] = [];
  /** When each of them came, in real time. */
  readonly heardMs: number[] = [];
  readonly violations: string[] = [];
  private readonly virtual: VirtualClock | undefined;
  private readonly compare: (actual: unknown, expected: unknown, what: string) => void;
  private readonly cleanups: Cancel[] = [];
  readonly consumers: CaseConsumer[] = [];
  /** Those that are not closed yet. */
  readonly sinks: Set<Sink<Uint8Array>> = new Set();
  private readonly writers = new Map<string, () => string>();

  constructor(
    harness: Harness,
    bench: Bench,
    clock: Clock,
    virtual: VirtualClock | undefined,
    compare: (actual: unknown, expected: unknown, what: string) => void,
  ) {
    this.harness = harness;
    this.bench = bench;
    this.clock = clock;
    this.random = () => clock.random();
    this.virtual = virtual;
    this.compare = compare;
  }

  hear(event: SluiceEvent): void {
    this.events.push(event);
    this.heardMs.push(systemClock.elapsed());
  }

  get features(): Features {
    return this.harness.features;
  }

  get isVirtual(): boolean {
    return this.virtual !== undefined;
  }

  /** Longest wait between two tries to connect. */
  get reconnectMaxMs(): number {
    return this.harness.reconnectMaxMs ?? RECONNECT_MAX_MS;
  }

  // --- judging ------------------------------------------------------------------------------------------------------

  /** Fails unless both are the same text, number or boolean. */
  same(actual: unknown, expected: unknown, what: string): void {
    this.compare(actual, expected, what);
  }

  holds(condition: boolean, what: string): void {
    this.compare(condition, true, what);
  }

  /** How many messages to send where the case would like `wanted`. */
  volume(wanted: number): number {
    return Math.min(wanted, this.harness.maxMessages ?? (this.virtual === undefined ? 1_000 : 10_000));
  }

  // --- time ---------------------------------------------------------------------------------------------------------

  /** Waits until it holds, and fails when it does not in time: virtual minutes, or `withinMs` of the harness. */
  async until(what: string, condition: () => boolean, withinMs?: number): Promise<void> {
    if (this.virtual !== undefined) {
      const limitMs = withinMs ?? 300_000;
      const held = await this.virtual.runUntil(condition, limitMs);
      this.compare(held, true, `${what}, within ${limitMs} virtual ms`);
      return;
    }
    const limitMs = Math.max(withinMs ?? 0, this.harness.withinMs ?? 10_000);
    const endMs = systemClock.elapsed() + limitMs;
    while (!condition() && systemClock.elapsed() < endMs) await tick(2);
    this.compare(condition(), true, `${what}, within ${limitMs} ms`);
  }

  /** Waits until it holds, and fails when that takes longer than `limitMs`, in real time as well. */
  async soon(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    const startMs = this.clock.elapsed();
    await this.until(what, condition, limitMs);
    // A timer may be late on a busy machine; the limit is not.
    const tookMs = this.clock.elapsed() - startMs - (this.virtual === undefined ? LATENESS_MS : 0);
    this.compare(tookMs <= limitMs, true, `${what} within ${limitMs} ms, it took ${Math.round(tookMs)} ms`);
  }

  /** Waits until what has to be asked for holds. */
  async answers(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
    const stepMs = this.virtual === undefined ? 5 : 100;
    const endMs = this.clock.elapsed() + (this.virtual === undefined ? (this.harness.withinMs ?? 10_000) : 300_000);
    let holds = await ask();
    while (!holds && this.clock.elapsed() < endMs) {
      await this.pass(stepMs);
      holds = await ask();
    }
    this.compare(holds, true, what);
  }

  /** So many heartbeats of the connector, in milliseconds; 0 in real time where it has none. */
  beats(count: number): number {
    const { heartbeatMs, features } = this.harness;
    const beatMs = heartbeatMs ?? (features.peerDetectMs ?? 0) / 3;
    return count * (beatMs === 0 && this.virtual !== undefined ? 15_000 : beatMs);
  }

  /** Watches that it goes on to hold: for `virtualMs`; in real time for `realMs`, at least `quietMs` of the harness. */
  async stays(what: string, condition: () => boolean, virtualMs: number = 60_000, realMs: number = 0): Promise<void> {
    if (this.virtual !== undefined) {
      const broke = await this.virtual.runUntil(() => !condition(), virtualMs);
      this.compare(broke, false, `it stays so that ${what}`);
      return;
    }
    const endMs = systemClock.elapsed() + Math.max(realMs, this.harness.quietMs ?? 50);
    while (condition() && systemClock.elapsed() < endMs) await tick(2);
    this.compare(condition(), true, `it stays so that ${what}`);
  }

  /** The time of the case. In virtual time it passes at once. */
  pass(ms: number): Promise<unknown> {
    return this.virtual === undefined ? tick(ms) : this.virtual.run(ms);
  }

  /** What was promised, while time goes on. */
  async settled<T>(what: string, promise: T | PromiseLike<T>): Promise<T> {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
    Promise.resolve(promise).then(
      (value) => (outcome = { value }),
      (error: unknown) => (outcome = { error }),
    );
    await this.until(what, () => outcome !== undefined);
    const end = outcome as unknown as { readonly value: T } | { readonly error: unknown };
    if ('error' in end) throw end.error;
    return end.value;
  }

  /** Timers that are set, where time is virtual. */
  get pendingTimers(): number {
    return this.virtual?.pendingTimers ?? 0;
  }

  // --- messages -----------------------------------------------------------------------------------------------------

  channel(hint?: string): string {
    return this.bench.channel(hint);
  }

  /** `count` messages with ids of the history, as payloads. */
  items(count: number, plan: PublishPlan = {}): Outgoing[] {
    const { writer = 'w', bytes = 0, key } = plan;
    let next = this.writers.get(writer);
    if (next === undefined) this.writers.set(writer, (next = this.history.writer(writer)));
    const nextId = next;
    return Array.from({ length: count }, (_, index) => {
      const id = nextId();
      const text = bytes > id.length ? `${id} `.padEnd(bytes, 'x') : id;
      return { id, payload: utf8.encode(text), ...(key === undefined ? {} : { key: key(index) }) };
    });
  }

  /** Puts `count` messages on the channel. Does not wait: see `published`. */
  publish(channel: string, count: number, plan: PublishPlan = {}): CasePublisher {
    return this.send(channel, this.items(count, plan), plan.sink, plan.record);
  }

  send(channel: string, items: readonly Outgoing[], options: SinkOptions = {}, record: boolean = true): CasePublisher {
    const { history: seen } = this;
    const publisher = new CasePublisher(
      items,
      this.sink(channel, options),
      this.clock,
      ({ id = 'without' }, outcome) => {
        if (!record) return;
        if (outcome === undefined) seen.attempted(id);
        else if (outcome === 'ack') seen.confirmed(id);
        else if (outcome === 'dead' || outcome === 'drop') seen.refused(id);
        else seen.unknown(id);
      },
      channel,
    );
    this.cleanups.push(publisher.unsubscribe);
    return publisher;
  }

  /** Gives `sink` each of `count` messages once, and keeps what became of it. */
  offer(channel: string, count: number, sink: Sink<Uint8Array>, plan: PublishPlan = {}): CaseOffers {
    return this.offerItems(channel, this.items(count, plan), sink);
  }

  /** The same with messages of the case's own. */
  offerItems(channel: string, items: readonly Outgoing[], sink: Sink<Uint8Array>): CaseOffers {
    const offers = new CaseOffers(items, sink, this.clock, channel);
    this.cleanups.push(() => offers.unsubscribe());
    return offers;
  }

  /** The sink of the bench, or one over its `feed`. */
  sink(channel: string, options: SinkOptions = {}): Sink<Uint8Array> {
    const { bench } = this;
    if (bench.sink !== undefined) {
      const sink = bench.sink(channel, { reconnect, ...options, clock: this.clock });
      this.sinks.add(sink);
      void sink.closed?.then(() => this.sinks.delete(sink));
      return sink;
    }
    return {
      next(message) {
        const { payload, key } = message;
        void Promise.resolve(bench.feed?.(channel, [{ payload, key }])).then(() => message.ack());
      },
      error: () => undefined,
      complete: () => undefined,
    };
  }

  /** Waits until all of it was confirmed. */
  async published(channel: string, count: number, plan: PublishPlan = {}): Promise<void> {
    const publisher = this.publish(channel, count, plan);
    await this.until(`${count} messages are confirmed`, () => publisher.isDone);
    this.same(publisher.confirmed, count, 'confirmed messages');
  }

  source(channel: string, options: BenchSourceOptions = {}): Flow<Uint8Array> {
    return this.bench.source(channel, { credit: DEFAULT_CREDIT, reconnect, ...options, clock: this.clock });
  }

  consume(channel: string, plan: ConsumePlan = {}): CaseConsumer {
    return this.listen(this.source(channel, plan.options), plan);
  }

  listen(flow: Flow<Uint8Array>, plan: ConsumePlan = {}): CaseConsumer {
    const consumer = this.listenOnce(flow, plan);
    this.consumers.push(consumer);
    this.cleanups.push(() => consumer.end());
    return consumer;
  }

  /** The same, and nothing remembers it: the case has to end it. */
  listenOnce(flow: Flow<Uint8Array>, plan: ConsumePlan = {}): CaseConsumer {
    const { options = {}, handler = ackEach, stage, record = true } = plan;
    const credit = options.credit ?? DEFAULT_CREDIT;
    return new CaseConsumer(flow, {
      history: this.history,
      credit: typeof credit === 'number' ? credit : Infinity,
      handler,
      stage,
      record,
      violated: (text) => void this.violations.push(text),
    });
  }

  /** What every source says of itself has to agree with what its consumer saw. */
  audit(): void {
    for (const consumer of this.consumers) consumer.audit();
  }

  /**
   * A channel with `count` messages and one consumer, in the order that the connector needs: a finite source or one with
   * a backlog finds them there, any other has to be subscribed first.
   */
  async start(count: number, plan: ConsumePlan & PublishPlan = {}): Promise<Started> {
    const channel = this.channel();
    const consumer = await this.around(channel, count, plan, async () => {
      const subscribed = this.consume(channel, plan);
      await this.up(subscribed);
      return subscribed;
    });
    return { channel, consumer };
  }

  /** Runs `subscribe` after the messages are there, or sends them after it, as in `start`. */
  async around<T>(channel: string, count: number, plan: PublishPlan, subscribe: () => T | Promise<T>): Promise<T> {
    return this.aroundSent(channel, this.items(count, plan), subscribe, plan);
  }

  /** The same with messages of the case's own. */
  async aroundSent<T>(
    channel: string,
    items: readonly Outgoing[],
    subscribe: () => T | Promise<T>,
    { sink, record }: PublishPlan = {},
  ): Promise<T> {
    if (this.features.backlog === true) {
      const publisher = this.send(channel, items, sink, record);
      await this.until(`${items.length} messages are confirmed`, () => publisher.isDone);
      this.same(publisher.confirmed, items.length, 'confirmed messages');
      await this.bench.finish?.(channel);
      return subscribe();
    }
    const subscribed = await subscribe();
    this.send(channel, items, sink, record);
    return subscribed;
  }

  /** Waits until the consumer's source is connected. */
  up(consumer: CaseConsumer): Promise<void> {
    return this.until(
      'the source is connected',
      () => consumer.isUp || consumer.completed > 0 || consumer.error !== undefined,
    );
  }

  /** Ends the run: the history is complete, so lost can be told from not read yet. */
  checked(): ReturnType<History['check']> {
    this.history.drained();
    const report = this.history.check();
    this.same(report.invalid, '', 'the history is whole');
    return report;
  }

  onEnd(cleanup: Cancel): void {
    this.cleanups.push(cleanup);
  }

  /** It has ended by itself: in a run that is long, what is over must not be kept. */
  forget(cleanup: Cancel): void {
    this.cleanups.splice(this.cleanups.lastIndexOf(cleanup), 1);
  }

  /** Unsubscribes everything, last first, and lets it close: nothing of this case is to be heard in the next one. */
  async end(): Promise<void> {
    for (const cleanup of this.cleanups.splice(0).reverse()) cleanup();
    if (this.virtual !== undefined) return;
    const endMs = systemClock.elapsed() + CLOSING_MS;
    const isClosing = (): boolean => this.sinks.size > 0 || this.consumers.some((consumer) => !consumer.isClosed);
    while (isClosing() && systemClock.elapsed() < endMs) await tick(5);
  }
}

/** What {@link CaseContext.start} gives. */
export interface Started {
  readonly channel: string;
  readonly consumer: CaseConsumer;
}

function tick(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.timer(ms, resolve));
}
