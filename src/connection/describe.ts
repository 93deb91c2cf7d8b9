import type { Observable } from 'rxjs';

/** What a source, stage or sink says of itself, for graphs. */
export interface Description {
  readonly kind: 'source' | 'stage' | 'sink';
  /** What it is called, for example `each(bill)`. */
  readonly name: string;
  /** The credit of a source, where it is a number. */
  readonly credit?: number;
  /** True for a stage that gives at most one message for each it gets. */
  readonly atMostOne?: boolean;
  /**
   * True for a stage that keeps nothing from one message to the next, is done with each at once, and ends and fails with its
   * source alone.
   */
  readonly stateless?: boolean;
  /** What stands before it in the same flow. */
  readonly upstream?: Observable<unknown>;
  /** Ways that leave it, each a stage or a sink. */
  readonly branches?: readonly BranchDescription[];
  /** True where messages go on beside the branches. Without branches they do anyway. */
  readonly goesOn?: boolean;
}

/** One way out of a stage that has several. */
export interface BranchDescription {
  readonly label: string;
  readonly to: unknown;
}

// Carried by the Observable or the function itself: a flow stays a plain Observable and can still be drawn.
const DESCRIPTION = Symbol.for('sluice.description.v1');

/** Attaches a description; it does not show up when the object is listed. @internal */
export function describeAs<T extends object>(described: T, description: Description): T {
  return Object.defineProperty(described, DESCRIPTION, { value: description, configurable: true });
}

/** The description of a flow, stage or sink, where it has one. @internal */
export function descriptionOf(described: unknown): Description | undefined {
  if ((typeof described !== 'object' && typeof described !== 'function') || described === null) return undefined;
  return (described as { [DESCRIPTION]?: Description })[DESCRIPTION];
}

/**
 * How many messages of this flow can be unsettled at once, as far as that is known before anything runs: the credit of
 * its source, as long as no stage in between makes several messages of one.
 *
 * @internal
 */
export function creditOf(flow: unknown): number | undefined {
  let at = descriptionOf(flow);
  while (at?.kind === 'stage' && at.atMostOne === true) at = descriptionOf(at.upstream);
  return at?.kind === 'source' ? at.credit : undefined;
}
