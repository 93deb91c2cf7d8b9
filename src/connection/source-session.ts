import type { Cancel, Clock } from '../clock.js';
import { metBy, SluiceError } from '../errors.js';
import { Envelope } from '../message/envelope.js';
import type { Outcome, Parked, ParkListener, SourceSettler } from '../message/settler.js';
import type { Output } from './attach.js';
import type { ReaderContext, SourceDefinition, SourceSettings } from './define-source.js';
import type { Delivery, DeliveryFacts } from './delivery.js';
import { deliverAgain } from './inbox.js';
import { Parking } from './parking.js';
import { quietly } from './quietly.js';
import { SessionContext, type Supply } from './reader-context.js';
import type { Scope, SourceHandle } from './scope.js';
import { SourceBase } from './source-base.js';
import { SourceLine } from './source-line.js';

/**
 * One subscription of a source: the window of credit, the inbox in front of it, the unsettled messages, and the reader
 * behind it. Everything here is synchronous; deliveries come only from {@link run} and from readers that are called by
 * their transport, never from a settlement.
 *
 * @internal
 */
export class SourceSession<T, C> extends SourceBase<T> implements SourceSettler, SourceHandle {
  private readonly definition: SourceDefinition<T, C>;
  private readonly subscriber: Output<T>;
  private readonly line: SourceLine<C>;
  protected readonly parking: Parking;
  private readonly cleanups: Cancel[] = [];
  /** Nothing more is emitted: unsubscribed, draining, or over. */
  private stopped = false;
  /** The reader has nothing more. */
  private ended = false;
  private finished = false;
  private unsubscribed = false;
  /** Stopped to take in, but what came before is still emitted: its transport could not bring it again. */
  private draining = false;
  private endInterest: Cancel | undefined;
  /** Inside the subscriber's `next`, or inside a settlement: nothing may be emitted now. */
  private busy = false;
  /** Grows with every opening of the reader. */
  private generation = 0;
  /** Inside {@link run}: deliveries share its time stamp. */
  private running = false;

  constructor(
    definition: SourceDefinition<T, C>,
    settings: SourceSettings,
    subscriber: Output<T>,
    clock: Clock,
    scope: Scope | undefined,
  ) {
    super(definition.connector, settings, clock, scope);
    this.definition = definition;
    this.subscriber = subscriber;
    this.parking = new Parking(clock, settings.maxParked, settings.creditBytes, {
      giveBack: (root) => this.pass(root, 'release', undefined),
      wake: () => this.wake(),
    });
    const { link } = definition;
    this.line = new SourceLine<C>({
      clock,
      settings,
      status: this.cell,
      link: typeof link === 'function' ? link() : link,
      open: (lost, connection) => definition.open(this.contextOf(lost), connection),
      up: (reader) => {
        this.stalls.start(reader);
        this.wake();
      },
      down: (error) => this.down(error),
      fatal: (error) => this.fail(error),
    });
    this.cleanups.push(() => this.stalls.stop());
  }

  /** Begins to read. */
  start(): void {
    // Known to a scope that is being drained: it ends in its next turn, and opens nothing before.
    if (this.stopped || this.draining) return;
    const { credit, settleWithinMs } = this.settings;
    this.endInterest = this.definition.subscribed?.();
    if (typeof credit !== 'number') this.cleanups.push(this.watchCredit(credit, (reason) => this.fail(reason)));
    // The Observable of credit may have failed at once.
    if (this.finished) return;
    if (settleWithinMs > 0) this.cleanups.push(this.reports.watchAge(settleWithinMs));
    this.line.start();
  }

  get ready(): boolean {
    return !this.ended && this.inbox.length === 0 && this.mayEmit() && !this.parking.isWanted;
  }

  offer(delivery: Delivery<T>): boolean {
    return this.ready && this.fits(delivery) ? this.emit(delivery.payload, delivery) : this.queue(delivery);
  }

  offerAs(payload: T, facts: DeliveryFacts): boolean {
    return this.ready && this.fits(facts) ? this.emit(payload, facts) : this.queue({ ...facts, payload });
  }

  offerEach(supply: Supply<T>, facts: DeliveryFacts): void {
    for (let goesOn = this.ready; goesOn && this.fits(facts);) {
      if (supply.isEmpty) {
        this.end();
        return;
      }
      goesOn = this.emit(supply.take(), facts);
    }
  }

  private emit(payload: T, facts: DeliveryFacts): boolean {
    this.deliver(payload, facts);
    return !this.stopped && this.isStillReady();
  }

  private queue(delivery: Delivery<T>): boolean {
    if (this.stopped) {
      this.line.refuse(delivery.position, 'release');
      return false;
    }
    this.inbox.push(delivery);
    if (this.isFlooded) this.overflow();
    this.wake();
    return false;
  }

  refuse(delivery: Delivery<unknown>, refusal: SluiceError): boolean {
    return this.offer({ ...(delivery as Delivery<T>), refusal });
  }

  end(): void {
    this.ended = true;
    this.wake();
  }

  private contextOf(lost: (error: unknown) => void): ReaderContext<T> {
    this.generation += 1;
    this.ended = false;
    // What came while another opening was lost can be settled over that one alone, and comes again.
    if (this.definition.local !== true) this.inbox.clear();
    const generation = this.generation;
    return new SessionContext<T>(this, () => generation === this.generation, lost);
  }

  run(): void {
    if (this.finished) return;
    this.stamp();
    this.running = true;
    this.bringBack();
    while (this.inbox.length > 0 && this.mayEmit() && this.fits(this.inbox.peek() as Delivery<T>)) {
      const delivery = this.inbox.shift() as Delivery<T>;
      this.deliver(delivery.payload, delivery);
    }
    if (this.ready) this.line.resume();
    else if (this.isPaused() && !this.stopped && !this.ended) this.line.peek();
    this.running = false;
    if (this.trampoline.isExhausted) this.wake();
    if (this.isWaiting()) this.waitingListeners.tell();
    this.finishIfDone();
    const starvation = this.stopped ? undefined : this.starvation();
    if (starvation !== undefined) this.fail(starvation);
  }

  /** Nothing new is emitted while too much waits without credit. */
  private mayEmit(): boolean {
    return !this.stopped && !this.parking.isFull && this.hasPlace();
  }

  private hasPlace(window: number = this.window): boolean {
    return !this.busy && this.unsettledList.size < window && !this.trampoline.isExhausted && this.isUp();
  }

  /** While it opens there is nobody yet to pass a settlement on to. */
  private isUp(): boolean {
    return this.line.isUp || this.definition.local === true;
  }

  private deliver(payload: T, facts: DeliveryFacts): void {
    if (!this.running) this.stamp();
    const message = new Envelope<T>(this, payload, facts, this.connector, this.stampMs);
    this.reports.counts.emitted += 1;
    this.unsettledList.add(message);
    this.busy = true;
    try {
      if (facts.refusal === undefined) this.subscriber.next(message);
      else this.reports.refused(message, facts.refusal);
    } catch (error) {
      this.reports.threw(message, error);
    }
    this.busy = false;
    if (!this.trampoline.mayContinue()) this.wake();
  }

  /**
   * Gives credit to what waits without and is asked for. Bytes are not looked at: it had its place once, and what waits
   * behind it may be what fills the window.
   */
  private bringBack(): void {
    while (this.parking.isWanted && this.hasPlace(this.parking.windowFor(this.window))) {
      const { root, listener } = this.parking.take();
      this.unsettledList.add(root);
      this.busy = true;
      try {
        listener?.back();
      } catch (error) {
        this.reports.threw(root, error);
      }
      this.busy = false;
      if (!this.trampoline.mayContinue()) this.wake();
    }
  }

  settle(root: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
    if (outcome === 'requeue' && this.isLastAttempt(root)) {
      this.settle(root, 'dead', this.exhausted(root, reason));
      return;
    }
    this.reports.settled(root, outcome, reason);
    if (!this.unsettledList.remove(root)) this.parking.drop(root);
    const mayWait = outcome === 'release' && !this.stopped;
    if (!mayWait || !this.parking.delay(root, reason)) this.pass(root, outcome, reason);
    else this.wake();
  }

  /** Passes a settlement on to the far side. */
  private pass(root: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
    if (outcome === 'requeue' || outcome === 'release') this.comesAgain(root, outcome);
    const wasBusy = this.busy;
    this.busy = true;
    // Here, and without a `finally`: otherwise it is so much code that the compiler would not take the way of an ack as one.
    try {
      this.line.reader?.settle(root.position, outcome, reason, root);
    } catch (error) {
      this.line.lose(error);
    }
    this.busy = wasBusy;
    // While the subscriber is inside `next`, the loop that called it goes on by itself.
    if (!wasBusy || this.stopped) this.wake();
  }

  private comesAgain(root: Envelope<unknown>, outcome: 'requeue' | 'release'): void {
    // It has to be read again, also after the reader had reached its end.
    if (this.definition.local !== true) this.ended = false;
    else if (this.stopped) this.reports.overflowed('stopped');
    else {
      // There is no far side that would bring it again, and a reader that is at its end will not call again.
      deliverAgain(this.inbox, root, outcome);
      this.wake();
    }
  }

  park(root: Envelope<unknown>, listener: ParkListener): Parked | undefined {
    if (!this.unsettledList.remove(root)) return undefined;
    this.wake();
    return this.parking.park(root, listener, Math.max(this.window, this.unsettledList.size + 1));
  }

  isWaiting(): boolean {
    if (this.stopped || this.unsettledList.size >= this.window || this.parking.isFull) return true;
    const first = this.inbox.peek();
    return first === undefined ? this.ended && !this.parking.isWanted : !this.fits(first);
  }

  drain(goesOn: boolean = true): void {
    if (this.stopped || (this.draining && goesOn)) return;
    const isLocal = this.definition.local === true;
    if (isLocal && goesOn) {
      this.draining = true;
      this.ended = true;
      this.stopReader();
    } else if (isLocal || !(this.leaving = this.line.leave())) this.stopIntake();
    this.wake();
  }

  /** The subscriber is gone: what it holds may still settle for a while, then it is taken back. */
  unsubscribe(): void {
    this.unsubscribed = true;
    if (this.finished) return;
    this.stopIntake();
    if (this.unsettledList.size === 0 && this.parking.size === 0) {
      this.finish();
      return;
    }
    const late = new SluiceError('SETTLE_LOST', `Not settled within closeTimeoutMs after the flow was unsubscribed.`);
    const release = (): void => this.release(metBy(this.connector, late));
    this.cleanups.push(this.clock.timer(this.settings.closeTimeoutMs, release, true));
  }

  release(reason: unknown): void {
    this.reports.takeBackAll(reason);
    this.finish();
  }

  private stopIntake(): void {
    this.stopped = true;
    this.stopReader();
    this.emptyInbox();
  }

  private stopReader(): void {
    this.loseInterest();
    this.line.stop();
    this.endLine();
  }

  private loseInterest(): void {
    const { endInterest } = this;
    this.endInterest = undefined;
    if (endInterest !== undefined) quietly(this.connector, endInterest);
  }

  /** Where settling reaches nobody and nothing more is taken in, another connection would be of no use. */
  private endLine(): void {
    const isLast = this.stopped || this.draining;
    if (isLast && this.definition.local === true && !this.line.isUp) this.line.end();
  }

  private emptyInbox(): void {
    const left = this.inbox.clear();
    for (const { position } of left) this.line.refuse(position, 'release');
    if (this.definition.local === true) this.reports.overflowed('stopped', left.length);
    this.parking.hurry();
  }

  /** What waits without credit goes back: nobody will ask for it any more. */
  private emptyParking(): void {
    this.parking.clear((root) => {
      this.reports.takeBack(root);
      this.pass(root, 'release', undefined);
    });
  }

  private fail(error: SluiceError): void {
    this.lose(metBy(this.connector, error));
    this.finish(error);
  }

  private finishIfDone(): void {
    if (this.finished || this.unsettledList.size > 0 || this.parking.size > 0) return;
    if (this.stopped || (this.ended && this.inbox.length === 0)) this.finish();
  }

  // All is closed before the subscriber hears of the end: a restart finds it free, and a process that ends cuts nothing off.
  private finish(error?: SluiceError): void {
    if (this.finished) return;
    this.finished = true;
    this.stopped = true;
    this.loseInterest();
    this.emptyInbox();
    this.emptyParking();
    const left = this.line.end();
    for (const cleanup of this.cleanups) cleanup();
    if (left === undefined) this.tellEnd(error);
    else void left.then(() => this.tellEnd(error));
  }

  private tellEnd(error: SluiceError | undefined): void {
    // Who unsubscribed, if only while it closed, hears nothing any more.
    if (this.unsubscribed) return;
    this.inScope(() => {
      if (error === undefined) this.subscriber.complete();
      else this.subscriber.error(error);
    });
  }

  /** The link is gone: what was delivered over it can no longer be settled there, and comes again. */
  private down(error: unknown): void {
    this.stalls.stop();
    this.reports.counts.reconnects += 1;
    if (this.definition.local !== true) {
      // What is taken back has to be read again, also after the reader had reached its end.
      this.ended = false;
      this.lose(error);
    }
    if (this.leaving) this.stopIntake();
    this.endLine();
    // Inside the subscriber's `next` it is too early to finish.
    if (this.stopped && !this.busy) this.finishIfDone();
    else this.wake();
  }

  protected openAnew(error: SluiceError, withLink: boolean): void {
    if (withLink) this.line.renew(error);
    else this.line.lose(error);
  }

  private overflow(): void {
    const { overflow = 'close' } = this.settings;
    if (overflow === 'close') this.line.lose(this.flooded());
    else this.shed(overflow, (position) => this.line.refuse(position, 'drop'));
  }
}
