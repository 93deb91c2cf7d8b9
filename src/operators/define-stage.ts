import { attachable, type Output } from '../connection/attach.js';
import { type BranchDescription, creditOf, describeAs } from '../connection/describe.js';
import type { Flow, Stage } from '../connection/flow.js';
import { checkArgument, configInvalid, flowLike } from '../connection/options.js';
import { toSluiceError } from '../errors.js';
import type { Message, NackThen } from '../message/message.js';
import { Joint } from './joint.js';

/** How a stage answers what its source says. */
export interface StageObserver<I> {
  next(message: Message<I>): void;
  /** Default: hands the error on. */
  error?(error: unknown): void;
  /** Default: completes at once. */
  complete?(): void;
  /** Called once when the subscription ends, however it ends. */
  teardown?(): void;
}

/** What is known of a stage before it runs. */
export interface StageTraits {
  /** Gives at most one message for each it gets. Default false. */
  readonly atMostOne?: boolean;
  /** Keeps nothing from one message to the next, is done with each at once, never ends by itself. Default false. */
  readonly stateless?: boolean;
  /** An option that asks for so many messages at once: more than the credit is refused when the stage is wired. */
  readonly wants?: { readonly option: string; readonly count: number };
  /** Messages go on beside the branches. Default false. */
  readonly goesOn?: boolean;
}

/**
 * Makes a stage from what happens per message. Error, completion and teardown pass through unless the stage says
 * otherwise; each subscription gets a state of its own from `connect`. The name is what graphs show.
 *
 * @throws SluiceError `CONFIG_INVALID` from the stage, when it is wired behind no flow, or one whose credit is too small for it
 *
 * @internal
 */
export function defineStage<I, O>(
  name: string,
  connect: (output: Output<O>) => StageObserver<I>,
  branches?: readonly BranchDescription[],
  traits: StageTraits = {},
): Stage<I, O> {
  const { atMostOne = false, stateless = false, wants, goesOn = false } = traits;
  const facts = {
    kind: 'stage',
    name,
    atMostOne,
    stateless,
    ...(branches === undefined ? {} : { branches, goesOn }),
  } as const;
  const stage: Stage<I, O> = (source: Flow<I>): Flow<O> => {
    checkArgument(name, 'source', source, flowLike);
    if (wants !== undefined) checkCredit(name, wants, source);
    const flow = attachable<O>((output) => {
      const observer = connect(output);
      const joint = new Joint(observer, output);
      joint.attachTo(source);
      return () => {
        joint.close();
        observer.teardown?.();
      };
    });
    return describeAs(flow, { ...facts, upstream: source });
  };
  return describeAs(stage, facts);
}

function checkCredit(name: string, wants: { option: string; count: number }, source: Flow<unknown>): void {
  const credit = creditOf(source);
  if (credit === undefined || wants.count <= credit) return;
  const { option, count } = wants;
  throw configInvalid(name, [
    `'${option}' is ${count}, but the source never has more than ${credit} messages out (credit); lower '${option}' or raise 'credit'`,
  ]);
}

/**
 * Nacks a message whose callback threw. The stream goes on: the failure belongs to the message.
 *
 * @internal
 */
export function failed(message: Message<unknown>, error: unknown, stage: string, then: NackThen): void {
  message.nack(toSluiceError(error, 'HANDLER_FAILED', `${stage} failed`, { details: { stage } }), then);
}
