import { vi } from 'vitest';

/** Waits for a condition of the real world: for as long as a slow machine may need, and not longer than it takes. */
export function until<T>(check: () => T | Promise<T>, timeoutMs = 45_000): Promise<T> {
  return vi.waitFor(check, { timeout: timeoutMs, interval: 5 });
}
