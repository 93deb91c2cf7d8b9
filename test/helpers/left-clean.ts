import { afterAll, expect } from 'vitest';
import { currentClock, systemClock } from 'sluice';
import { isObserved } from '../../src/observability/observe.js';

// Files share their process, which saves two of three seconds per file: what one leaves behind would be the next one's trouble.
afterAll(() => {
  expect(currentClock() === systemClock, 'a test file left its own clock in force').toBe(true);
  expect(isObserved(), 'a test file left a listener of observe()').toBe(false);
});
