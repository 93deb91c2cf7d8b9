import type { CaseContext } from './case-context.js';
import type { CaseId } from './case-id.js';
import type { Features, Flag, Reason } from './features.js';
import type { Harness, Verb } from './harness.js';

/** What has to be given for a case to apply. */
export interface Needs {
  /** Why the library itself has not what the case is about. */
  readonly library?: Reason;
  /** The harness says how long a soak takes. */
  readonly soak?: boolean;
  /** What it is about takes no virtual time. */
  readonly realTime?: boolean;
  readonly ack?: Features['ack'];
  /** All of these are set. */
  readonly flags?: readonly Flag[];
  /** At least one of these is set. */
  readonly anyOf?: readonly Flag[];
  /** None of these is set. */
  readonly not?: readonly Flag[];
  /** The bench can do all of these. */
  readonly verbs?: readonly Verb[];
  /** The bench can do at least one of these. */
  readonly anyVerb?: readonly Verb[];
}

/** One numbered case: `R` is required, `O` optional because it hangs on a flag, `S` stochastic. */
export interface ConformanceCase {
  readonly id: CaseId;
  readonly label: 'R' | 'O' | 'S';
  /** A fact in the present tense. */
  readonly title: string;
  readonly needs?: Needs;
  run(t: CaseContext): void | Promise<void>;
}

/** Why the case does not apply to the harness; `undefined` when it does. */
export function unmet(needs: Needs, harness: Harness): Reason | undefined {
  const { features, can } = harness;
  if (needs.library !== undefined) return needs.library;
  if (needs.soak === true && harness.soakMs === undefined) return 'needs soakMs of the harness';
  if (needs.realTime === true && harness.clock !== 'real') return 'needs real time, in which a handler can be busy';
  if (needs.ack !== undefined && features.ack !== needs.ack) return `needs ack: ${needs.ack}, it is ${features.ack}`;
  const flag = needs.flags?.find((name) => !isSet(features, name));
  if (flag !== undefined) return `needs the flag ${flag}`;
  if (needs.anyOf?.some((name) => isSet(features, name)) === false) return `needs one of ${needs.anyOf.join(', ')}`;
  const unwanted = needs.not?.find((name) => isSet(features, name));
  if (unwanted !== undefined) return `does not apply with the flag ${unwanted}`;
  const verb = needs.verbs?.find((name) => !can.includes(name));
  if (verb !== undefined) return `needs ${verb} on the bench`;
  if (needs.anyVerb?.some((name) => can.includes(name)) === false) {
    return `needs one of ${needs.anyVerb.join(', ')} on the bench`;
  }
  return undefined;
}

function isSet(features: Features, flag: Flag): boolean {
  const value = features[flag];
  return value !== undefined && value !== false && value !== 'none';
}
