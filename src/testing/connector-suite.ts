import { systemClock, useClock } from '../clock.js';
import { called, callable, checkArgument, checkOptions, integer, type OptionRule } from '../connection/options.js';
import { observe } from '../observability/observe.js';
import { CaseContext } from './case-context.js';
import type { CaseId } from './case-id.js';
import { caseStory } from './case-story.js';
import { CREDIT_CASES } from './cases/credit.js';
import { ERROR_CASES } from './cases/errors.js';
import { LINKAGE_CASES } from './cases/linkage.js';
import { LOAD_CASES } from './cases/load.js';
import { DELIVERY_CASES } from './cases/delivery.js';
import { MEMBERSHIP_CASES } from './cases/membership.js';
import { OBSERVATION_CASES } from './cases/observation.js';
import { PEER_LOSS_CASES } from './cases/peer-loss.js';
import { RECONNECT_CASES } from './cases/reconnect.js';
import { REQUEST_CASES } from './cases/requests.js';
import { RESOURCE_CASES } from './cases/resources.js';
import { SECURITY_CASES } from './cases/security.js';
import { SETTLEMENT_CASES } from './cases/settlement.js';
import { SHUTDOWN_CASES } from './cases/shutdown.js';
import { SINK_CASES } from './cases/sinks.js';
import { STREAM_CASES } from './cases/stream.js';
import { TRANSFER_CASES } from './cases/transfer.js';
import { unmet, type ConformanceCase } from './conformance-case.js';
import type { Reason } from './features.js';
import type { Bench, Harness } from './harness.js';
import { virtualClock } from './virtual-clock.js';
import { watchStrays } from './watch-strays.js';

/**
 * The functions of a test runner that the suite registers its cases with. Vitest, Jest, Mocha and `node:test` have them.
 *
 * @see conformance
 */
export interface Runner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: {
    (name: string, body: () => Promise<void>): unknown;
    readonly skip: (name: string, body: () => void) => unknown;
  };
  /** The runner's `expect`, so that it counts assertions and shows differences. Default: throws an Error. */
  readonly expect?: (actual: unknown, what?: string) => { readonly toBe: (expected: unknown) => unknown };
}

/**
 * One line of the record of a connector.
 *
 * @see conformance
 */
export type CaseRecord = Readonly<Pick<ConformanceCase, 'id' | 'label' | 'title'>> &
  ({ readonly status: 'registered' } | { readonly status: 'skipped'; readonly reason: Reason });

/**
 * How one case ended.
 *
 * @see runCase
 */
export type CaseResult =
  | { readonly status: 'passed' }
  /** `seed` repeats it; in real time there is none. */
  | { readonly status: 'failed'; readonly error: Error; readonly seed: number | undefined }
  | { readonly status: 'skipped'; readonly reason: Reason };

const CASES: readonly ConformanceCase[] = [
  ...STREAM_CASES,
  ...CREDIT_CASES,
  ...LOAD_CASES,
  ...SETTLEMENT_CASES,
  ...LINKAGE_CASES,
  ...DELIVERY_CASES,
  ...TRANSFER_CASES,
  ...RECONNECT_CASES,
  ...PEER_LOSS_CASES,
  ...MEMBERSHIP_CASES,
  ...SHUTDOWN_CASES,
  ...SINK_CASES,
  ...REQUEST_CASES,
  ...ERROR_CASES,
  ...SECURITY_CASES,
  ...RESOURCE_CASES,
  ...OBSERVATION_CASES,
];

const HARNESS = called(
  'a harness with name, clock, features, can and open',
  'name',
  'clock',
  'features',
  'can',
  'open',
);
const SEEDS: OptionRule = (value) =>
  Array.isArray(value) && value.length > 0 ? undefined : 'expected an array of at least one seed';

/** What {@link conformance} may be told. */
export interface ConformanceOptions {
  /** Each case runs once for each of these, in virtual time: chance is another one then. Default: 1 alone. */
  readonly seeds?: readonly number[];
}

/**
 * Registers the conformance cases with a test runner, one test per case. A case whose flags are not set, or whose verbs
 * the bench does not have, is skipped and says why; so is one that the harness skips with a reason of its own. A case that
 * fails names the seed that repeats it, or in real time how sources, sinks and the far side stood. Returns the record of what applies, from which the table of connectors is made.
 *
 * @example
 * import { describe, expect, it } from 'vitest';
 * import { conformance } from 'sluice/testing';
 * conformance(harness, { describe, it, expect });
 * @throws SluiceError `CONFIG_INVALID` for what is no harness, no runner, or seeds that are none
 * @see Harness
 */
export function conformance(harness: Harness, runner: Runner, options: ConformanceOptions = {}): readonly CaseRecord[] {
  checkArgument('conformance', 'harness', harness, HARNESS);
  checkArgument('conformance', 'runner', runner, called('a test runner with describe and it', 'describe', 'it'));
  checkOptions<ConformanceOptions>('conformance', options, { seeds: SEEDS });
  const { describe, it, expect } = runner;
  const { skip } = it;
  const { seeds = [1] } = options;
  // Real time takes its chances anyway.
  const runs = harness.clock === 'virtual' ? seeds : [1];
  const compare: RunCaseOptions =
    expect === undefined ? {} : { equal: (actual, expected, what) => void expect(actual, what).toBe(expected) };
  const records = CASES.map((one) => recordOf(harness, one));
  describe(`conformance of ${harness.name}`, () => {
    for (const record of records) {
      const name = `${record.id} ${record.title}`;
      if (record.status === 'skipped') skip(`${name} (skipped: ${record.reason})`, () => undefined);
      else {
        it(name, async () => {
          for (const seed of runs) {
            const result = await runCase(harness, record.id, { ...compare, seed });
            if (result.status === 'failed') throw result.error;
          }
        });
      }
    }
  });
  return records;
}

/** How {@link runCase} compares and draws. */
export interface RunCaseOptions {
  /** Seed of the virtual clock. Default 1. */
  readonly seed?: number;
  /** Throws when both differ. Default: an Error that names `what` and both. */
  readonly equal?: (actual: unknown, expected: unknown, what: string) => void;
}

/**
 * Runs one case against a fresh bench and tells how it ended, also when it failed.
 *
 * @example
 * import { runCase } from 'sluice/testing';
 * const result = await runCase(harness, 'CRD-01');
 * if (result.status === 'failed') console.error(result.error.message);
 * @throws SluiceError `CONFIG_INVALID`, as a rejection, for what is no harness, no case, or an option out of range
 * @see conformance
 */
export async function runCase(harness: Harness, id: CaseId, options: RunCaseOptions = {}): Promise<CaseResult> {
  checkArgument('runCase', 'harness', harness, HARNESS);
  checkArgument('runCase', 'id', id, (value) =>
    CASES.some((one) => one.id === value) ? undefined : 'expected the id of a case',
  );
  checkOptions<RunCaseOptions>('runCase', options, { seed: integer(Number.MIN_SAFE_INTEGER), equal: callable });
  const one = CASES.find((candidate) => candidate.id === id) as ConformanceCase;
  const record = recordOf(harness, one);
  if (record.status === 'skipped') return { status: 'skipped', reason: record.reason };
  const { seed = 1 } = options;
  const virtual = harness.clock === 'virtual' ? virtualClock({ seed }) : undefined;
  const clock = virtual ?? systemClock;
  const restoreClock = useClock(clock);
  const stray = watchStrays();
  let bench: Bench | undefined;
  let context: CaseContext | undefined;
  let stopObserving: (() => void) | undefined;
  try {
    bench = await harness.open({ clock, random: () => clock.random(), seed });
    context = new CaseContext(harness, bench, clock, virtual, options.equal ?? mustEqual);
    const running = context;
    stopObserving = observe((event) => running.hear(event));
    await one.run(running);
    running.audit();
    // RxJS reports what it swallowed in a timer of its own.
    await new Promise<void>((resolve) => void systemClock.timer(1, resolve));
    running.same([...running.violations, ...stray.found].join('; '), '', 'what no connector may do');
    return { status: 'passed' };
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (virtual !== undefined) failure.message += ` (${id} of ${harness.name}, seed ${seed})`;
    else if (context !== undefined) failure.message += `\n${await caseStory(context, context.bench)}`;
    return { status: 'failed', error: failure, seed: virtual?.seed };
  } finally {
    await context?.end();
    if (virtual !== undefined) await virtual.run(60_000).catch(() => undefined);
    stopObserving?.();
    await bench?.close?.();
    stray.restore();
    restoreClock();
  }
}

function recordOf(harness: Harness, one: ConformanceCase): CaseRecord {
  const { id, label, title } = one;
  const reason = harness.skips?.[id] ?? unmet(one.needs ?? {}, harness);
  return reason === undefined
    ? { id, label, title, status: 'registered' }
    : { id, label, title, status: 'skipped', reason };
}

function mustEqual(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: expected ${String(expected)}, got ${String(actual)}`);
}
