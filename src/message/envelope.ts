import { SluiceError } from '../errors.js';
import { NO_HEADERS, type MessageHeaders } from './headers.js';
import type { Message, MessagePatch, NackThen, ReplyPort } from './message.js';
import type { Outcome, Settler, SourceSettler } from './settler.js';

/** Brand shared by every copy of the package, so that a message of one is a message for the other. */
export const MESSAGE: unique symbol = Symbol.for('sluice.message.v1') as never;

/** Where a message is between its emission and its settlement. */
export const OPEN = 0;
export const ACKED = 1;
export const NACKED = 2;
/** Taken back by its source: the link was lost, or the time to settle after an unsubscribe ran out. */
export const RELEASED = 3;

/** What an original takes from the delivery, the part or the batch it stands for. */
export interface MessageSource {
  readonly topic: string;
  readonly headers?: MessageHeaders | undefined;
  readonly key?: string | undefined;
  readonly id?: string | undefined;
  readonly timeMs?: number | undefined;
  /** 1 on the first delivery. Default 1. */
  readonly attempt?: number | undefined;
  readonly meta?: unknown;
  readonly reply?: ReplyPort<unknown> | undefined;
  /** What the reader needs to settle it; handed back to its `settle`. */
  readonly position?: unknown;
  /** Weight against `creditBytes`. Default 0. */
  readonly bytes?: number | undefined;
  /** Why the flow does not get it: it goes to the stage that keeps dead letters, and is dead without one. */
  readonly refusal?: SluiceError | undefined;
}

/** What only some messages need, kept apart so that the others stay small. */
interface Extras {
  id?: string;
  controller?: AbortController;
  /** Mostly one, which then stands for itself. */
  watchers?: (() => void) | Set<() => void> | undefined;
}

/**
 * An original message: what a source emits, and what a fork or a join makes. It is all there is per message on the fast
 * path: no closure, no promise, no list node.
 *
 * @internal
 */
export class Envelope<T> implements Message<T> {
  readonly payload: T;
  readonly settler: Settler;
  /** Everything else that it was brought with; kept as it came instead of copied. */
  readonly facts: MessageSource;
  /** Copied: what keeps a record for redelivery counts in it. */
  readonly attempt: number;
  /** OPEN, ACKED, NACKED or RELEASED. */
  state: number = OPEN;
  /** The last stage that held this object itself. */
  stage: string;
  /** While it is open the last stage that held it or any copy, afterwards the one that settled it. */
  holder: string;
  /** Neighbours in the source's list of unsettled messages, oldest first. */
  previous: Envelope<unknown> | undefined = undefined;
  next: Envelope<unknown> | undefined = undefined;
  /** When it was emitted, in whole milliseconds on its settler's scale. */
  readonly emittedMs: number;
  private extras: Extras | undefined = undefined;

  constructor(settler: Settler, payload: T, facts: MessageSource, stage: string = '', emittedMs: number = 0) {
    this.settler = settler;
    this.payload = payload;
    this.facts = facts;
    this.attempt = facts.attempt ?? 1;
    this.stage = this.holder = stage;
    this.emittedMs = emittedMs;
  }

  get topic(): string {
    return this.facts.topic;
  }
  get headers(): MessageHeaders {
    return this.facts.headers ?? NO_HEADERS;
  }
  get key(): string | undefined {
    return this.facts.key;
  }
  get timeMs(): number {
    return this.facts.timeMs ?? this.source.wallMs(this);
  }
  get meta(): unknown {
    return this.facts.meta;
  }
  get position(): unknown {
    return this.facts.position;
  }
  get bytes(): number {
    return this.facts.bytes ?? 0;
  }

  get root(): this {
    return this;
  }

  get id(): string {
    const given = this.extras?.id ?? this.facts.id;
    return given ?? (this.extrasOf().id = this.source.newId(this));
  }

  get signal(): AbortSignal {
    const extras = this.extrasOf();
    if (extras.controller === undefined) {
      extras.controller = new AbortController();
      if (this.state !== OPEN) extras.controller.abort(ended(this.state));
    }
    const outer = this.settler.outerSignal?.(this);
    return outer === undefined ? extras.controller.signal : AbortSignal.any([extras.controller.signal, outer]);
  }

  get reply(): ReplyPort<unknown> | undefined {
    return this.facts.reply;
  }

  with<U>(payload: U, patch?: MessagePatch): Message<U> {
    return patch === undefined
      ? new Copy<U>(this, payload, this.stage)
      : new Patched<U>(this, payload, this.stage, this, patch);
  }

  ack(note?: string): boolean {
    return this.settle('ack', note, this.stage);
  }

  nack(reason: unknown, then: NackThen = 'requeue'): boolean {
    return this.settle(then, reason, this.stage);
  }

  /** The first settlement of any copy takes effect; every later one is told to the source and changes nothing. */
  settle(outcome: Outcome, reason: unknown, stage: string = this.stage): boolean {
    if (this.state !== OPEN) {
      this.settler.late(this, outcome, stage);
      return false;
    }
    const { settler } = this;
    const isStale = settler.isStale !== undefined && settler.isStale(this);
    this.state = outcome === 'ack' ? ACKED : NACKED;
    this.holder = stage;
    settler.settle(this, outcome, reason);
    const { extras } = this;
    if (extras !== undefined) this.tellOver(extras);
    return !isStale;
  }

  /** Taken back by the source: from now on a settlement touches nothing. */
  release(): void {
    this.state = RELEASED;
    if (this.extras !== undefined) this.tellOver(this.extras);
  }

  /** Calls `listener` once it is settled or taken back, until {@link unwatch}: as its signal does, at little of the cost. */
  watch(listener: () => void): void {
    const extras = this.extrasOf();
    const { watchers } = extras;
    if (watchers === undefined) extras.watchers = listener;
    else if (typeof watchers === 'function') extras.watchers = new Set([watchers, listener]);
    else watchers.add(listener);
  }

  unwatch(listener: () => void): void {
    const { extras } = this;
    if (extras?.watchers === listener) extras.watchers = undefined;
    else if (typeof extras?.watchers === 'object') extras.watchers.delete(listener);
  }

  private tellOver(extras: Extras): void {
    extras.controller?.abort(ended(this.state));
    const { watchers } = extras;
    if (watchers === undefined) return;
    extras.watchers = undefined;
    if (typeof watchers === 'function') watchers();
    else for (const listener of watchers) listener();
  }

  /** Asked only for what nobody gave it: what a stage makes has that from another message. */
  private get source(): SourceSettler {
    return this.settler as SourceSettler;
  }

  private extrasOf(): Extras {
    return (this.extras ??= {});
  }
}

/**
 * The same message with another payload: it asks its original for the rest, so that a chain of stages costs little memory
 * per message.
 *
 * @internal
 */
class Copy<T> implements Message<T> {
  readonly root: Envelope<unknown>;
  readonly payload: T;
  stage: string;

  constructor(root: Envelope<unknown>, payload: T, stage: string) {
    this.root = root;
    this.payload = payload;
    this.stage = stage;
  }

  get topic(): string {
    return this.root.topic;
  }
  get headers(): MessageHeaders {
    return this.root.headers;
  }
  get key(): string | undefined {
    return this.root.key;
  }
  get settler(): Settler {
    return this.root.settler;
  }
  get id(): string {
    return this.root.id;
  }
  get timeMs(): number {
    return this.root.timeMs;
  }
  get attempt(): number {
    return this.root.attempt;
  }
  get meta(): unknown {
    return this.root.meta;
  }
  get signal(): AbortSignal {
    return this.root.signal;
  }
  get reply(): ReplyPort<unknown> | undefined {
    return this.root.reply;
  }

  with<U>(payload: U, patch?: MessagePatch): Message<U> {
    return patch === undefined
      ? new Copy<U>(this.root, payload, this.stage)
      : new Patched<U>(this.root, payload, this.stage, this, patch);
  }

  ack(note?: string): boolean {
    return this.root.settle('ack', note, this.stage);
  }

  nack(reason: unknown, then: NackThen = 'requeue'): boolean {
    return this.root.settle(then, reason, this.stage);
  }

  settle(outcome: Outcome, reason: unknown): boolean {
    return this.root.settle(outcome, reason, this.stage);
  }
}

/** A copy that differs from its original in more than the payload, and so do the copies made of it. */
class Patched<T> extends Copy<T> {
  private readonly facts: {
    readonly topic: string;
    readonly headers: MessageHeaders;
    readonly key: string | undefined;
  };

  constructor(root: Envelope<unknown>, payload: T, stage: string, like: Message<unknown>, patch: MessagePatch) {
    super(root, payload, stage);
    const { topic = like.topic, headers = like.headers, key = like.key } = patch;
    this.facts = { topic, headers, key };
  }

  override get topic(): string {
    return this.facts.topic;
  }
  override get headers(): MessageHeaders {
    return this.facts.headers;
  }
  override get key(): string | undefined {
    return this.facts.key;
  }

  override with<U>(payload: U, patch: MessagePatch = {}): Message<U> {
    return new Patched<U>(this.root, payload, this.stage, this, patch);
  }
}

for (const made of [Envelope, Copy]) Object.defineProperty(made.prototype, MESSAGE, { value: true });

function ended(state: number): SluiceError {
  return state === RELEASED
    ? new SluiceError('SETTLE_LOST', 'The message was taken back by its source; it will be delivered again.')
    : new SluiceError('MESSAGE_SETTLED', `The message was ${state === ACKED ? 'acked' : 'nacked'}.`);
}

/**
 * True for a message of this or another copy of the package.
 *
 * @example
 * import { isMessage } from 'sluice';
 * isMessage({ payload: 1 }); // false
 * @see Message
 */
export function isMessage(value: unknown): value is Message<unknown> {
  return typeof value === 'object' && value !== null && MESSAGE in value;
}

/** Notes that `stage` now holds the message, so that a message that stays unsettled can be blamed on somebody. */
export function mark(message: Message<unknown>, stage: string): void {
  const envelope = message as Envelope<unknown>;
  envelope.stage = stage;
  held(envelope.root, stage);
}

/** Notes it on the original and, for a part or a batch, on what that was made from. @internal */
export function held(root: Envelope<unknown>, stage: string): void {
  if (root.state === OPEN) root.holder = stage;
  root.settler.held?.(stage, root);
}

/**
 * False once the message, or what it was made from, was settled or taken back: work on it is no longer worth starting.
 */
export function isOpen(message: Message<unknown>): boolean {
  const { root } = message as Envelope<unknown>;
  return root.state === OPEN && (root.settler.isOpen?.(root) ?? true);
}

/** True when its source took the message back, or what it was made from: settling it touches nothing. @internal */
export function isTakenBack(message: Message<unknown>): boolean {
  const { root } = message as Envelope<unknown>;
  return root.state === RELEASED || (root.settler.isStale?.(root) ?? false);
}

/**
 * Gives a message back that nobody worked on: no attempt is counted. Does nothing when it is settled already. With
 * `delayMs` the far side gets it only after that, so that it cannot come round and round.
 */
export function handBack(message: Message<unknown>, delayMs: number = 0): void {
  const envelope = message as Envelope<unknown>;
  if (envelope.root.state === OPEN) envelope.settle('release', delayMs > 0 ? { delayMs } : undefined);
}
