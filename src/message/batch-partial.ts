import { isSluiceError, SluiceError } from '../errors.js';
import { called, checkArgument, type OptionRule } from '../options.js';
import type { Outcome } from './settler.js';

/**
 * The reason to nack a joined message with when only some of its members failed: those are nacked, each with its own
 * reason, and the others are acked. Work that throws it gives no results: where those of the others have to go on, give a list
 * with one for each member, and let those that failed throw behind `unbatch`. One that names a position the batch does not
 * have says nothing sure of any member: all are nacked.
 *
 * @example
 * import { batchPartial } from 'sluice';
 * rows.nack(batchPartial(new Map([[3, error]])), 'dead');
 * @param failed reasons by position in the batch, from 0
 * @throws SluiceError `CONFIG_INVALID` for anything else
 * @see join
 */
export function batchPartial(failed: ReadonlyMap<number, unknown>): SluiceError {
  checkArgument('batchPartial', 'failed', failed, REASONS);
  return new SluiceError('BATCH_PARTIAL', `${failed.size} of the batch failed; the others are done.`, {
    details: { failed },
  });
}

const A_MAP = called('a Map of reasons by position', 'size', 'get', 'keys');
const REASONS: OptionRule = (value) =>
  A_MAP(value) ??
  ([...(value as ReadonlyMap<unknown, unknown>).keys()].every((at) => Number.isSafeInteger(at) && (at as number) >= 0)
    ? undefined
    : 'expected positions in the batch, whole numbers from 0, as its keys');

/** How one member of a batch ended. @internal */
export interface MemberEnd {
  readonly outcome: Outcome;
  /** Of an ack its note. */
  readonly reason: unknown;
}

/** By position in the batch; who is not in it was acked. @internal */
export type MemberEnds = ReadonlyMap<number, MemberEnd>;

/** {@link batchPartial} where members ended in different ways. @internal */
export function batchEnded(ends: MemberEnds): SluiceError {
  const failed = new Map<number, unknown>();
  for (const [at, { outcome, reason }] of ends) if (outcome !== 'ack') failed.set(at, reason);
  const error = batchPartial(failed);
  return new SluiceError(error.code, error.message, { details: { failed, ends } });
}

/**
 * What a settlement says of each member; `undefined` when it says the same of all, also because it is of another batch than
 * one of `count` members.
 *
 * @internal
 */
export function memberEnds(outcome: Outcome, reason: unknown, count: number = Infinity): MemberEnds | undefined {
  if (!isSluiceError(reason, 'BATCH_PARTIAL')) return undefined;
  const { failed, ends } = reason.details as { failed: ReadonlyMap<number, unknown>; ends?: MemberEnds };
  for (const at of failed.keys()) if (at >= count) return undefined;
  return ends ?? new Map([...failed].map(([at, why]) => [at, { outcome, reason: why }]));
}
