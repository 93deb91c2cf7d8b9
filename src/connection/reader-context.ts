import type { Clock } from '../clock.js';
import type { SluiceError } from '../errors.js';
import type { ReaderContext } from './define-source.js';
import { deliveryFault, type Delivery, type DeliveryFacts } from './delivery.js';

/**
 * Payloads that are there when they are asked for. Asking must do nothing else: between the look at the credit and the
 * delivery nobody else gets a turn.
 *
 * @see ReaderContext
 */
export interface Supply<T> {
  /** Nothing is left: the end of what it supplies. */
  readonly isEmpty: boolean;
  /** The next one; asked for only while it is not empty. */
  take(): T;
}

/** What a session does for its reader. */
type Session<T> = Omit<ReaderContext<T>, 'lost'> & { readonly connector: string };

/**
 * What one reader sees of its session. A reader of an earlier connection may still call: once `isCurrent` is false it
 * can neither feed nor end the present one. What is no delivery would be none again the next time: the flow ends.
 *
 * A class, as each object literal with getters would get a shape of its own, and every look at it would be slow. What is
 * called needs no `this`, so that readers may pass it on.
 *
 * @internal
 */
export class SessionContext<T> implements ReaderContext<T> {
  readonly clock: Clock;
  readonly lost: (error: unknown) => void;
  readonly offer: (delivery: Delivery<T>) => boolean;
  readonly offerAs: (payload: T, facts: DeliveryFacts) => boolean;
  readonly offerEach: (supply: Supply<T>, facts: DeliveryFacts) => void;
  readonly refuse: (delivery: Delivery<unknown>, reason: SluiceError) => boolean;
  readonly takeBack: (isMeant: (position: unknown) => boolean, reason: SluiceError) => void;
  readonly end: () => void;
  readonly wake: () => void;
  private readonly session: Session<T>;
  private readonly isCurrent: () => boolean;

  constructor(session: Session<T>, isCurrent: () => boolean, lost: (error: unknown) => void) {
    this.session = session;
    this.isCurrent = isCurrent;
    this.clock = session.clock;
    this.lost = lost;
    const owner = `what the reader of '${session.connector}' offered`;
    const isSound = (given: unknown): boolean => {
      const fault = deliveryFault(owner, given);
      if (fault !== undefined) lost(fault);
      return fault === undefined;
    };
    // Made once for many messages, and looked at once.
    let known: object = {};
    const areSound = (facts: DeliveryFacts): boolean => {
      if (facts === known) return true;
      if (!isSound(facts)) return false;
      known = facts;
      return true;
    };
    this.offer = (delivery) => isCurrent() && isSound(delivery) && session.offer(delivery);
    this.offerAs = (payload, facts) => isCurrent() && areSound(facts) && session.offerAs(payload, facts);
    this.offerEach = (supply, facts) => {
      if (isCurrent() && areSound(facts)) session.offerEach(supply, facts);
    };
    this.refuse = (delivery, reason) => isCurrent() && isSound(delivery) && session.refuse(delivery, reason);
    this.takeBack = (isMeant, reason) => {
      if (isCurrent()) session.takeBack(isMeant, reason);
    };
    this.end = () => {
      if (isCurrent()) session.end();
    };
    this.wake = () => {
      if (isCurrent()) session.wake();
    };
  }

  get ready(): boolean {
    return this.isCurrent() && this.session.ready;
  }

  get free(): number {
    return this.isCurrent() ? this.session.free : 0;
  }

  get waiting(): number {
    return this.isCurrent() ? this.session.waiting : 0;
  }

  get waitingBytes(): number {
    return this.isCurrent() ? this.session.waitingBytes : 0;
  }
}
