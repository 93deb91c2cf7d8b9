import { isSluiceError, SluiceError } from '../errors.js';
import { Envelope, held, isOpen, mark, type MessageSource, OPEN } from './envelope.js';
import type { Message, MessagePatch } from './message.js';
import type { Outcome, Parked, ParkListener, Settler } from './settler.js';
import { WaitingParts } from './waiting-parts.js';

export type { Outcome, Settler } from './settler.js';

/**
 * When a split message counts as done: after every part was acked, or after the first one was.
 *
 * @see fork
 */
export type ForkSettle = 'all' | 'any';

/**
 * One message becoming several, each settled on its own. With `all` the parent is acked when every part was, and nacked
 * by the first nack; with `any` acked by the first ack, and nacked when every part was. Parts may be added until
 * {@link seal}; without any part, sealing acks the parent.
 *
 * @internal
 */
export class Fork implements Settler {
  private readonly parent: Message<unknown>;
  private readonly settleWhen: ForkSettle;
  private added = 0;
  private open = 0;
  private sealed = false;
  /** Made when the first part is put aside. */
  private waiting: WaitingParts | undefined;
  /** The last nack of a part: what the parent ends with when no part was acked. */
  private nack: { readonly outcome: Outcome; readonly reason: unknown } | undefined;

  constructor(parent: Message<unknown>, settleWhen: ForkSettle = 'all') {
    this.parent = parent;
    this.settleWhen = settleWhen;
  }

  /** A part with a payload of its own. */
  add<T>(payload: T, patch?: MessagePatch): Message<T> {
    const { parent } = this;
    const part = new Envelope(this, payload, patch === undefined ? parent : { ...factsOf(parent), ...patch });
    mark(part, (parent as Envelope<unknown>).stage);
    this.added += 1;
    this.open += 1;
    return part;
  }

  /** No further part will come. */
  seal(note?: string): void {
    this.sealed = true;
    if (this.open === 0) this.end('ack', this.added === 0 ? note : undefined);
    else this.waiting?.look();
  }

  get parks(): boolean {
    return (this.parent as Envelope<unknown>).settler.parks === true;
  }

  park(part: Envelope<unknown>, listener: ParkListener): Parked {
    this.waiting ??= new WaitingParts(this.parent, () => (this.sealed ? this.open : Infinity));
    return this.waiting.add(part, listener);
  }

  settle(part: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
    this.open -= 1;
    this.waiting?.drop(part);
    const parent = this.parent as Envelope<unknown>;
    if (parent.root.state !== OPEN) return;
    mark(parent, part.holder);
    const acked = outcome === 'ack';
    if (!acked) this.nack = { outcome, reason };
    const decided = this.settleWhen === 'any' ? acked : !acked;
    if (decided) parent.settle(outcome, reason);
    else if (this.sealed && this.open === 0) this.end(outcome, reason);
    else this.waiting?.look();
  }

  private end(outcome: Outcome, reason: unknown): void {
    const parent = this.parent as Envelope<unknown>;
    if (parent.root.state !== OPEN) return;
    const { nack } = this;
    parent.settle(nack?.outcome ?? outcome, nack === undefined ? reason : nack.reason);
  }

  late(part: Envelope<unknown>, outcome: Outcome, stage: string): void {
    const parent = this.parent as Envelope<unknown>;
    parent.settler.late(part, outcome, stage);
  }

  newId(): string {
    return this.parent.id;
  }

  wallMs(): number {
    return this.parent.timeMs;
  }

  held(stage: string): void {
    held((this.parent as Envelope<unknown>).root, stage);
  }

  outerSignal(): AbortSignal {
    return this.parent.signal;
  }

  isWaiting(): boolean {
    return (this.parent as Envelope<unknown>).settler.isWaiting();
  }

  pending(): number {
    return (this.parent as Envelope<unknown>).settler.pending();
  }

  limit(): number {
    return (this.parent as Envelope<unknown>).settler.limit();
  }

  isOpen(): boolean {
    return isOpen(this.parent);
  }

  origins(): readonly Message<unknown>[] {
    return [this.parent];
  }

  isLastAttempt(): boolean {
    return isLastAttempt(this.parent);
  }

  onWaiting(listener: () => void): () => void {
    return (this.parent as Envelope<unknown>).settler.onWaiting(listener);
  }
}

function factsOf(message: Message<unknown>): MessageSource {
  const { id, topic, headers, key, timeMs, attempt, meta, reply } = message;
  return { id, topic, headers, key, timeMs, attempt, meta, reply };
}

/**
 * Splits a message into `count` parts with the same payload. The message is acked when all parts were acked and nacked
 * by the first nack of a part; `fork(message, 0)` acks it. The parts share its signal.
 *
 * @example
 * import { fork } from 'sluice';
 * const [audit, store] = fork(message, 2);
 * @param count how many parts, 0 or more
 * @see join
 */
export function fork<T>(message: Message<T>, count: number, settle: ForkSettle = 'all'): Message<T>[] {
  const group = new Fork(message, settle);
  const parts = Array.from({ length: count }, () => group.add(message.payload));
  group.seal();
  return parts;
}

/** The messages behind a joined one, in order, with what a partial failure does to each. @internal */
export class Join implements Settler {
  readonly messages: readonly Message<unknown>[];

  constructor(messages: readonly Message<unknown>[]) {
    this.messages = messages;
  }

  settle(joined: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
    const failed = outcome === 'ack' ? undefined : partialFailure(reason);
    for (let index = 0; index < this.messages.length; index += 1) {
      const message = this.messages[index] as Envelope<unknown>;
      if (message.root.state !== OPEN) continue;
      mark(message, joined.holder);
      if (failed === undefined) message.settle(outcome, reason);
      else if (failed.has(index)) message.settle(outcome, failed.get(index));
      else message.settle('ack', undefined);
    }
  }

  /** Aborts once none of the members can be settled any more. */
  outerSignal(): AbortSignal {
    const over = new AbortController();
    for (const { signal } of this.messages) {
      const look = (): void => {
        if (!this.isOpen()) over.abort(signal.reason);
      };
      if (signal.aborted) look();
      else signal.addEventListener('abort', look, { once: true, signal: over.signal });
    }
    return over.signal;
  }

  late(joined: Envelope<unknown>, outcome: Outcome, stage: string): void {
    (this.messages[0] as Envelope<unknown>).settler.late(joined, outcome, stage);
  }

  held(stage: string): void {
    for (const message of this.messages) held((message as Envelope<unknown>).root, stage);
  }

  newId(): string {
    return (this.messages[0] as Message<unknown>).id;
  }

  wallMs(): number {
    return (this.messages[0] as Message<unknown>).timeMs;
  }

  isWaiting(): boolean {
    return this.messages.some((message) => (message as Envelope<unknown>).settler.isWaiting());
  }

  pending(): number {
    return (this.messages[0] as Envelope<unknown>).settler.pending();
  }

  limit(): number {
    return (this.messages[0] as Envelope<unknown>).settler.limit();
  }

  isOpen(): boolean {
    return this.messages.some(isOpen);
  }

  origins(): readonly Message<unknown>[] {
    return this.messages;
  }

  isLastAttempt(): boolean {
    return this.messages.some(isLastAttempt);
  }

  onWaiting(listener: () => void): () => void {
    const settlers = new Set(this.messages.map((message) => (message as Envelope<unknown>).settler));
    const cancels = [...settlers].map((settler) => settler.onWaiting(listener));
    return () => {
      for (const cancel of cancels) cancel();
    };
  }
}

/** True when the source would make a `requeue` of this message `dead`. @internal */
export function isLastAttempt(message: Message<unknown>): boolean {
  const { root } = message as Envelope<unknown>;
  return root.settler.isLastAttempt?.(root) ?? false;
}

/** The messages of sources that this one is made from, each once: itself, unless it is a part or joined. @internal */
export function originsOf(message: Message<unknown>, into: Set<Envelope<unknown>> = new Set()): Set<Envelope<unknown>> {
  const { root } = message as Envelope<unknown>;
  const above = root.settler.origins?.(root);
  if (above === undefined) into.add(root);
  else for (const origin of above) originsOf(origin, into);
  return into;
}

function partialFailure(reason: unknown): ReadonlyMap<number, unknown> | undefined {
  if (!isSluiceError(reason, 'BATCH_PARTIAL')) return undefined;
  return reason.details['failed'] as ReadonlyMap<number, unknown>;
}

/**
 * The reason to nack a joined message with when only some of its members failed: those are nacked, each with its own
 * reason, and the others are acked.
 *
 * @example
 * import { batchPartial } from 'sluice';
 * batch.nack(batchPartial(new Map([[3, error]])), 'dead');
 * @param failed reasons by position in the batch, from 0
 * @see join
 */
export function batchPartial(failed: ReadonlyMap<number, unknown>): SluiceError {
  return new SluiceError('BATCH_PARTIAL', `${failed.size} of the batch failed; the others are done.`, {
    details: { failed },
  });
}

/**
 * One message for several: its payload is theirs in order (or `payload`), acking it acks them all and nacking it nacks
 * them all, except for those that {@link batchPartial} leaves out. Topic, headers and key are the first one's.
 *
 * @example
 * import { join } from 'sluice';
 * const batch = join([first, second]); // batch.payload is [first.payload, second.payload]
 * @throws RangeError for an empty list: there would be nothing to settle
 * @see fork
 */
export function join<T>(messages: readonly Message<T>[]): Message<T[]> {
  const [first] = messages;
  if (first === undefined) throw new RangeError('join needs at least one message');
  const payloads = messages.map((message) => message.payload);
  const joined = new Envelope(new Join(messages), payloads, first);
  mark(joined, (first as Envelope<unknown>).stage);
  return joined;
}
