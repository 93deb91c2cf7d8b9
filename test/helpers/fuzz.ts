import fc from 'fast-check';
import { ERROR_CODES, isSluiceError, type ErrorCode } from 'sluice';
import { anyCharacter } from './any-character.js';
import { runs } from './runs.js';

/** So many inputs of each group; SEED tries others. */
const RUNS = runs(200);
const SEED = Number(process.env['SEED'] ?? 17);
/** Longest that one input may be worked on, in time of the processor: a busy machine is no fault of the input. */
const MOST_MS = 1_000;

/** The same inputs each time, so that what fails can be had again; fast-check prints seed and path of it. */
export const INPUTS = { numRuns: RUNS, seed: SEED } as const;

/** For what needs a connection of its own, or more. */
export const FEW_INPUTS = { numRuns: Math.ceil(RUNS / 4), seed: SEED } as const;

/** Parts that have broken parsers before: signs, ends of lines, marks, numbers out of range, names of prototypes. */
const TOKENS: readonly Uint8Array[] = [
  ...[
    '"',
    '\\',
    '\\u005f',
    '[[[[',
    '{"a":',
    ']}',
    ',',
    ';',
    '\n',
    '\r\n',
    '\r',
    '\t',
    '=',
    '\0',
    '/',
    '+',
    '#',
    '$',
    '*',
  ],
  ...['__proto__', 'constructor', 'null', 'NaN', '-0', '1e400', '9007199254740993', '0x7f', '😀', '\uFEFF', '\u2028'],
]
  .map((text) => new TextEncoder().encode(text))
  .concat(
    [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0x80, 0, 0, 0], [0x7f, 0xff, 0xff, 0xff]].map((b) =>
      Uint8Array.from(b),
    ),
  );

type Change = (bytes: Uint8Array) => Uint8Array;

const at = fc.double({ min: 0, max: 1, noNaN: true });
const part = fc.tuple(at, at);
const placed = (bytes: Uint8Array, where: number): number => Math.floor(where * bytes.length);

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((one) => [...one]));
}

function replaced(
  bytes: Uint8Array,
  [a, b]: readonly [number, number],
  by: (cut: Uint8Array) => Uint8Array,
): Uint8Array {
  const [from, to] = [placed(bytes, Math.min(a, b)), placed(bytes, Math.max(a, b))];
  return joined(bytes.subarray(0, from), by(bytes.subarray(from, to)), bytes.subarray(to));
}

const change: fc.Arbitrary<Change> = fc.oneof(
  // Another byte, or bit.
  fc.tuple(at, fc.integer({ min: 1, max: 255 })).map(
    ([where, mask]): Change =>
      (bytes) =>
        bytes.map((byte, index) => (index === placed(bytes, where) ? byte ^ mask : byte)),
  ),
  // Something put in.
  fc.tuple(at, fc.oneof(fc.constantFrom(...TOKENS), fc.uint8Array({ maxLength: 8 }))).map(
    ([where, token]): Change =>
      (bytes) =>
        replaced(bytes, [where, where], () => token),
  ),
  // Something left out, the end for one.
  part.map(
    (where): Change =>
      (bytes) =>
        replaced(bytes, where, () => new Uint8Array()),
  ),
  at.map(
    (where): Change =>
      (bytes) =>
        bytes.subarray(0, placed(bytes, where)),
  ),
  // Something again and again.
  fc.tuple(part, fc.integer({ min: 2, max: 80 })).map(
    ([where, times]): Change =>
      (bytes) =>
        bytes.length > 4_096
          ? bytes
          : replaced(bytes, where, (cut) => joined(...Array.from({ length: times }, () => cut))),
  ),
);

const encoder = new TextEncoder();

/** What becomes of one of these inputs after a few changes, pieces of others among them; sometimes just bytes. */
export function mutated(...corpus: readonly (string | Uint8Array)[]): fc.Arbitrary<Uint8Array> {
  const inputs = corpus.map((one) => (typeof one === 'string' ? encoder.encode(one) : one));
  const spliced = fc
    .tuple(fc.constantFrom(...inputs), part, fc.constantFrom(...inputs), part)
    .map(([one, where, other, piece]) =>
      replaced(one, where, () => other.subarray(placed(other, Math.min(...piece)), placed(other, Math.max(...piece)))),
    );
  return fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .tuple(fc.oneof(fc.constantFrom(...inputs), spliced), fc.array(change, { minLength: 1, maxLength: 4 }))
        .map(([bytes, changes]) => changes.reduce((changed, one) => one(changed), bytes)),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
  );
}

/** The same as text, with U+FFFD in place of what is none. */
export function mutatedText(...corpus: readonly string[]): fc.Arbitrary<string> {
  return mutated(...corpus).map((bytes) => new TextDecoder().decode(bytes));
}

/** Any value of JavaScript, with the names and the numbers that break things. */
export const anyValue: fc.Arbitrary<unknown> = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  stringUnit: anyCharacter,
} as never);

/** A value, or undefined for a SluiceError with one of these codes; and in time. What else is thrown is a fault. */
export function answered<R>(work: () => R, codes: readonly ErrorCode[] = ERROR_CODES): R | undefined {
  const from = process.cpuUsage();
  let value: R | undefined;
  try {
    value = work();
  } catch (error) {
    if (!isSluiceError(error)) throw new Error('something else than a SluiceError was thrown', { cause: error });
    if (!codes.includes(error.code)) throw new Error(`its code is ${error.code}`, { cause: error });
  }
  const { user, system } = process.cpuUsage(from);
  if ((user + system) / 1_000 > MOST_MS) throw new Error(`it took ${(user + system) / 1_000} ms`);
  return value;
}
