import { currentClock } from '../clock.js';
import type { Output } from '../connection/attach.js';
import type { Sink, Stage } from '../connection/flow.js';
import { holdSink, type SinkHold } from '../connection/hold-sink.js';
import { checkArgument, sinkLike } from '../connection/options.js';
import { Ring } from '../connection/ring.js';
import { sinkThrew } from '../connection/sink-threw.js';
import { type Runnable, type Trampoline, trampolineOf } from '../connection/trampoline.js';
import { SluiceError } from '../errors.js';
import { type Envelope, handBack, isOpen, mark } from '../message/envelope.js';
import { memberEnds } from '../message/batch-partial.js';
import { apart } from '../message/members.js';
import type { Message } from '../message/message.js';
import { Relays } from '../message/relay.js';
import { join } from '../message/settlement.js';
import type { Outcome } from '../message/settler.js';
import { defineStage, type StageObserver } from './define-stage.js';
import { OpenMessages } from './open-messages.js';

/**
 * Each message once `sink` has confirmed it: sending in the middle of a flow. The message stays unsettled until what comes
 * after settles it; one that the sink refuses is nacked as the sink said and goes no further. Of a batch that it refuses in
 * part, the rest goes on as a smaller batch.
 *
 * When its source completes the sink is completed, unless other flows give to it, and the flow completes once the sink is
 * closed and has settled all that it got from here. On unsubscribe and on an error the sink is completed in the same way,
 * and what it confirms after that goes back to the source untouched. A sink that throws nacks the message with SINK_FAILED.
 *
 * @example
 * import { deliver, each } from 'sluice';
 * orders.pipe(deliver(audit), each(bill)); // billed only after the audit has it
 * @throws SluiceError `CONFIG_INVALID` for what is no sink. The flow errors with SINK_CLOSED where the sink has ended
 * @see fanout
 * @see run
 */
export function deliver<T>(sink: Sink<NoInfer<T>>): Stage<T, T> {
  checkArgument('deliver', 'sink', sink, sinkLike);
  const name = `deliver(${sink.name ?? 'observer'})`;
  return defineStage<T, T>(
    name,
    (output) => new Delivering<T>(sink, name, output, trampolineOf(currentClock())),
    [{ label: '', to: sink }],
    { atMostOne: true, goesOn: true },
  );
}

class Delivering<T> implements StageObserver<T>, Runnable {
  isDue = false;
  private readonly sink: Sink<T>;
  private readonly hold: SinkHold;
  private readonly name: string;
  private readonly output: Output<T>;
  private readonly trampoline: Trampoline;
  private readonly relays = new Relays({
    settled: (original, outcome, reason) => this.settled(original, outcome, reason),
  });
  /** Given to the sink. */
  private readonly inside = new OpenMessages(isOpen);
  /** Confirmed, and not yet emitted: settling never delivers. */
  private readonly confirmed = new Ring<Message<unknown>>();
  /** Inside the `next` of the sink: what it confirms now is emitted behind it, without a turn of its own. */
  private isSending = false;
  /** What the sink still has to settle once it has closed. */
  private left: readonly Envelope<unknown>[] | undefined;
  private isOver = false;

  constructor(sink: Sink<T>, name: string, output: Output<T>, trampoline: Trampoline) {
    this.sink = sink;
    this.name = name;
    this.output = output;
    this.trampoline = trampoline;
    this.hold = holdSink(sink, name, (error) => output.error(error));
  }

  next(message: Message<T>): void {
    mark(message, this.name);
    const passed = this.relays.pass(message);
    this.inside.add(passed);
    this.isSending = true;
    try {
      this.sink.next(passed);
    } catch (error) {
      sinkThrew(passed, this.name, error);
    } finally {
      this.isSending = false;
    }
    if (this.confirmed.length > 0) this.run();
  }

  complete(): void {
    this.hold.leave(() => {
      this.left = this.inside.takeOpen();
      for (const { signal } of this.left) signal.addEventListener('abort', () => this.wake(), { once: true });
      this.completeIfDone();
    });
  }

  teardown(): void {
    this.isOver = true;
    for (const message of this.confirmed.clear()) handBack(message);
    this.hold.drop();
  }

  /** A turn: emits what was confirmed. */
  run(): void {
    while (this.confirmed.length > 0) {
      const message = this.confirmed.shift() as Message<T>;
      if (isOpen(message)) this.output.next(message);
      if (!this.trampoline.mayContinue()) break;
    }
    if (this.confirmed.length > 0) this.wake();
    else this.completeIfDone();
  }

  private settled(original: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
    if (outcome === 'ack') this.emit(original);
    else if (memberEnds(outcome, reason) === undefined) original.settle(outcome, reason);
    else this.refusedInPart(original, outcome, reason);
  }

  private refusedInPart(batch: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
    const parts = apart(batch, outcome, reason);
    if (parts === undefined) {
      // Which members go on cannot be told: acking those that the sink has would keep them from what comes after.
      batch.settle(outcome, new SluiceError('SINK_FAILED', `${this.name} was refused in part.`, { cause: reason }));
      return;
    }
    const done = parts.filter(({ end }) => end.outcome === 'ack').map(({ part }) => part);
    if (done.length > 0) this.emit(join(done).with(done.flatMap(({ payload }) => payload)));
    for (const { part, end } of parts) if (end.outcome !== 'ack') part.settle(end.outcome, end.reason);
  }

  private emit(message: Message<unknown>): void {
    if (this.isOver) {
      handBack(message);
      return;
    }
    this.confirmed.push(message);
    if (!this.isSending) this.wake();
  }

  private wake(): void {
    this.trampoline.schedule(this);
  }

  private completeIfDone(): void {
    if (this.left === undefined || this.output.closed) return;
    this.left = this.left.filter(isOpen);
    if (this.left.length === 0 && this.confirmed.length === 0) this.output.complete();
  }
}
