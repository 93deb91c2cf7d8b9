import type { Observable } from 'rxjs';
import type { Clock } from '../clock.js';
import { isObserved, report } from '../observability/observe.js';

/** How often it looks, and how late it may come to look. */
const EVERY_MS = 250;

/**
 * Tells with `loop.blocked` when the event loop stood still: a handler that computes for long keeps timers, heartbeats and
 * all other flows waiting. It ends with `status$`; nothing is looked at while nobody observes when the flow starts.
 *
 * @internal
 */
export function watchLoop(clock: Clock, flow: string, status$: Observable<unknown>): void {
  if (!isObserved()) return;
  let dueMs = 0;
  const look = (): void => {
    const lateMs = Math.round(clock.elapsed() - dueMs);
    if (lateMs >= EVERY_MS) report({ type: 'loop.blocked', flow, lateMs });
    next();
  };
  const next = (): void => {
    dueMs = clock.elapsed() + EVERY_MS;
    cancel = clock.timer(EVERY_MS, look, true);
  };
  let cancel = (): void => undefined;
  next();
  status$.subscribe({ complete: () => cancel(), error: () => cancel() });
}
