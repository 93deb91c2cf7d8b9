import type { Output } from '../connection/attach.js';
import { type Cancel, type Clock, currentClock } from '../clock.js';
import type { Stage } from '../connection/flow.js';
import { checkOptions, clockLike, integer, numeric, required, text } from '../connection/options.js';
import { type Envelope, handBack, isOpen, mark } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import { join, originsOf } from '../message/settlement.js';
import type { RelayBound, SourceSettler } from '../message/settler.js';
import { defineStage, type StageObserver } from './define-stage.js';

/**
 * Options of {@link batch}.
 *
 * @see batch
 */
export interface BatchOptions {
  /** How many messages make a full batch, 1 or more; not more than the credit of the source. */
  readonly size: number;
  /** Longest the first message of a batch waits for the others. */
  readonly maxWaitMs: number;
  /** Full too when the messages have this many bytes together, as their source counts them. Default: no limit. */
  readonly maxBytes?: number;
  /** What reports call this stage. Default `batch`. */
  readonly name?: string;
  /** Default: the clock in force on subscribe. */
  readonly clock?: Clock;
}

/**
 * Messages in lists: each list one message whose settlement is that of all its members. `batchPartial` as the reason of a
 * nack fails only some of them.
 *
 * A batch goes out when it is full, when its first message has waited `maxWaitMs`, and at once when its source emits
 * nothing more before something held here is settled: at its end, in a drain, or when the credit is used up, or the budget
 * of the branch that it stands in. Where two of them share a credit or a budget, either may wait its `maxWaitMs` for members
 * that the other one holds. On unsubscribe and on an error the members of an unfinished batch go back untouched.
 *
 * @example
 * import { batch, each } from 'sluice';
 * orders.pipe(batch({ size: 500, maxWaitMs: 200 }), each((rows) => store(rows)));
 * @throws SluiceError `CONFIG_INVALID` for a missing option, one out of range, or a size above the credit
 * @see unbatch
 * @see join
 */
export function batch<T>(options: BatchOptions): Stage<T, T[]> {
  checkOptions<BatchOptions>('batch', options, {
    size: required(integer(1)),
    maxWaitMs: required(numeric(0)),
    maxBytes: integer(1),
    name: text,
    clock: clockLike,
  });
  const { name = 'batch', size } = options;
  return defineStage(
    name,
    (output) => new BatchRunner<T>(options, name, output, options.clock ?? currentClock()),
    undefined,
    { atMostOne: true, wants: { option: 'size', count: size } },
  );
}

class BatchRunner<T> implements StageObserver<T> {
  private readonly options: BatchOptions;
  private readonly name: string;
  private readonly output: Output<T[]>;
  private readonly clock: Clock;
  private members: Message<T>[] = [];
  private bytes = 0;
  private cancelTimer: Cancel | undefined;
  /** The sources that tell when they wait, each listened to as long as the stage lives. */
  private readonly sources = new Map<SourceSettler, Cancel>();
  /** The same of the branches with a budget that this stage stands in. */
  private readonly bounds = new Map<RelayBound, Cancel>();

  constructor(options: BatchOptions, name: string, output: Output<T[]>, clock: Clock) {
    this.options = options;
    this.name = name;
    this.output = output;
    this.clock = clock;
  }

  next(message: Message<T>): void {
    mark(message, this.name);
    const { size, maxBytes = Infinity, maxWaitMs } = this.options;
    this.members.push(message);
    this.bytes += (message as Envelope<T>).root.bytes;
    if (this.members.length === 1) this.cancelTimer = this.clock.timer(maxWaitMs, () => this.flush());
    this.listen(message);
    if (this.members.length >= size || this.bytes >= maxBytes) this.flush();
    else this.flushIfStarved();
  }

  complete(): void {
    this.flush();
    this.output.complete();
  }

  teardown(): void {
    this.cancelTimer?.();
    for (const cancel of [...this.sources.values(), ...this.bounds.values()]) cancel();
    this.sources.clear();
    this.bounds.clear();
    for (const member of this.members.splice(0)) handBack(member);
  }

  private listen(message: Message<T>): void {
    if (this.sources.has(sourceOf((message as Envelope<T>).root))) return;
    for (const origin of originsOf(message)) {
      const source = sourceOf(origin);
      if (this.sources.has(source)) continue;
      this.sources.set(
        source,
        source.onWaiting(() => this.flushIfStarved()),
      );
    }
    for (const bound of heldBy(message).keys()) {
      if (!this.bounds.has(bound))
        this.bounds.set(
          bound,
          bound.onFull(() => this.flushIfStarved()),
        );
    }
  }

  /** Waiting longer would only be waiting for ourselves: a source or branch waits, and all it has out is in this batch. */
  private flushIfStarved(): void {
    if (this.members.length === 0) return;
    if (this.fillsBound()) {
      this.flush();
      return;
    }
    const waiting = [...this.sources.keys()].filter((source) => source.isWaiting());
    if (waiting.length === 0) return;
    const held = new Set<Envelope<unknown>>();
    for (const member of this.members) originsOf(member, held);
    const isStarved = waiting.some((source) => {
      let own = 0;
      for (const origin of held) if (origin.settler === source && isOpen(origin)) own += 1;
      return own > 0 && own >= source.pending();
    });
    if (isStarved) this.flush();
  }

  private fillsBound(): boolean {
    if (this.bounds.size === 0 || ![...this.bounds.keys()].some((bound) => bound.isFull())) return false;
    const held = new Map<RelayBound, Set<Envelope<unknown>>>();
    for (const member of this.members) if (isOpen(member)) heldBy(member, held);
    return [...held].some(([bound, messages]) => bound.isFull() && messages.size >= bound.limit);
  }

  private flush(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.bytes = 0;
    // What its source took back meanwhile comes again: it must not be done twice.
    const members = this.members.filter(isOpen);
    for (const member of this.members) if (!isOpen(member)) handBack(member);
    this.members = [];
    if (members.length > 0) this.output.next(join(members));
  }
}

/** Who answers for a message that {@link originsOf} found. */
function sourceOf(origin: Envelope<unknown>): SourceSettler {
  return origin.settler as SourceSettler;
}

/** The bounds that a message has passed, each with what it holds of it. */
function heldBy(
  message: Message<unknown>,
  into: Map<RelayBound, Set<Envelope<unknown>>> = new Map(),
): Map<RelayBound, Set<Envelope<unknown>>> {
  const { root } = message as Envelope<unknown>;
  const { bound } = root.settler;
  for (const origin of root.settler.origins?.(root) ?? []) {
    if (bound !== undefined) into.set(bound, (into.get(bound) ?? new Set()).add((origin as Envelope<unknown>).root));
    heldBy(origin, into);
  }
  return into;
}
