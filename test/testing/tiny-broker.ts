import { SluiceError, type Clock, type MessageHeaders } from 'sluice';
import { defineLink, type Link, type ReaderContext } from 'sluice/connection';
import type { Direction } from 'sluice/testing';

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
  | 'confirms what is lost with its connection'
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
  | 'keeps its first token'
  | 'brings a requeued message back at once'
  | 'ends with the first message that it gives up';

export interface TinyRecord {
  readonly id: string | undefined;
  readonly payload: Uint8Array;
  readonly key: string | undefined;
  readonly headers: MessageHeaders;
  readonly order: number;
  attempt: number;
}

export class TinyQueue {
  readonly waiting: TinyRecord[] = [];
  readonly held = new Set<TinyRecord>();
  readonly readers = new Set<ReaderContext<Uint8Array>>();
  readonly done = new Set<number>();
  finished = false;
  /** Orders handed out, lowest first: the log of this queue. */
  readonly log: number[] = [];

  /** The next one of the log. */
  append(record: TinyRecord): void {
    this.log.push(record.order);
    this.put(record);
  }

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
export interface TinyConnection {
  readonly lost: (error: unknown) => void;
}

/** A broker in a few lines: queues by channel and group, confirmations, and every fault of the harness. */
export class TinyBroker {
  readonly defects: ReadonlySet<Defect>;
  readonly finite: boolean;
  opened = 0;
  /** How often all connections were cut. */
  cuts = 0;
  dead: Direction | 'both' | undefined;
  stalled = false;
  latencyMs = 0;
  isFull = false;
  private denying = false;
  private token = 0;
  private readonly clock: Clock;
  private readonly channels = new Map<string, Map<string, TinyQueue>>();
  /** Everything that was published, by channel. */
  private readonly kept = new Map<string, TinyRecord[]>();
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

  /** The messages of a group; of a new one those from now on, or with `replay` all that there ever were. */
  queue(channel: string, group = '', replay = false): TinyQueue {
    const name = this.defects.has('gives every group the same queue') ? '' : group;
    let groups = this.channels.get(channel);
    if (groups === undefined) this.channels.set(channel, (groups = new Map<string, TinyQueue>()));
    let queue = groups.get(name);
    if (queue === undefined) {
      groups.set(name, (queue = new TinyQueue()));
      for (const record of replay ? (this.kept.get(channel) ?? []) : []) queue.append({ ...record });
    }
    return queue;
  }

  publish(channel: string, record: Omit<TinyRecord, 'order' | 'attempt'>): void {
    const groups = this.channels.get(channel);
    const isRead = [...(groups?.values() ?? [])].some((queue) => queue.readers.size > 0);
    if (!isRead && this.defects.has('forgets what comes while nobody reads')) return;
    const queues = groups === undefined || groups.size === 0 ? [this.queue(channel)] : [...groups.values()];
    this.orders += 1;
    const first: TinyRecord = { ...record, order: this.orders, attempt: 1 };
    const kept = this.kept.get(channel);
    if (kept === undefined) this.kept.set(channel, [first]);
    else kept.push(first);
    for (const queue of queues) queue.append({ ...first });
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
    this.cuts += 1;
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

export const TINY_PASSWORD = 'canary-password';
