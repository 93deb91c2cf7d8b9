import type { Flow, Stage } from '../connection/flow.js';
import { checkArgument, flowLike, type OptionRule, sinkLike, stageLike } from '../connection/options.js';

const STAGE: OptionRule = (value) =>
  sinkLike(value) === undefined ? 'expected a stage; a sink is the end of a flow: run(flow, sink)' : stageLike(value);

/**
 * A source through stages, one after the other: the same as `source.pipe(…)`, for where there is no `pipe`. Types are
 * inferred from stage to stage, for up to nine, as with `pipe`: give what comes out of nine to another `flow` for more.
 *
 * @example
 * import { each, flow, where } from 'sluice';
 * const bills = flow(orders, where((order) => order.amount > 0), each(bill));
 * @throws SluiceError `CONFIG_INVALID` for a source that is no flow, or a stage that is none
 * @see run
 */
export function flow<A>(source: Flow<A>): Flow<A>;
export function flow<A, B>(source: Flow<A>, a: Stage<A, B>): Flow<B>;
export function flow<A, B, C>(source: Flow<A>, a: Stage<A, B>, b: Stage<B, C>): Flow<C>;
export function flow<A, B, C, D>(source: Flow<A>, a: Stage<A, B>, b: Stage<B, C>, c: Stage<C, D>): Flow<D>;
export function flow<A, B, C, D, E>(
  source: Flow<A>,
  a: Stage<A, B>,
  b: Stage<B, C>,
  c: Stage<C, D>,
  d: Stage<D, E>,
): Flow<E>;
export function flow<A, B, C, D, E, F>(
  source: Flow<A>,
  a: Stage<A, B>,
  b: Stage<B, C>,
  c: Stage<C, D>,
  d: Stage<D, E>,
  e: Stage<E, F>,
): Flow<F>;
export function flow<A, B, C, D, E, F, G>(
  source: Flow<A>,
  a: Stage<A, B>,
  b: Stage<B, C>,
  c: Stage<C, D>,
  d: Stage<D, E>,
  e: Stage<E, F>,
  f: Stage<F, G>,
): Flow<G>;
export function flow<A, B, C, D, E, F, G, H>(
  source: Flow<A>,
  a: Stage<A, B>,
  b: Stage<B, C>,
  c: Stage<C, D>,
  d: Stage<D, E>,
  e: Stage<E, F>,
  f: Stage<F, G>,
  g: Stage<G, H>,
): Flow<H>;
export function flow<A, B, C, D, E, F, G, H, I>(
  source: Flow<A>,
  a: Stage<A, B>,
  b: Stage<B, C>,
  c: Stage<C, D>,
  d: Stage<D, E>,
  e: Stage<E, F>,
  f: Stage<F, G>,
  g: Stage<G, H>,
  h: Stage<H, I>,
): Flow<I>;
export function flow<A, B, C, D, E, F, G, H, I, J>(
  source: Flow<A>,
  a: Stage<A, B>,
  b: Stage<B, C>,
  c: Stage<C, D>,
  d: Stage<D, E>,
  e: Stage<E, F>,
  f: Stage<F, G>,
  g: Stage<G, H>,
  h: Stage<H, I>,
  i: Stage<I, J>,
): Flow<J>;
export function flow<A, B, C, D, E, F, G, H, I, J>(
  source: Flow<A>,
  a: Stage<A, B>,
  b: Stage<B, C>,
  c: Stage<C, D>,
  d: Stage<D, E>,
  e: Stage<E, F>,
  f: Stage<F, G>,
  g: Stage<G, H>,
  h: Stage<H, I>,
  i: Stage<I, J>,
  ...more: readonly Stage<never, unknown>[]
): Flow<unknown>;
export function flow(source: Flow<unknown>, ...stages: readonly Stage<never, unknown>[]): Flow<unknown> {
  checkArgument('flow', 'source', source, flowLike);
  for (const [at, stage] of stages.entries()) checkArgument('flow', `stage ${at + 1}`, stage, STAGE);
  return stages.reduce((before, stage) => stage(before as Flow<never>), source);
}
