import { batchEnded, memberEnds, type MemberEnd, type MemberEnds } from './batch-partial.js';
import { Envelope, held, isMessage, isOpen, mark, OPEN } from './envelope.js';
import type { Message, MessagePatch } from './message.js';
import { checkArgument, integer, type OptionRule } from '../options.js';
import { factsOf, isLastAttempt, joinedIn, limitBytes, Parts } from './parts.js';
import type { Outcome, Parked, ParkListener, Settler } from './settler.js';
import { WaitingMembers } from './waiting-members.js';

export type { Outcome, Settler } from './settler.js';

const COUNT = integer(0);
const MESSAGE: OptionRule = (value) => (isMessage(value) ? undefined : 'expected a message');
const MESSAGES: OptionRule = (value) =>
  Array.isArray(value) && isMessage(value[0]) ? undefined : 'expected an array of at least one message';

/**
 * When a split message counts as done: after every part was acked, or after the first one was.
 *
 * @see fork
 */
export type ForkSettle = 'all' | 'any';

/**
 * One message becoming several, each settled on its own. With `all` the parent is acked when every part was, and nacked
 * by the first nack; with `any` acked by the first ack, and nacked when every part was.
 *
 * @internal
 */
export class Fork extends Parts {
  private readonly settleWhen: ForkSettle;
  /** What the parent ends with when no part decides alone. */
  private nack: MemberEnd | undefined;

  constructor(parent: Message<unknown>, settleWhen: ForkSettle = 'all') {
    super(parent);
    this.settleWhen = settleWhen;
  }

  /** A part with a payload of its own. */
  add<T>(payload: T, patch?: MessagePatch): Message<T> {
    const { parent } = this;
    const part = this.part(payload, patch === undefined ? parent : { ...factsOf(parent), ...patch });
    mark(part, (parent as Envelope<unknown>).stage);
    return part;
  }

  protected standsFor(): Message<unknown> {
    return this.parent;
  }

  membersOf(): readonly Message<unknown>[] | undefined {
    return joinedIn(this.parent);
  }

  protected decides(_part: Envelope<unknown>, outcome: Outcome, reason: unknown): boolean {
    if (outcome === 'ack') return this.settleWhen === 'any';
    const members = this.membersOf();
    const isPartial = members !== undefined && memberEnds(outcome, reason, members.length) !== undefined;
    if (this.settleWhen === 'all' && !isPartial) return true;
    this.nack = this.merged({ outcome, reason }, members?.length);
    return false;
  }

  /** A member of a batch is done when every part is done with it, under `any` when one part is. */
  private merged(nack: MemberEnd, count: number | undefined): MemberEnd {
    const before = this.nack && failedIn(this.nack, count);
    const now = failedIn(nack, count);
    if (before === undefined) return nack;
    if (now === undefined) return this.nack as MemberEnd;
    const both = this.settleWhen === 'all' ? [...before, ...now] : [...now].filter(([at]) => before.has(at));
    return { outcome: nack.outcome, reason: batchEnded(new Map(both)) };
  }

  protected override end(outcome: Outcome, reason: unknown): void {
    const { nack } = this;
    super.end(nack?.outcome ?? outcome, nack === undefined ? reason : nack.reason);
  }
}

/** The members that were nacked: who is listed may also have been acked, with a note. `undefined` when all were. */
function failedIn({ outcome, reason }: MemberEnd, count: number | undefined): MemberEnds | undefined {
  const ends = memberEnds(outcome, reason, count);
  return ends && new Map([...ends].filter(([, end]) => end.outcome !== 'ack'));
}

/**
 * Splits a message into `count` parts with the same payload. The message is acked when all parts were acked and nacked
 * by the first nack of a part; `fork(message, 0)` acks it. The parts share its signal.
 *
 * @example
 * import { fork } from 'sluice';
 * const [audit, store] = fork(message, 2);
 * @param count how many parts, 0 or more
 * @throws SluiceError `CONFIG_INVALID` for what is no message, or a count below 0
 * @see join
 */
export function fork<T>(message: Message<T>, count: number, settle: ForkSettle = 'all'): Message<T>[] {
  checkArgument('fork', 'message', message, MESSAGE);
  checkArgument('fork', 'count', count, COUNT);
  const group = new Fork(message, settle);
  const parts = Array.from({ length: count }, () => group.add(message.payload));
  group.seal();
  return parts;
}

/** The messages behind a joined one, in order, with what a partial failure does to each. @internal */
export class Join implements Settler {
  readonly messages: readonly Message<unknown>[];
  /** Made once: each of them would listen to every member until it is settled. */
  private over: AbortController | undefined = undefined;

  constructor(messages: readonly Message<unknown>[]) {
    this.messages = messages;
  }

  settle(joined: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
    const ends = memberEnds(outcome, reason, this.messages.length);
    for (let index = 0; index < this.messages.length; index += 1) {
      const message = this.messages[index] as Envelope<unknown>;
      if (message.root.state !== OPEN) continue;
      mark(message, joined.holder);
      const end = ends === undefined ? { outcome, reason } : ends.get(index);
      if (end === undefined) message.settle('ack', undefined);
      else message.settle(end.outcome, end.reason);
    }
  }

  park(_joined: Envelope<unknown>, listener: ParkListener): Parked | undefined {
    return WaitingMembers.of(this.messages, listener);
  }

  /** Aborts once none of the members can be settled any more. */
  outerSignal(): AbortSignal {
    if (this.over !== undefined) return this.over.signal;
    const over = (this.over = new AbortController());
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

  limit(): number {
    return (this.messages[0] as Envelope<unknown>).settler.limit();
  }

  limitBytes(): number {
    return limitBytes(this.messages[0] as Message<unknown>);
  }

  isOpen(): boolean {
    return this.messages.some(isOpen);
  }

  isStale(): boolean {
    return !this.isOpen();
  }

  origins(): readonly Message<unknown>[] {
    return this.messages;
  }

  membersOf(): readonly Message<unknown>[] {
    return this.messages;
  }

  isLastAttempt(): boolean {
    return this.messages.some(isLastAttempt);
  }
}

/** The messages of sources that this one is made from, each once: itself, unless it is a part or joined. @internal */
export function originsOf(message: Message<unknown>, into: Set<Envelope<unknown>> = new Set()): Set<Envelope<unknown>> {
  const { root } = message as Envelope<unknown>;
  const above = root.settler.origins?.(root);
  if (above === undefined) into.add(root);
  else for (const origin of above) originsOf(origin, into);
  return into;
}

/**
 * One message for several: its payload is theirs in order (or `payload`), acking it acks them all and nacking it nacks
 * them all, except for those that {@link batchPartial} leaves out. Topic, headers and key are the first one's.
 *
 * @example
 * import { join } from 'sluice';
 * const batch = join([first, second]); // batch.payload is [first.payload, second.payload]
 * @throws SluiceError `CONFIG_INVALID` for an empty list: there would be nothing to settle
 * @see fork
 */
export function join<T>(messages: readonly Message<T>[]): Message<T[]> {
  checkArgument('join', 'messages', messages, MESSAGES);
  const [first] = messages as [Message<T>];
  const payloads = messages.map((message) => message.payload);
  const joined = new Envelope(new Join(messages), payloads, first);
  mark(joined, (first as Envelope<unknown>).stage);
  return joined;
}
