import { report } from '../observability/observe.js';

/**
 * Calls what a connector brought for an end. One that throws is reported: whoever calls it has more to end.
 *
 * @internal
 */
export function quietly<R>(connector: string, work: () => R): R | undefined {
  try {
    return work();
  } catch (reason) {
    report({ type: 'stage.failed', stage: connector, reason });
    return undefined;
  }
}
