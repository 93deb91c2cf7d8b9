import { attachable, subscribeTo } from '../connection/attach.js';
import { describeAs } from '../connection/describe.js';
import type { Flow, Sink, Stage } from '../connection/flow.js';
import { holdSink } from '../connection/hold-sink.js';
import { currentScope, withScope, type Scope } from '../connection/scope.js';
import { sinkThrew } from '../connection/sink-threw.js';
import { SluiceError } from '../errors.js';
import { memberEnds } from '../message/batch-partial.js';
import { deadLetterHeaders } from '../message/dead-letter.js';
import { type Envelope, handBack, mark } from '../message/envelope.js';
import { apart } from '../message/members.js';
import type { Message } from '../message/message.js';
import { Relays } from '../message/relay.js';
import type { Outcome } from '../message/settler.js';
import { report } from '../observability/observe.js';
import { checkArgument, checkOptions, numeric, sinkLike } from '../options.js';

/**
 * Options of {@link deadLetter}.
 *
 * @see deadLetter
 */
export interface DeadLetterOptions {
  /** How long a message waits before it comes again when the sink refused its dead letter. Default 1,000 ms. */
  readonly retryMs?: number;
}

const NAME = 'deadLetter';

/**
 * Keeps what is given up after it: a message that a later stage nacks as `dead`, or requeues for the last time, goes to
 * `sink` as it was here, with the headers `x-dead-reason`, `x-dead-code`, `x-dead-topic`, `x-dead-attempt`, `x-dead-stage`
 * and, where the source knows it, `x-dead-position`. Put it right behind the source: payloads are then the raw ones, and
 * records that the source itself could not read are kept as well.
 *
 * The message is acked once the sink has confirmed its dead letter. While the sink refuses, it is given back and comes
 * again after `retryMs` without counting an attempt: nothing is lost, and the source stops at its credit. A sink that has
 * failed for good fails the flow. When its source completes the sink is completed, unless other flows give to it, and the flow
 * completes once the sink is closed. Behind a `batch` a member that fails alone is kept alone, as a list of one.
 *
 * @example
 * import { deadLetter, decode, json, memorySink } from 'sluice';
 * raw.pipe(deadLetter(memorySink(broker, { topic: 'orders.dead' })), decode(json<Order>()));
 * @throws SluiceError `CONFIG_INVALID` for an option out of range. The flow errors with SINK_CLOSED where the sink has ended
 * @see deadLetterHeaders
 */
export function deadLetter<T>(sink: Sink<NoInfer<T>>, options: DeadLetterOptions = {}): Stage<T, T> {
  checkArgument(NAME, 'sink', sink, sinkLike);
  checkOptions<DeadLetterOptions>(NAME, options, { retryMs: numeric(0) });
  const { retryMs = 1_000 } = options;
  const branches = [{ label: 'dead', to: sink }];
  const facts = { kind: 'stage', name: NAME, atMostOne: true, branches, goesOn: true } as const;

  const stage: Stage<T, T> = (source: Flow<T>): Flow<T> => {
    const flow = attachable<T>((output) => {
      const outer = currentScope();
      const letters = new Relays({
        settled(original, outcome) {
          if (outcome === 'ack') original.ack('dead letter');
          else handBack(original, retryMs);
        },
      });
      const passing = new Relays({
        settled(original, outcome, reason) {
          const differs = memberEnds(outcome, reason) !== undefined || (outcome === 'requeue' && isLast(original));
          const parts = differs ? apart(original, outcome, reason) : undefined;
          if (parts === undefined) settle(original, outcome, reason);
          else for (const { part, end } of parts) settle(part, end.outcome, end.reason);
        },
      });

      function settle(original: Envelope<unknown>, outcome: Outcome, reason: unknown): void {
        if (outcome === 'dead') giveUp(original, reason);
        else if (outcome === 'requeue' && isLast(original)) giveUp(original, exhausted(original, reason));
        else original.settle(outcome, reason);
      }

      function giveUp(original: Message<unknown>, reason: unknown): void {
        tell(outer, original, reason);
        const headers = deadLetterHeaders(original, reason, positionOf(original.meta));
        const letter = letters.pass(original.with(original.payload, { headers }) as Message<T>);
        mark(letter, NAME);
        try {
          sink.next(letter);
        } catch (error) {
          sinkThrew(letter, NAME, error);
        }
      }

      const hold = holdSink(sink, NAME, (error) => output.error(error));
      const scope: Scope = { ...forwarding(outer), refused: giveUp };
      const subscription = withScope(scope, () =>
        subscribeTo(source, {
          next(message) {
            mark(message, NAME);
            output.next(passing.pass(message));
          },
          error: (error: unknown) => output.error(error),
          complete() {
            hold.leave(() => output.closed || output.complete());
          },
        }),
      );
      return () => {
        subscription.unsubscribe();
        hold.drop();
      };
    });
    return describeAs(flow, { ...facts, upstream: source });
  };
  return describeAs(stage, facts);
}

function isLast(original: Envelope<unknown>): boolean {
  return original.root.settler.isLastAttempt?.(original.root) ?? false;
}

function exhausted({ attempt }: Message<unknown>, reason: unknown): SluiceError {
  return new SluiceError('ATTEMPTS_EXHAUSTED', `Failed ${attempt} times (maxAttempts).`, { cause: reason });
}

function forwarding(outer: Scope | undefined): Scope {
  const scope: { -readonly [K in keyof Scope]: Scope[K] } = {
    addSource: (source) => outer?.addSource(source),
    addSink: (sink) => outer?.addSink?.(sink) ?? (() => undefined),
    addIntake: (end) => outer?.addIntake?.(end) ?? (() => undefined),
  };
  // A source looks whether there is somebody to tell before it makes an event.
  if (outer?.event !== undefined) scope.event = (event) => outer.event?.(event);
  return scope;
}

/** The source sees the message acked in the end: that it was given up has to be told from here. */
function tell(scope: Scope | undefined, message: Message<unknown>, reason: unknown): void {
  const { id, topic, attempt } = message;
  const facts = { id, topic, attempt, stage: (message as Envelope<unknown>).root.holder };
  const event = { type: 'message.nacked', connector: NAME, message: facts, then: 'dead', reason } as const;
  scope?.event?.(event);
  report(event);
}

/** Line, partition and offset, where the source's meta names them. */
function positionOf(meta: unknown): string | undefined {
  if (typeof meta !== 'object' || meta === null) return undefined;
  const known = ['path', 'line', 'partition', 'offset'].filter((name) => name in meta);
  const parts = known.map((name) => `${name} ${String((meta as Record<string, unknown>)[name])}`);
  return parts.length === 0 ? undefined : parts.join(', ');
}
