import { type Envelope, isOpen } from './envelope.js';
import type { Message } from './message.js';
import type { Parked, ParkListener } from './settler.js';

/**
 * The parts of one message that wait without credit. The credit is the message's: it is given back once no further part
 * comes and every open one waits, and it is asked for again with the first of them.
 *
 * @internal
 */
export class WaitingParts implements ParkListener {
  private readonly parent: Message<unknown>;
  /** How many parts are open; Infinity while further ones may come. */
  private readonly openCount: () => number;
  private readonly parts = new Map<Envelope<unknown>, WaitingPart>();
  /** Set while the message itself waits. */
  private parked: Parked | undefined;

  constructor(parent: Message<unknown>, openCount: () => number) {
    this.parent = parent;
    this.openCount = openCount;
  }

  add(part: Envelope<unknown>, listener: ParkListener): Parked {
    const waiting = new WaitingPart(part, listener, this);
    this.parts.set(part, waiting);
    this.look();
    return waiting;
  }

  /** The part was settled where it waits. */
  drop(part: Envelope<unknown>): void {
    const waiting = this.parts.get(part);
    if (waiting === undefined) return;
    this.parts.delete(part);
    waiting.listener.gone();
  }

  /** Lets the message wait when all of its open parts do. */
  look(): void {
    const { size } = this.parts;
    if (this.parked !== undefined || size === 0 || size !== this.openCount() || !isOpen(this.parent)) return;
    const { root, settler } = this.parent as Envelope<unknown>;
    this.parked = settler.park?.(root, this);
  }

  /** Asks for a part. True when the message has its credit; a part that was told to wait for {@link back} is told then. */
  bring(waiting: WaitingPart, withOthers: boolean): boolean {
    if (waiting.isWanted) return false;
    waiting.isWanted = true;
    if (this.parked !== undefined && !this.parked.bring(withOthers)) return false;
    this.parked = undefined;
    this.parts.delete(waiting.part);
    return true;
  }

  back(): void {
    this.parked = undefined;
    const wanted = [...this.parts.values()].filter(({ isWanted }) => isWanted);
    // First all are taken out, so that the message does not go to wait again under the ones that are still to be told.
    for (const { part } of wanted) this.parts.delete(part);
    for (const { listener } of wanted) listener.back();
    // The one that was asked for may have been settled meanwhile.
    this.look();
  }

  gone(): void {
    this.parked = undefined;
    const all = [...this.parts.values()];
    this.parts.clear();
    for (const { listener } of all) listener.gone();
  }
}

class WaitingPart implements Parked {
  readonly part: Envelope<unknown>;
  readonly listener: ParkListener;
  isWanted = false;
  private readonly all: WaitingParts;

  constructor(part: Envelope<unknown>, listener: ParkListener, all: WaitingParts) {
    this.part = part;
    this.listener = listener;
    this.all = all;
  }

  bring(withOthers: boolean = false): boolean {
    return this.all.bring(this, withOthers);
  }
}
