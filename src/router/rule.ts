import type { Sink, Stage } from '../connection/flow.js';
import type { When } from './matcher.js';

/**
 * What a branch does with a message that comes while its budget is used up. `wait` (default) holds it, unsettled, until
 * there is room, which in the end holds the source. `drop-oldest` holds as many as the budget and gives up the one that
 * waited longest; `drop-newest` gives up the one that comes. `conflate` holds one per key (else topic): a newer one
 * replaces it. `fail` nacks the one that comes with OVERFLOW, to be delivered again. What is given up is acked and counted.
 *
 * @see Rule
 */
export type BranchOverflow = 'wait' | 'drop-oldest' | 'drop-newest' | 'conflate' | 'fail';

/**
 * One rule of a router, as data: which messages, and where they go.
 *
 * @example
 * import { payload, topic, type Rule } from 'sluice';
 * const eu: Rule<Order, Bill> = { name: 'eu', when: topic('orders/eu/#'), to: payload(bill), budget: 16 };
 * @see route
 */
export interface Rule<I = unknown, O = unknown> {
  /** Unique among the rules of a router; reports and graphs use it. */
  readonly name: string;
  readonly when: When<I>;
  /** A stage, whose output joins that of the router, or a sink, which settles what it gets. */
  readonly to: Stage<I, O> | Sink<I>;
  /** How many messages the branch may hold unsettled, 1 or more. Default: what the source's credit allows. */
  readonly budget?: number;
  /** Only with a budget. Default `wait`. */
  readonly overflow?: BranchOverflow;
}

/**
 * What comes out of the stages of rules; sinks let nothing out.
 *
 * @see route
 */
export type RouteOutput<R extends readonly { readonly to: unknown }[]> = R[number]['to'] extends infer T
  ? T extends Stage<never, infer O>
    ? O
    : never
  : never;

/**
 * What comes out of an `otherwise` that is a stage. Were it `O` itself, then a router inside of another one would be asked for
 * `unknown`, as any stage is there, and take that for what its `otherwise` gives.
 *
 * @internal
 */
export type OtherwiseOutput<O> = O extends infer Out ? Out : never;
