import { expect } from 'vitest';
import { flowTest as kitFlowTest, type FlowTest } from 'sluice/testing';

/** `flowTest` with the runner's own comparison, so that a failing test shows the difference of two diagrams. */
export function flowTest(test: (context: FlowTest) => void): () => void {
  return kitFlowTest(test, { equal: (actual, expected) => expect(actual).toBe(expected) });
}
