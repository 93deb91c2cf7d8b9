import type { Cancel } from '../clock.js';
import { callable, checkArgument } from '../options.js';
import type { SluiceEvent } from './events.js';

// Empty almost always: reporting then costs one comparison and builds no event.
const listeners = new Set<(event: SluiceEvent) => void>();

/**
 * Calls `listener` with every event of the library until the returned function is called. A listener that throws is
 * taken off; it never disturbs the flow that reported.
 *
 * @example
 * import { observe } from 'sluice';
 * const stop = observe((event) => console.log(event.type));
 * @throws SluiceError `CONFIG_INVALID` without a function
 * @see SluiceEvent
 */
export function observe(listener: (event: SluiceEvent) => void): Cancel {
  checkArgument('observe', 'listener', listener, callable);
  const own = (event: SluiceEvent): void => listener(event);
  listeners.add(own);
  return () => void listeners.delete(own);
}

/** True while somebody observes: check it before building an event on a hot path. @internal */
export function isObserved(): boolean {
  return listeners.size > 0;
}

/** Reports one event. @internal */
export function report(event: SluiceEvent): void {
  for (const listener of listeners) {
    try {
      listener(event);
    } catch {
      listeners.delete(listener);
    }
  }
}
