import { setTimeout as pause } from 'node:timers/promises';

/**
 * Tries until it resolves, less and less often; rejects with the last reason after a time, or as soon as `hopeless` has one. Unlike
 * `vi.waitFor` it works outside of a test.
 */
export async function within<T>(
  timeoutMs: number,
  attempt: () => Promise<T>,
  hopeless: () => string | undefined = () => undefined,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (let pauseMs = 20; ; pauseMs = Math.min(1.5 * pauseMs, 150)) {
    try {
      return await attempt();
    } catch (error) {
      const reason = hopeless();
      if (reason !== undefined) throw new Error(reason, { cause: error });
      if (Date.now() > deadline) throw error;
    }
    await pause(pauseMs);
  }
}
