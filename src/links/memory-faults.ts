import { SluiceError } from '../errors.js';
import type { MemoryConnection } from './memory-connection.js';

/**
 * What can go wrong with the in-memory broker, on command. Chance comes from the clock, so a seeded clock repeats it. A
 * `name` limits a fault to the connections of the links of that name; without one it is for all, and for all new ones.
 *
 * @see memoryLink
 */
export interface MemoryFaults {
  /** Every publish, confirmation and settlement takes `delayMs` and up to `jitterMs` more. 0 ends it. */
  delay(delayMs: number, jitterMs?: number): void;
  /** Ends the connections, with all that is under way over them. They may come back at once. */
  dropLink(name?: string): void;
  /** Ends the connections and refuses new ones, until {@link heal}. */
  cut(name?: string): void;
  /** Lets connections in again that were cut or paused. */
  heal(name?: string): void;
  /** Refuses new connections: with `true` as for an absent broker, or with the error given, until `false`. */
  refuse(reason: boolean | SluiceError): void;
  /** Stores each message twice with this probability, 0 to 1. */
  duplicate(probability: number): void;
  /** Connections and publishes are taken, but nothing is delivered and nothing is confirmed, until `false`. */
  stall(stalled?: boolean): void;
  /** Finds room for nothing, whatever the limits say, until `false`. */
  fill(full?: boolean): void;
  /**
   * Connections stay up and nothing passes, in either direction or only `up` to the broker or `down` from it. After 15 s
   * the broker takes back what a named link holds; without a name it is the broker itself that stands still.
   */
  pause(name?: string, direction?: 'up' | 'down'): void;
  /** The end of {@link pause}: what was under way arrives now. */
  resume(name?: string): void;
  /** Ends the broker as SIGKILL would. With `loseUnsynced`, all is gone that was published since {@link sync}. */
  kill(options?: { readonly loseUnsynced?: boolean }): void;
  /** The broker runs again. */
  restart(): void;
  /** What is in the broker now survives a kill with `loseUnsynced`. */
  sync(): void;
}

/** What faults act on. @internal */
export interface MemoryFaultsHost {
  readonly connections: ReadonlySet<MemoryConnection>;
  sync(): void;
  loseUnsynced(): void;
  /** There may be room again. */
  relieved(): void;
}

/**
 * The faults in force and what they do to connections.
 *
 * @internal
 */
export class FaultControl implements MemoryFaults {
  duplicateShare = 0;
  isFull = false;
  isDead = false;
  private readonly host: MemoryFaultsHost;
  private delayMs = 0;
  private jitterMs = 0;
  private stalled = false;
  private refusal: SluiceError | undefined;
  /** Names of links; `undefined` stands for all. */
  private readonly cutNames = new Set<string | undefined>();
  private readonly paused = new Map<string | undefined, 'up' | 'down' | undefined>();
  /** Connections that hang in a pause, by the function that lets them in. */
  private hanging: { readonly name: string; readonly admit: () => void }[] = [];

  constructor(host: MemoryFaultsHost) {
    this.host = host;
  }

  /** Why a connection cannot be made now. */
  obstacle(name: string): SluiceError | undefined {
    if (this.isDead) return failed('the broker was killed and not restarted');
    if (this.refusal !== undefined) return this.refusal;
    return has(this.cutNames, name) ? failed('the link is cut') : undefined;
  }

  /** Waits until the link is not paused any more; `undefined` when it is not. */
  whenPassable(name: string): Promise<void> | undefined {
    if (!has(this.paused, name)) return undefined;
    return new Promise((admit) => this.hanging.push({ name, admit }));
  }

  /** Puts the faults in force on a new connection. */
  apply(connection: MemoryConnection): void {
    connection.slow(this.delayMs, this.jitterMs);
    if (this.stalled) connection.stall(true);
  }

  delay(delayMs: number, jitterMs = 0): void {
    this.delayMs = delayMs;
    this.jitterMs = jitterMs;
    for (const connection of this.host.connections) connection.slow(delayMs, jitterMs);
  }

  dropLink(name?: string): void {
    this.lose(name, new SluiceError('CONNECTION_LOST', 'The link was dropped.', { retriable: true }));
  }

  cut(name?: string): void {
    this.cutNames.add(name);
    this.dropLink(name);
  }

  heal(name?: string): void {
    this.cutNames.delete(name);
    this.resume(name);
  }

  refuse(reason: boolean | SluiceError): void {
    if (typeof reason === 'boolean') this.refusal = reason ? failed('the broker refuses connections') : undefined;
    else this.refusal = reason;
  }

  duplicate(probability: number): void {
    this.duplicateShare = probability;
  }

  stall(stalled = true): void {
    this.stalled = stalled;
    for (const connection of this.host.connections) connection.stall(stalled);
  }

  fill(full = true): void {
    this.isFull = full;
    if (!full) this.host.relieved();
  }

  pause(name?: string, direction?: 'up' | 'down'): void {
    this.paused.set(name, direction);
    const silent = (): SluiceError =>
      new SluiceError('PEER_LOST', 'The broker gave up a silent connection.', { retriable: true });
    for (const connection of this.named(name)) this.hold(connection, name === undefined ? undefined : silent);
  }

  resume(name?: string): void {
    if (!this.paused.delete(name)) return;
    for (const connection of this.named(name)) this.hold(connection);
    const still = this.hanging.filter((one) => has(this.paused, one.name));
    const free = this.hanging.filter((one) => !still.includes(one));
    this.hanging = still;
    for (const one of free) one.admit();
  }

  /** Holds what the pauses in force say of this connection. */
  private hold(connection: MemoryConnection, loseAfter?: () => SluiceError): void {
    const held = (direction: 'up' | 'down'): boolean =>
      [undefined, connection.name].some(
        (name) => this.paused.has(name) && (this.paused.get(name) ?? direction) === direction,
      );
    connection.hold(held('up'), held('down'), loseAfter);
  }

  kill(options: { readonly loseUnsynced?: boolean } = {}): void {
    this.isDead = true;
    this.lose(undefined, new SluiceError('PEER_LOST', 'The broker was killed.', { retriable: true }));
    if (options.loseUnsynced === true) this.host.loseUnsynced();
  }

  restart(): void {
    this.isDead = false;
  }

  sync(): void {
    this.host.sync();
  }

  private lose(name: string | undefined, error: SluiceError): void {
    for (const connection of this.named(name)) connection.lose(error);
  }

  private named(name: string | undefined): MemoryConnection[] {
    return [...this.host.connections].filter((connection) => name === undefined || connection.name === name);
  }
}

function has(names: { has(name: string | undefined): boolean }, name: string): boolean {
  return names.has(undefined) || names.has(name);
}

function failed(why: string): SluiceError {
  return new SluiceError('CONNECT_FAILED', `No connection to the in-memory broker: ${why}.`, { retriable: true });
}
